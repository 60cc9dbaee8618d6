"""Picks from clips: frames looked at, those of the person kept, the most useful of them chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from stages.body.framing import content_box, kind_of_framing
from stages.body.person import Person
from stages.body.place import own_performance
from stages.core.errors import InputError
from stages.core.geometry import euler_yaw_pitch_roll_rad
from stages.references.layer import Pick, stored
from stages.references.likeness import Look, Looker, same_person
from stages.references.selection import HALF, MEDIAN, YAW_ERROR_DEG, Candidate, pick, posture
from stages.references.subject import LEAST_HEAD_PX, Subject, person_of_bundle

_MOST_FRAMES = 160  # looked at in one clip
_EXTREMES = 8  # besides, of the frames turned farthest to each side
_JUMP_RADII, _JUMP_SIZE, _CUT = 0.8, 1.3, 0.3  # head moved, head grown, and thumbs alike: beyond these it is a cut


@dataclass(frozen=True)
class Frame:
    """One frame that was looked at."""

    bundle: int
    frame: int
    shot: int
    person: Person
    look: Look
    candidate: Candidate


def harvest(
    bundles: Sequence, count: int, *, yaw_most: float, wanted: Look | None = None, taken: Sequence[Subject] = (),
    half_body: bool = True, looker: Looker | None = None, progress: Callable[[int, int], None] | None = None,
) -> tuple[list[Pick], dict[str, int]]:  # fmt: skip
    """At most `count` picks from open bundles with the layers clip and pose (and one half-body crop of a full figure),
    with how many frames were looked at, and how many of those were the person's.

    yaw_most  heads turned further than this many degrees are left out, save those as near to it as yaws are measured
    wanted    who to look for;  taken  what there is already
    errors    InputError: no head is large enough; nobody's face can be read; nobody is the wanted person
    """
    looker = looker or Looker()
    frames = [
        frame
        for number, bundle in enumerate(bundles)
        for frame in _looked_at(bundle, number, yaw_most, looker, progress, len(bundles))
    ]
    names = ", ".join(str(bundle.path) for bundle in bundles[:3]) + ("" if len(bundles) <= 3 else ", ...")
    yaw = np.array([frame.candidate.angles_deg[0] for frame in frames])
    within = np.abs(yaw) <= yaw_most
    if not within.any():
        raise InputError(
            f"{names}: no frame shows a head of {LEAST_HEAD_PX:g} px radius turned {yaw_most:g} degrees at most. "
            "Take clips with a larger face"
        )
    groups = [frame.bundle for frame in frames], [frame.shot for frame in frames]
    ours, likeness = same_person([frame.look for frame in frames], yaw, *groups, wanted)
    if not (ours & within).any():
        whom = "no face can be read" if wanted is None else "nobody is the person asked for"
        raise InputError(
            f"{names}: {whom} in {len(frames)} frames. Take clips that show the person's face to the camera"
        )
    mine = [frame for frame, own in zip(frames, ours, strict=True) if own]
    known = [_candidate(one.person, looker.look(one.picture_u8, one.person)) for one in taken]
    chosen = pick([frame.candidate for frame in mine], count, known, yaw_most)
    numbers = np.nonzero(ours)[0]
    picks = [_pick(bundles, mine[at], why, likeness[numbers[at]]) for at, why in chosen]
    if half_body and any(why == MEDIAN for _, why in chosen):
        at = next(at for at, why in chosen if why == MEDIAN)
        picks += _half_body(bundles, mine[at], likeness[numbers[at]])
    return picks, {"frames": len(frames), "own": int(ours.sum()), "clips": len({frame.bundle for frame in mine})}


def _looked_at(bundle, number: int, yaw_most: float, looker: Looker, progress, total: int) -> list[Frame]:
    from stages.media import clip_frames

    person = person_of_bundle(bundle)
    angles = np.degrees(euler_yaw_pitch_roll_rad(person.R_cam_head))
    usable = np.isfinite(angles).all(1) & np.isfinite(person.head_m).all(1)
    usable &= np.nan_to_num(person.head_radius_px) >= LEAST_HEAD_PX
    usable &= np.abs(np.nan_to_num(angles[:, 0])) <= yaw_most + YAW_ERROR_DEG
    shots = np.cumsum(_jumps(person))
    found, shot, before = [], 0, None
    with clip_frames(bundle) as reader:
        for frame in _sample(np.nonzero(usable)[0], angles[:, 0]):
            if frame >= len(reader):
                raise InputError(f"{bundle.path}: pose has more frames than the clip; both must be of one run")
            one = person.frame(frame)
            look = looker.look(reader.frame(int(frame)), one)
            cut = before is not None and (shots[frame] != shots[before.frame] or look.thumb @ before.look.thumb < _CUT)
            shot += int(cut)
            before = Frame(number, int(frame), shot, one, look, _candidate(one, look))
            found.append(before)
    if progress is not None:
        progress(number + 1, total)
    return found


def _candidate(person: Person, look: Look) -> Candidate:
    angles = np.degrees(euler_yaw_pitch_roll_rad(person.R_cam_head[0]))
    return Candidate(angles, float(person.head_radius_px[0]), look.sharp, look.thumb, posture(person))


def _jumps(person: Person) -> np.ndarray:
    """bool [T]: between the frame before and this one the head did what no head does."""
    act = own_performance(person)
    radius = person.head_radius_px
    moved = np.linalg.norm(np.diff(act.head_px, axis=0), axis=1) / radius[1:]
    grown = np.abs(np.log(radius[1:] / radius[:-1]))
    jumped = ~(moved <= _JUMP_RADII) | ~(grown <= np.log(_JUMP_SIZE))
    return np.r_[False, jumped]


def _sample(usable: np.ndarray, yaw_deg: np.ndarray) -> np.ndarray:
    """Frames to look at: evenly spread ones, and those turned farthest to each side."""
    if not len(usable):
        return usable
    even = usable[np.unique(np.linspace(0, len(usable) - 1, min(len(usable), _MOST_FRAMES)).round().astype(int))]
    order = usable[np.argsort(yaw_deg[usable], kind="stable")]
    return np.unique(np.concatenate([even, order[:_EXTREMES], order[-_EXTREMES:]]))


def _subject(bundles, frame: Frame) -> Subject:
    from stages.media import clip_frames

    bundle = bundles[frame.bundle]
    with clip_frames(bundle) as reader:
        picture = reader.frame(frame.frame)
    return Subject(f"{bundle.path}:{frame.frame}", picture, frame.person, "", False, frame.look.face)


def _pick(bundles, frame: Frame, why: str, likeness: float, crop_px=None) -> Pick:
    bundle = bundles[frame.bundle]
    subject = stored(_subject(bundles, frame), crop_px)
    return Pick(subject, why, str(bundle.path), bundle.key("pose"), frame.frame, float(likeness))


def _half_body(bundles, frame: Frame, likeness: float) -> list[Pick]:
    """The picture from head to hips of a full figure, as a picture of its own; nothing where it is none already."""
    person = frame.person
    if kind_of_framing(person.seen, person.drawn.any(1)) != "full":
        return []
    act = own_performance(person)
    box = content_box("half", act.joints_px, act.drawn, act.hands_px, act.hands_drawn, act.head_px, act.head_radius_px)
    picture = _subject(bundles, frame).picture_u8
    height, width = picture.shape[:2]
    half = 0.55 * max(box[2] - box[0], box[3] - box[1])
    middle = 0.5 * (box[:2] + box[2:])
    x0, y0 = (int(np.floor(max(0.0, c - half))) for c in middle)
    x1, y1 = (int(np.ceil(min(n, c + half))) for c, n in zip(middle, (width, height), strict=True))
    if min(x1 - x0, y1 - y0) < 32 or (x1 - x0) * (y1 - y0) > 0.7 * width * height:
        return []
    return [_pick(bundles, frame, HALF, likeness, (x0, y0, x1, y1))]
