"""References on the canvas of a clip: where each picture goes, and which of many are of use to the clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stages.body.compose import draw_body
from stages.body.framing import Window, content_box, cut, outside_px, window_around, window_like
from stages.body.place import Performance, own_performance
from stages.core.errors import InputError
from stages.core.skeleton import BODY_INDEX
from stages.head.sphere import draw_sphere
from stages.references.subject import Subject, check_size

_STRANGE_DEG = 50.0  # faces turned further apart from the camera than this are not compared


@dataclass(frozen=True)
class Placed:
    """A reference on the canvas.

    frame_u8  uint8 [H, W, 3];  map_u8  uint8 [H, W, 6] skeleton and sphere;  still  Performance of one frame
    rotation  R_cam_head float64 [3, 3];  name, digest  of what it was made from
    known     bool [H, W] the picture reaches there; elsewhere the canvas is made up
    """

    frame_u8: np.ndarray
    map_u8: np.ndarray
    still: Performance
    rotation: np.ndarray
    name: str
    digest: str
    known: np.ndarray


def film_of(bundle) -> tuple[Performance, np.ndarray, np.ndarray]:
    """The Performance, R_cam_head [T, 3, 3] and moves of the background [T, 2, 3] of a clip as render-spheres put it on
    the canvas."""
    body = {name: bundle.read("body", name) for name in ("joints_px", "joints_m", "joints_valid", "hands_px",
                                                         "hands_valid", "bone_ratio")}  # fmt: skip
    canvas = bundle.attrs("body")["canvas"]
    head = [bundle.read("head", name).astype(np.float64) for name in ("center_px", "radius_px", "R_cam_head")]
    act = _performance(body, "", head, np.array(canvas["K_px"]), body["bone_ratio"], canvas["aligned_frame"])
    return act, head[2], bundle.read("body", "camera_affine").astype(np.float64)


def first_of(bundle) -> Placed:
    """The reference that render-spheres drew the clip for.

    errors  InputError: drawn by an earlier version
    """
    path = bundle.path
    if not {"ref_joints_m", "ref_hands_px", "ref_known", "camera_affine"} <= set(bundle.array_names("body")):
        raise InputError(
            f"{path}: layer body does not say enough of its reference: an earlier version drew it. Make it again with: "
            f"dreamactor render-spheres {path} --overwrite and the --ref of before"
        )
    names = ("joints_px", "joints_m", "joints_valid", "hands_px", "hands_valid")
    body = {name: bundle.read("body", f"ref_{name}") for name in names}
    head = [bundle.read("head", f"ref_{name}").astype(np.float64) for name in ("center_px", "radius_px", "R_cam_head")]
    still = _performance(body, "ref ", [head[0][None], head[1][None], None], np.eye(3), np.ones(24), -1)
    maps = np.concatenate([bundle.read("body", "ref_map")[0], bundle.read("head", "ref_map")[0]], -1)
    ref = bundle.attrs("body").get("ref") or {"path": str(path), "sha256": bundle.key("body")}
    frame_u8, known = (bundle.read("body", name)[0] for name in ("ref_frame", "ref_known"))
    return Placed(frame_u8, maps, still, head[2], ref["path"], ref["sha256"], known)


def _performance(body, what, head, K_px, bone_ratio, frame) -> Performance:
    return Performance(
        body["joints_px"].astype(np.float64), body["joints_m"].astype(np.float64), body["joints_valid"],
        body["hands_px"].astype(np.float64), body["hands_valid"], head[0], head[1], K_px, bone_ratio, int(frame),
    )  # fmt: skip


def place(subject: Subject, first: Placed) -> Placed:
    """A further reference on the first one's canvas: its head, else its shoulders, as large and at the same place; a
    crop made on purpose as large as it is.

    errors  InputError: its head is too small, or neither head nor shoulders are known
    """
    check_size(subject.name, subject.person)
    size = first.frame_u8.shape[:2]
    window = _window(subject, first, size)
    still = _onto(own_performance(subject.person), window)
    sphere = draw_sphere(still.head_px[0], still.head_radius_px[0], subject.rotation, *size)
    maps = np.concatenate([draw_body(still, 0, size), sphere], -1)
    known = outside_px(window, *subject.picture_u8.shape[:2]) <= 0
    return Placed(cut(subject.picture_u8, window), maps, still, subject.rotation, subject.name, subject.digest, known)


def most_useful(placed: Sequence[Placed], first: Placed, film_rotations, most: int) -> list[int]:
    """Numbers of at most `most` further references, in order of use: always the one that brings the heads of the film,
    as the camera sees them, nearest to a picture; unused ones of use to no frame are left out only when there is no
    room."""
    seen = np.asarray(film_rotations, np.float64)[:, 2]
    seen = seen[np.isfinite(seen).all(1)]
    if not len(seen):
        return list(range(min(most, len(placed))))
    sides = np.stack([first.rotation[2], *(one.rotation[2] for one in placed)])
    angle = np.degrees(np.arccos(np.clip(np.nan_to_num(seen @ sides.T, nan=-1.0), -1.0, 1.0)))
    best, chosen = angle[:, 0], []
    while len(chosen) < min(most, len(placed)):
        left = [at for at in range(len(placed)) if at not in chosen]
        gains = [float(np.maximum(best - angle[:, 1 + at], 0.0).mean()) for at in left]
        at = left[int(np.argmax(gains))]
        chosen.append(at)
        best = np.minimum(best, angle[:, 1 + at])
    return chosen


def check_same_person(first: Placed, others: Sequence[Placed], looker) -> None:
    """errors  InputError: the face of one, where it can be read, is not the first one's"""
    from stages.references.likeness import DIFFERENT_FACE, Look, alike_beyond_clothes, part_colours

    def look(one: Placed):
        turned = np.degrees(np.arccos(np.clip(one.rotation[2, 2], -1.0, 1.0)))
        face = looker.face(one.frame_u8, one.still.head_px[0], float(one.still.head_radius_px[0]))
        if not turned <= _STRANGE_DEG or not np.isfinite(face[0]):
            return None
        return Look(face, part_colours(one.frame_u8, one.still, one.rotation), np.zeros(1), 1.0)

    wanted = look(first)
    for other, found in [(other, look(other)) for other in others] if wanted is not None else ():
        alike = alike_beyond_clothes(found, wanted) if found is not None else np.inf
        if alike < DIFFERENT_FACE:
            raise InputError(
                f"{other.name}: shows another person than {first.name} (likeness {max(alike, -1.0):.2f}, expected "
                f"{DIFFERENT_FACE:g} or more). Take pictures of one person"
            )


