"""The cases of a suite: a reference, a driver's exact controls on its canvas, and the film that should come out.

Controls are drawn by the code of `render-spheres` from the exact truth of the bundles, so that the numbers are those of
the method and not of the tracker; the driver's face is the exact crop, cut from the samples behind the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages.body.camera import STILL, camera_moves, on_canvas, view_of
from stages.body.compose import Composition, compose, draw_body
from stages.body.framing import Window, cut
from stages.body.matte import figure_matte
from stages.body.person import Person, make_person
from stages.body.place import Performance, own_performance
from stages.body.several import Choice, SeveralWarps, carry_several
from stages.body.warp import warp_reference
from stages.bundle import open_bundle
from stages.core.errors import UsageError
from stages.core.geometry import euler_yaw_pitch_roll_rad
from stages.core.headpose import yaw_order
from stages.head.sphere import draw_sphere
from stages.synthetic.seeds import bundle_name
from stages.synthetic.suite import APART_S, KINDS, Suite, reference_order

_FACING = 0.35  # cosine between face and camera below which a face is not read, as in training
_FILM = ("joints_px", "joints_m", "transl_m", "hands_px", "R_cam_head", "head_center_px", "head_radius_px", "frames")
_ONCE = ("K_px", "head_radius_m", "times_s")
_HELD = 8  # frames for which an aligned driver stays as the reference was, longer than feet are smoothed


@dataclass(frozen=True)
class Case:
    """One case; T frames, R references, side S px.

    name         FRAMING-NUMBER;  framing  portrait, half, full
    truth_u8     uint8 [T, S, S, 3]   what should come out
    maps         uint8 [T, S, S, 6]   skeleton map, then sphere map
    ref_frames   uint8 [R, S, S, 3]   the references on the canvas, the best first;  ref_maps uint8 [R, S, S, 6]
    warp_frames  uint8 [T, S, S, 3]   the first reference carried to every pose;  warp_kind uint8 [T, S, S]
    crops_u8     uint8 [T, c, c, 3]   the driver's face;  face_valid bool [T] it looks far enough to the camera
    head         center_px [T, 2], radius_px [T], R_cam_head [T, 3, 3] of the spheres
    ref_heads    of each reference: center_px [2], radius_px, R_cam_head [3, 3]
    act, stills  Performance on the canvas of the film and of each reference (see `carried`)
    moves        float [T, 2, 3] of the background, px of the canvas to px of the first reference
    """

    name: str
    framing: str
    truth_u8: np.ndarray
    maps: np.ndarray
    ref_frames: np.ndarray
    ref_maps: np.ndarray
    warp_frames: np.ndarray
    warp_kind: np.ndarray
    crops_u8: np.ndarray
    face_valid: np.ndarray
    head: tuple[np.ndarray, np.ndarray, np.ndarray]
    ref_heads: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    act: Performance
    stills: tuple[Performance, ...]
    moves: np.ndarray

    def carried(self, references: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first so many references carried as one: frames uint8 [T, S, S, 3], kind uint8 [T, S, S], and the share
        of each reference in the head, float32 [T, references]."""
        if references == 1:
            return self.warp_frames, self.warp_kind, np.ones((len(self.maps), 1), np.float32)
        pictures, rotations = self.ref_frames[:references], [head[2] for head in self.ref_heads[:references]]
        mattes = [figure_matte(picture) for picture in pictures]
        warps = SeveralWarps(pictures, self.stills[:references], rotations, mattes)
        choice: Choice = warps.choose(self.act, self.head[2])
        carried = carry_several(warps, self.act, self.head[2], choice, self.moves)
        frames, kinds = (np.stack(column) for column in zip(*carried, strict=True))
        return frames, kinds, choice.head(len(frames), references)


def case_name(framing: str, number: int) -> str:
    """The name of a case, that of its films."""
    return f"{framing}-{number:06d}"


