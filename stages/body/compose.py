"""One control sheet: the driver's performance and the reference brought onto one canvas, and drawn."""

from dataclasses import dataclass

import numpy as np

from stages.body import framing as frame_tools
from stages.body.draw import draw_skeleton
from stages.body.framing import Window
from stages.body.person import Person
from stages.body.place import Performance, most_alike_frame, own_performance, perform
from stages.body.strength import body_motion
from stages.core.geometry import project_px, similarity_fit
from stages.core.skeleton import BODY_INDEX

FRAMINGS = ("reference", "driver")
_SIMILAR = ("neck", "left_shoulder", "right_shoulder")


@dataclass(frozen=True)
class Composition:
    """Everything on the canvas; arrays of the reference have one frame.

    act        Performance, moved to canvas px (K_px stays that of the camera);  still  the same of the reference
    ref_window Window that cuts the reference's picture;  driver_affine float64 [2, 3] driver px to canvas px (exact
               where the driver is not moved, else the similarity at the aligned frame)
    kind       "portrait" | "half" | "full"
    """

    act: Performance
    still: Performance
    ref_window: Window
    driver_affine: np.ndarray
    kind: str


def compose(
    driver, seen, reference, ref_size, canvas_size, *, framing, bone_ratio=None, retarget=True, strengths=(1.0, 1.0)
):
    """Return the Composition of a driver and a reference.

    driver      Person of T frames;  seen  bool [T, 25] joints inside the driver's picture
    reference   Person of one frame, or an int: a frame of the driver (self-driven, every ratio exactly 1)
    ref_size    (H, W) of the reference's picture;  canvas_size (H, W)
    framing, bone_ratio, retarget  see `perform`;  strengths  of body and head, see `body_motion`
    Source: paper section 3.2 for what is drawn; framing and placing are our choice.
    """
    own = isinstance(reference, int)
    person = driver.frame(max(reference, 0)) if own else reference
    if own:
        act = own_performance(driver, reference)
    else:
        act = perform(driver, person, framing=framing, bone_ratio=bone_ratio, retarget=retarget)
    still = own_performance(person)
    act = body_motion(act, still, *strengths)
    kind = frame_tools.kind_of_framing(seen, driver.drawn.any(1))
    box = _box(kind, act)
    if own or framing == "driver":
        window = frame_tools.window_around(box, kind, canvas_size, ref_size if own else None)
        ref_window = window if own else _alike_window(driver, person, act, window, canvas_size, ref_size)
    else:
        window = frame_tools.window_around(_union(box, _box("portrait", still, room=0.7)), kind, canvas_size, ref_size)
        ref_window = window
    placed = _onto(act, window)
    affine = window.affine()
    if not own and framing == "reference":
        affine = _driver_affine(driver, placed)
    return Composition(placed, _onto(still, ref_window), ref_window, affine, kind)


def good_frame(person: Person) -> int:
    """Return the first frame that shows nearly as much of the person as the best one; -1 when there is nobody."""
    quality = person.score.sum(1) + 5.0 * np.isfinite(person.head_m).all(-1)
    if not len(quality) or quality.max() <= 0:
        return -1
    return int(np.argmax(quality >= 0.9 * quality.max()))


def draw_body(act: Performance, frame: int, canvas_size):
    """Return the skeleton map of one frame, uint8 [H, W, 3]."""
    return draw_skeleton(
        act.joints_px[frame],
        act.drawn[frame],
        act.hands_px[frame],
        act.hands_drawn[frame],
        *canvas_size,
        joints_z_m=np.nan_to_num(act.points_m[frame, :, 2]),
    )


def _box(kind, act, room=1.0):
    return frame_tools.content_box(
        kind, act.joints_px, act.drawn, act.hands_px, act.hands_drawn, act.head_px, room * act.head_radius_px
    )


def _union(first, second):
    """The box around two boxes; a NaN box adds nothing."""
    boxes = np.stack([first, second])
    boxes = boxes[np.isfinite(boxes).all(1)]
    return np.r_[boxes[:, :2].min(0), boxes[:, 2:].max(0)] if len(boxes) else np.full(4, np.nan)


def _onto(act, window):
    """The performance in canvas px."""
    return Performance(
        window.points(act.joints_px),
        act.points_m,
        act.drawn,
        window.points(act.hands_px),
        act.hands_drawn,
        window.points(act.head_px),
        act.head_radius_px * window.scale,
        act.K_px,
        act.bone_ratio,
        act.frame,
    )


def _alike_window(driver, person, act, window, canvas_size, ref_size):
    """The reference's picture at the size and place at which the driver's canvas shows the person."""
    frame = most_alike_frame(driver, person)
    neck = BODY_INDEX["neck"]
    if frame >= 0 and driver.drawn[frame, neck] and person.drawn[0, neck]:
        scale = window.scale * (driver.K_px[0, 0] / act.points_m[frame, neck, 2])
        scale /= person.K_px[0, 0] / person.points_m[0, neck, 2]
        here, there = act.joints_px[frame, neck], project_px(person.points_m[0, neck], person.K_px)
    elif frame >= 0 and np.isfinite(person.head_radius_px[0]) and np.isfinite(act.head_radius_px[frame]):
        scale = window.scale * act.head_radius_px[frame] / person.head_radius_px[0]
        here, there = act.head_px[frame], project_px(person.head_m[0], person.K_px)
    else:
        return frame_tools.window_around(np.full(4, np.nan), "full", canvas_size, ref_size)
    return frame_tools.window_like(scale, window.points(here), there, canvas_size, ref_size)


def _driver_affine(driver, placed):
    """Similarity without rotation from the driver's picture to the canvas at the aligned frame."""
    frame = placed.frame
    if frame < 0:
        return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    names = [BODY_INDEX[name] for name in _SIMILAR]
    here = project_px(np.vstack([driver.points_m[frame, names], driver.head_m[frame]]), driver.K_px)
    there = np.vstack([placed.joints_px[frame, names], placed.head_px[frame]])
    both = np.isfinite(here).all(1) & np.isfinite(there).all(1)
    here, there = here[both], there[both]
    if len(here) >= 2:
        scale, _, _ = similarity_fit(here, there)
    else:
        scale = placed.head_radius_px[frame] / driver.head_radius_px[frame]
    shift = there.mean(0) - scale * here.mean(0)
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