def _window(subject: Subject, first: Placed, size) -> Window:
    act, picture = own_performance(subject.person), subject.picture_u8.shape[:2]
    if subject.zoomed:
        box = content_box(
            "half", act.joints_px, act.drawn, act.hands_px, act.hands_drawn, act.head_px, act.head_radius_px
        )
        return window_around(box, "half", size, picture)
    if np.isfinite(act.head_px[0]).all() and np.isfinite(first.still.head_px[0]).all():
        scale = float(first.still.head_radius_px[0] / act.head_radius_px[0])
        return window_like(scale, first.still.head_px[0], act.head_px[0], size, picture)
    shoulders = [BODY_INDEX[name] for name in ("left_shoulder", "right_shoulder")]
    if not (act.drawn[0, shoulders].all() and first.still.drawn[0, shoulders].all()):
        raise InputError(f"{subject.name}: neither head nor shoulders are found. Take a picture that shows both")
    here, there = act.joints_px[0, shoulders], first.still.joints_px[0, shoulders]
    scale = float(np.linalg.norm(there[0] - there[1]) / max(float(np.linalg.norm(here[0] - here[1])), 1e-6))
    return window_like(scale, there.mean(0), here.mean(0), size, picture)


def _onto(act: Performance, window: Window) -> Performance:
    return replace(
        act, joints_px=window.points(act.joints_px), hands_px=window.points(act.hands_px),
        head_px=window.points(act.head_px), head_radius_px=act.head_radius_px * window.scale,
    )  # fmt: skip