def open_case(folder: str, suite: Suite, number: int, kind: str, *, references: int = 1) -> Case:
    """The case of one clip of a suite.

    folder      of the bundles;  number  of the clip in its split
    kind        self: its own motion drives.  cross: the person of the partner's bundle drives, brought onto the bones,
                head and place of the reference; the canvas then is the one render-spheres would cut. Where the person
                stands is then a guess: the driver's most alike frame is laid on the reference, and the truth may have
                walked on between the two.  cross-aligned: the same, with a driver whose film begins with the moment
                that the reference shows (not part of the case), so that the place is told
    references  how many of them are taken: the first of `reference_order`, then those turned farthest to either side
    errors      UsageError: unknown kind, more references than there are. InputError: a bundle is missing or damaged
    """
    if kind not in KINDS:
        raise UsageError(f"kind: found {kind!r}, expected one of {', '.join(KINDS)}")
    if not 1 <= references <= suite.references:
        raise UsageError(f"references: found {references}, suite {suite.name} has 1..{suite.references}")
    own = _truth(Path(folder) / bundle_name(suite.split, number, cross=False))
    stills = {name: own[f"ref_{name}"] for name in (*_FILM, "times_s")}
    order = _spread(own, stills)[:references]
    people = [_person(stills, own, suite, slice(index, index + 1)) for index in order]
    if kind == "self":
        driver, composition = own, _in_place(_person(own, own, suite), people[0], suite.size)
        moves = camera_moves(map(view_of, own["frames"]), view_of(stills["frames"][order[0]]))
    else:
        driver = _truth(Path(folder) / bundle_name(suite.split, number, cross=True))
        size = (suite.size, suite.size)
        held = _HELD if kind == "cross-aligned" else 0
        film = _begun_with_reference(driver, order[0], held)
        performer = _person(film, driver, suite)
        composition = compose(performer, _seen(film, suite.size), people[0], size, size, framing="reference")
        moves = np.tile(STILL, (len(film["frames"]), 1, 1))
        if composition.act.frame >= 0:
            alike = view_of(film["frames"][composition.act.frame])
            moves = on_canvas(camera_moves(map(view_of, film["frames"]), alike), composition.driver_affine)
        moves = moves[held:]
        composition = replace(composition, act=_without_first(composition.act, held))
    window = composition.ref_window
    ref_frames = np.stack([cut(stills["frames"][index], window) for index in order])
    ref_rotations = stills["R_cam_head"][order]
    rotations = driver["R_cam_head"]
    placed = composition.still, ref_rotations[0], composition.act, rotations
    carried = warp_reference(ref_frames[0], *placed, figure_matte(ref_frames[0]), moves)
    warp_frames, warp_kind = (np.stack(column) for column in zip(*carried, strict=True))
    framing = suite.numbers()[number]
    placed = tuple(_placed(person, window) for person in people)
    return Case(
        name=case_name(framing, number),
        framing=framing,
        truth_u8=np.stack([cut(frame, window) for frame in own["frames"]]),
        maps=_maps(composition.act, rotations, suite.size),
        ref_frames=ref_frames,
        ref_maps=np.concatenate([
            _maps(still, ref_rotations[index : index + 1], suite.size) for index, still in enumerate(placed)
        ]),
        warp_frames=warp_frames,
        warp_kind=warp_kind,
        crops_u8=driver["face_crops"],
        face_valid=rotations[:, 2, 2] > _FACING,
        head=(composition.act.head_px, composition.act.head_radius_px, rotations),
        ref_heads=tuple(
            (still.head_px[0], still.head_radius_px[0], rotation)
            for still, rotation in zip(placed, ref_rotations, strict=True)
        ),
        act=composition.act,
        stills=placed,
        moves=moves,
    )  # fmt: skip


def _truth(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a bundle's truth that a case needs, by name."""
    bundle = open_bundle(path)
    bundle.require("truth")
    names = (*_FILM, *_ONCE, "face_crops", *(f"ref_{name}" for name in (*_FILM, "times_s")))
    return {name: bundle.read("truth", name) for name in names}


def _spread(own: dict[str, np.ndarray], stills: dict[str, np.ndarray]) -> list[int]:
    """Numbers of the references in the order they are taken: the first as the suite says, then by the paper's rule
    those of other moments whose heads turn farthest to either side."""
    order = reference_order(own["times_s"], stills["times_s"], stills["R_cam_head"])
    apart = np.maximum(own["times_s"][0] - stills["times_s"], stills["times_s"] - own["times_s"][-1])
    yaw = np.degrees(euler_yaw_pitch_roll_rad(stills["R_cam_head"])[:, 0])
    return yaw_order(np.where((apart >= APART_S) | (np.arange(len(yaw)) == order[0]), yaw, np.nan), order[0])


def _begun_with_reference(truth: dict[str, np.ndarray], index: int, frames: int) -> dict[str, np.ndarray]:
    """The film's arrays with so many frames of one of its references before them."""
    return {
        name: np.concatenate([np.repeat(truth[f"ref_{name}"][index : index + 1], frames, 0), truth[name]])
        for name in _FILM
    }


def _without_first(act: Performance, frames: int) -> Performance:
    """The Performance without its first frames."""
    names = ("joints_px", "points_m", "drawn", "hands_px", "hands_drawn", "head_px", "head_radius_px")
    cut_off = {name: getattr(act, name)[frames:] for name in names}
    return replace(act, **cut_off, frame=act.frame - frames if act.frame >= frames else -1)


def _seen(truth: dict[str, np.ndarray], size: int) -> np.ndarray:
    """bool [T, J]: the joint lies inside the picture."""
    return ((truth["joints_px"] >= 0) & (truth["joints_px"] <= size - 1)).all(-1)


def _person(
    frames: dict[str, np.ndarray], film: dict[str, np.ndarray], suite: Suite, pick: slice = slice(None)
) -> Person:
    """The Person of some frames of exact truth; `film` has what all frames share."""
    frames = {name: frames[name][pick] for name in _FILM}
    seen = _seen(frames, suite.size)
    pose = {
        "present": np.ones(len(seen), bool),
        "joint_valid": seen,
        "joint_score": np.ones(seen.shape, np.float32),
        "hand_valid": np.ones((len(seen), 2), bool),
        **{name: frames[name] for name in ("joints_px", "joints_m", "transl_m", "hands_px")},
    }
    head = {
        "R_cam_head": frames["R_cam_head"],
        "center_px": frames["head_center_px"],
        "radius_px": frames["head_radius_px"],
        "radius_m": float(film["head_radius_m"]),
    }
    return make_person(pose, film["K_px"], suite.fps, head)


def _in_place(driver: Person, still: Person, size: int) -> Composition:
    """Nothing is moved: the picture is the canvas."""
    whole = Window(1.0, (0.0, 0.0), size, size)
    return Composition(own_performance(driver), own_performance(still), whole, np.eye(2, 3), "")


def _placed(person: Person, window: Window) -> Performance:
    """The Performance of a reference on the canvas."""
    act = own_performance(person)
    return replace(
        act,
        joints_px=window.points(act.joints_px),
        hands_px=window.points(act.hands_px),
        head_px=window.points(act.head_px),
        head_radius_px=act.head_radius_px * window.scale,
    )


def _maps(act: Performance, rotations: np.ndarray, size: int) -> np.ndarray:
    """uint8 [T, S, S, 6] skeleton and sphere maps of a Performance and its head rotations."""
    return np.stack([
        np.concatenate([
            draw_body(act, frame, (size, size)),
            draw_sphere(act.head_px[frame], act.head_radius_px[frame], rotations[frame], size, size),
        ], -1)
        for frame in range(len(act.drawn))
    ])  # fmt: skip
