"""Adds the layers `body` and `head`: the skeleton on the reference's bones and the coloured head sphere.

Reads   `clip` (size, rate, and for the camera the pictures) and `pose` of the driver; a reference photo, or `clip` and
        `pose` of a reference bundle.
Writes  `body`: joints, hands and bone ratios on the canvas, the skeleton maps, the reference cut to the canvas and its
        own map.  `head`: rotation, centre and radius, the sphere maps and the reference's own.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

STAGE = "render-spheres"
LAYERS = ("body", "head")
VERSION = 16
FRAMINGS = ("reference", "driver")
CAMERAS = ("driver", "still")
_MULTIPLE = 16
_MOST_SIDE = 4096
_MOST_STRENGTH = 3.0


@dataclass(frozen=True)
class Params:
    """Settings of render-spheres.

    ref        photo or bundle of the person to animate; "" = the driver's own first good frame
    framing    "reference": on the reference's picture, motion relative to it; "driver": at the driver's own place
    camera     "driver": the photo's background moves as the driver's camera does; "still": it stays, as it always does
               where the body moves less or more than the driver's (body_strength)
    size       canvas, "256" or "HEIGHTxWIDTH", multiples of 16; VAE and transformer see it averaged to about 128x128
    canonical  two user-made A-pose pictures (reference, driver) from which proportions are measured, or ()
    retarget   adjust bone lengths to the reference
    head_strength  how far the head turns from the reference's, times the driver's: 0 = locked, 1 = as the driver
    body_strength  how far body and hands move from the reference's pose, times the driver's; not with framing "driver"
    ref_person  which person of a reference photo: largest, center, left, right, or a number
    overwrite  replace layers made with other settings
    """

    ref: str = ""
    framing: str = "reference"
    camera: str = "driver"
    size: str = "256"
    canonical: tuple[str, ...] = ()
    retarget: bool = True
    head_strength: float = 1.0
    body_strength: float = 1.0
    ref_person: str = "largest"
    overwrite: bool = False


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one bundle: "skip" only when both layers are there.

    errors  UsageError: bad parameter. InputError: not a bundle, a layer or the reference is missing. ConflictError: a
            layer exists with other settings and not `overwrite`
    """
    canvas_size(params.size)
    if params.framing not in FRAMINGS:
        raise UsageError(f"--framing: found {params.framing!r}, expected one of {', '.join(FRAMINGS)}")
    if params.camera not in CAMERAS:
        raise UsageError(f"--camera: found {params.camera!r}, expected one of {', '.join(CAMERAS)}")
    if len(params.canonical) not in (0, 2):
        raise UsageError(f"--canonical: found {len(params.canonical)} pictures, expected two (reference, driver)")
    if params.canonical and not params.ref:
        raise UsageError("--canonical: found without --ref, expected a reference to bring the proportions to")
    for name in ("head_strength", "body_strength"):
        if not 0 <= getattr(params, name) <= _MOST_STRENGTH:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag}: found {getattr(params, name)}, expected 0 (locked) to {_MOST_STRENGTH:g}")
    if params.framing == "driver" and params.body_strength != 1:
        raise UsageError("--body-strength: with --framing driver the body stays at the driver's place, expected 1")
    if params.ref_person != "largest" and not Path(params.ref).is_file():
        raise UsageError("--ref-person: found without a photo in --ref; of a video it is extract-pose --person")
    _, key, inputs = _identity(item, params)
    actions = _actions(item, key, params).values()
    action = "skip" if set(actions) == {"skip"} else "replace" if "replace" in actions else "write"
    return Plan(action, key, str(item), inputs)


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of one bundle; data holds frames, heads, bodies, framing kind, the overall size of the ratios, and
    whether the camera moves.

    item      path of a bundle with the layers clip and pose
    progress  called with (frames done, frames, "controls")
    errors    those of `plan`; InputError when the reference or an A-pose picture shows nobody
    """
    from stages.bundle import make_provenance

    started = time.monotonic()
    todo = plan(item, params)
    if todo.action == "skip":
        return Record(STAGE, str(item), "skipped", todo.key, time.monotonic() - started)
    bundle, key, inputs = _identity(item, params)
    scene = _Scene(bundle, params)
    provenance = make_provenance(STAGE, VERSION, _decides(params), inputs, item=item)
    # a run that was killed between the two layers goes on with the second
    missing = [layer for layer, action in _actions(item, key, params).items() if action != "skip"]
    statuses = []
    if "body" in missing:
        statuses.append(_write_body(item, scene, key, provenance, params, progress))
    if "head" in missing:
        statuses.append(_write_head(item, scene, key, provenance, params))
    data = {
        "frames": len(scene.driver),
        "heads": int(scene.head.valid.sum()),
        "bodies": int(scene.composition.act.drawn.any(1).sum()),
        "kind": scene.composition.kind,
        "bone_ratio_median": round(scene.ratio_median, 4),
        "camera_moves": scene.camera_moves,
    }
    status = "replaced" if "replaced" in statuses else "written"
    return Record(STAGE, str(item), status, key, time.monotonic() - started, data=data)


def _actions(item, key: str, params: Params) -> dict[str, str]:
    """What has to be done with each layer."""
    from stages.bundle import plan_layer

    return {layer: plan_layer(item, layer, key, overwrite=params.overwrite).action for layer in LAYERS}


def canvas_size(text: str) -> tuple[int, int]:
    """(H, W) of "256" or "192x128". errors  UsageError"""
    match = re.fullmatch(r"(\d+)(?:x(\d+))?", text.strip().lower())
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if any(side % _MULTIPLE or not _MULTIPLE <= side <= _MOST_SIDE for side in size):
        raise UsageError(
            f"--size: found {text!r}, expected 256 or HEIGHTxWIDTH, multiples of {_MULTIPLE} up to {_MOST_SIDE}"
        )
    return size


class _Scene:
    """The driver, the reference and both on the canvas."""

    def __init__(self, bundle, params: Params) -> None:
        import numpy as np

        from stages.body.compose import compose, good_frame
        from stages.body.strength import head_turns
        from stages.media import clip_frames

        self.size = canvas_size(params.size)
        pose, attrs = _pose_of(bundle)
        self.driver, self.head = _person(pose, attrs)
        seen = np.asarray(pose["joint_valid"], bool)
        if params.ref:
            self.picture, self.ref_sha256, person, self.ref_head = _reference(params.ref, params.ref_person)
            reference = person
        else:
            reference = good_frame(self.driver)
            with clip_frames(bundle) as reader:
                self.picture = _frame_of(reader, max(reference, 0))
            self.ref_sha256 = None
            self.ref_head = _head_frame(self.head, max(reference, 0))
        self.composition = compose(
            self.driver,
            seen,
            reference,
            self.picture.shape[:2],
            self.size,
            framing=params.framing,
            bone_ratio=_canonical_ratio(params, self.driver, reference) if params.canonical else None,
            retarget=params.retarget,
            strengths=(params.body_strength, params.head_strength),
        )
        R = head_turns(self.head.R_cam_head, self.ref_head.R_cam_head[0], params.head_strength)
        self.head = replace(self.head, R_cam_head=R.astype(np.float32))
        alike = _alike(self.driver, reference, params)
        self.camera_affine = _camera(bundle, alike, len(self.driver), self.composition.driver_affine)
        self.camera_moves = bool(np.abs(self.camera_affine - np.eye(2, 3)).max(initial=0.0) > 0)
        self.ratio_median = float(np.median(self.composition.act.bone_ratio))
        self.radius_m = self.head.radius_m


def _alike(driver, reference, params: Params) -> int:
    """The driver's frame that the canvas shows as the reference was; -1 where the camera is not to be followed."""
    from stages.body.place import most_alike_frame

    if params.camera == "still" or params.body_strength != 1:
        return -1
    return max(reference, 0) if isinstance(reference, int) else most_alike_frame(driver, reference)


def _camera(bundle, alike: int, frames: int, affine):
    """float64 [T, 2, 3]: where the background of each frame of the canvas lies on the canvas at the frame `alike`."""
    import numpy as np

    from stages.body.camera import STILL, camera_moves, on_canvas, view_of
    from stages.media import clip_frames

    if alike < 0 or "media" not in bundle.array_names("clip"):  # a photo has no camera that moves
        return np.tile(STILL, (frames, 1, 1))
    with clip_frames(bundle) as reader:
        _frame_of(reader, frames - 1)
        anchor = view_of(_frame_of(reader, alike))
        moves = camera_moves((view_of(frame) for frame, _ in zip(reader, range(frames), strict=False)), anchor)
    return on_canvas(moves, affine)


def _write_body(item, scene, key, provenance, params, progress) -> str:
    import numpy as np

    from stages.body.compose import draw_body
    from stages.body.framing import cut, outside_px
    from stages.body.layer import body_specs
    from stages.body.lengths import BONE_NAMES
    from stages.body.matte import figure_matte
    from stages.body.surroundings import surrounded
    from stages.body.warp import ReferenceWarp
    from stages.bundle import LayerWriter

    composition, size = scene.composition, scene.size
    act, still = composition.act, composition.still
    specs = body_specs()
    ref_frame = cut(scene.picture, composition.ref_window)
    matte_01 = figure_matte(ref_frame)
    known = outside_px(composition.ref_window, *scene.picture.shape[:2]) <= 0
    ref_frame = surrounded(ref_frame, ~known, matte_01)
    reference = ReferenceWarp(ref_frame, still, scene.ref_head.R_cam_head[0], matte_01, known)
    attrs = {
        "canvas": {
            "size": list(size),
            "framing": params.framing,
            "kind": composition.kind,
            "driver_affine": composition.driver_affine.tolist(),
            "ref_affine": composition.ref_window.affine().tolist(),
            "K_px": act.K_px.tolist(),
            "aligned_frame": act.frame,
            "camera": "driver" if scene.camera_moves else "still",
        },
        "ref": {"path": params.ref, "sha256": scene.ref_sha256} if params.ref else None,
        "bones": list(BONE_NAMES),
        "cut_out_by": "matte" if reference.matted else "limbs",
    }
    with LayerWriter(item, "body", key=key, attrs=attrs, provenance=provenance, overwrite=params.overwrite) as writer:
        maps = writer.stream("map", (*size, 3), specs["map"], length=len(act.drawn))
        warps = writer.stream("warp", (*size, 3), specs["warp"], length=len(act.drawn))
        kinds = writer.stream("warp_kind", size, specs["warp_kind"], length=len(act.drawn))
        for frame in range(len(act.drawn)):
            maps.append(draw_body(act, frame, size)[None])
            carried, kind = reference.to_pose(act, frame, scene.head.R_cam_head[frame], scene.camera_affine[frame])
            warps.append(carried[None])
            kinds.append(kind[None])
            if progress is not None:
                progress(frame + 1, len(act.drawn), "controls")
        arrays = {
            "joints_px": act.joints_px.astype(np.float32),
            "joints_m": act.points_m.astype(np.float32),
            "joints_valid": act.drawn,
            "hands_px": act.hands_px.astype(np.float32),
            "hands_valid": act.hands_drawn,
            "valid": act.drawn.any(1) | act.hands_drawn.any(1),
            "camera_affine": scene.camera_affine.astype(np.float32),
            "bone_ratio": act.bone_ratio.astype(np.float32),
            "ref_joints_px": still.joints_px.astype(np.float32),
            "ref_joints_m": still.points_m.astype(np.float32),
            "ref_joints_valid": still.drawn,
            "ref_hands_px": still.hands_px.astype(np.float32),
            "ref_hands_valid": still.hands_drawn,
            "ref_frame": ref_frame[None],
            "ref_matte": np.rint(255.0 * matte_01).astype(np.uint8)[None],
            "ref_known": known[None],
            "ref_map": draw_body(still, 0, size)[None],
        }
        for name, array in arrays.items():
            writer.put(name, array, specs[name])
        return writer.commit()


def _write_head(item, scene, key, provenance, params) -> str:
    import numpy as np

    from stages.bundle import LayerWriter
    from stages.head.layer import head_specs
    from stages.head.sphere import draw_sphere

    act, still, size, head = scene.composition.act, scene.composition.still, scene.size, scene.head
    specs = head_specs()
    placed = np.isfinite(act.head_px).all(-1) & np.isfinite(act.head_radius_px)
    valid = head.valid & placed
    center = np.where(valid[:, None], act.head_px, np.nan)
    radius = np.where(valid, act.head_radius_px, np.nan)
    attrs = {"size": list(size), "source": {"0": "none", "1": "face", "2": "body"}}
    with LayerWriter(item, "head", key=key, attrs=attrs, provenance=provenance, overwrite=params.overwrite) as writer:
        maps = writer.stream("map", (*size, 3), specs["map"], length=len(valid))
        for frame in range(len(valid)):
            maps.append(draw_sphere(center[frame], radius[frame], head.R_cam_head[frame], *size)[None])
        ref_map = draw_sphere(still.head_px[0], still.head_radius_px[0], scene.ref_head.R_cam_head[0], *size)
        arrays = {
            "R_cam_head": np.where(valid[:, None, None], head.R_cam_head, np.nan).astype(np.float32),
            "center_px": center.astype(np.float32),
            "radius_px": radius.astype(np.float32),
            "radius_m": np.float32(scene.radius_m),
            "valid": valid,
            "source": np.where(valid, head.source, 0).astype(np.uint8),
            "ref_R_cam_head": scene.ref_head.R_cam_head[0].astype(np.float32),
            "ref_center_px": still.head_px[0].astype(np.float32),
            "ref_radius_px": np.float32(still.head_radius_px[0]),
            "ref_map": ref_map[None],
        }
        for name, array in arrays.items():
            writer.put(name, np.asarray(array), specs[name])
        return writer.commit()


def _pose_of(bundle):
    """The arrays of a bundle's pose layer that this stage needs, and its attributes with fps."""
    from fractions import Fraction

    names = ("joints_px", "joints_m", "joint_score", "joint_valid", "hands_px", "hand_valid", "face_px", "face_score",
             "face_valid", "present", "K_px", "transl_m")  # fmt: skip
    pose = {name: bundle.read("pose", name) for name in names}
    if "R_cam_head" in bundle.array_names("pose"):  # said by `mix` or by hand, not to be measured
        pose["R_cam_head"] = bundle.read("pose", "R_cam_head")
    clip = bundle.attrs("clip")
    return pose, {"face_layout": bundle.attrs("pose")["face_layout"], "fps": float(Fraction(clip["fps"]))}


def _person(pose, attrs):
    """(Person, HeadTrack) of a pose layer."""
    from stages.body.person import make_person
    from stages.head.track import track_head, turned_as_told

    head = turned_as_told(track_head(pose, pose["K_px"], attrs["face_layout"]), pose.get("R_cam_head"))
    placed = {"R_cam_head": head.R_cam_head, "center_px": head.center_px, "radius_px": head.radius_px}
    return make_person(pose, pose["K_px"], attrs["fps"], placed | {"radius_m": head.radius_m}), head


def _reference(ref: str, ref_person: str):
    """(picture, sha256 or layer key, Person of one frame, HeadTrack of one frame) of a photo or a bundle."""
    from stages.body.compose import good_frame

    if Path(ref).is_dir():
        from stages.bundle import open_bundle
        from stages.media import clip_frames

        bundle = open_bundle(ref)
        bundle.require("clip", "pose")
        person, head = _person(*_pose_of(bundle))
        frame = good_frame(person)
        if frame < 0:
            raise InputError(f"{ref}: no person found in the reference. Take a picture that shows the person")
        with clip_frames(bundle) as reader:
            picture = _frame_of(reader, frame)
        return picture, bundle.key("pose"), person.frame(frame), _head_frame(head, frame)
    from stages.media import read_photo

    picture = read_photo(ref)
    person, head = _person(*_photo_pose(picture, ref_person))
    if good_frame(person) < 0:
        raise InputError(f"{ref}: no person found in the reference. Take a picture that shows the person")
    return picture, _sha256(ref), person, head


def _canonical_ratio(params: Params, driver, reference):
    """(ratio, overall): proportions from two A-pose pictures, overall size from the clip and the reference."""
    from stages.body.lengths import compare_bones, flat_lengths
    from stages.media import read_photo

    found = []
    for path in params.canonical:
        pose, _ = _photo_pose(read_photo(path))
        found.append(flat_lengths(pose["joints_px"][0], pose["joint_score"][0] * pose["joint_valid"][0]))
        if not found[-1].trust_01.any():
            raise InputError(f"{path}: no person found. --canonical takes two pictures of people in an A-pose")
    ratio, size = compare_bones(*found, spread=0.03)
    _, overall = compare_bones(reference.bones(), driver.bones())
    return ratio * overall / size, overall


def _photo_pose(picture, person: str = "largest"):
    """(pose arrays, attributes) of one picture by the default backend."""
    from stages.pose.photo import track_photo

    return track_photo(picture, person=person)


def _head_frame(head, frame: int):
    """One frame of a HeadTrack."""
    from dataclasses import replace

    names = ("R_cam_head", "center_px", "radius_px", "valid", "source")
    return replace(head, **{name: getattr(head, name)[frame : frame + 1] for name in names})


def _frame_of(reader, frame: int):
    """uint8 [H, W, 3] of one frame of a reader."""
    if frame >= len(reader):
        raise InputError(f"frame {frame}: not among the clip's {len(reader)}; clip and pose must be of one run")
    return reader.frame(frame)


def _identity(item: str | os.PathLike[str], params: Params):
    """(bundle, key, inputs) of the layers these parameters would make."""
    from stages.bundle import layer_key, open_bundle

    bundle = open_bundle(item)
    bundle.require("clip", "pose")
    inputs = {"clip": bundle.key("clip"), "pose": bundle.key("pose")}
    if params.ref and Path(params.ref).is_dir():
        reference = open_bundle(params.ref)
        reference.require("clip", "pose")
        inputs |= {"ref": reference.key("pose")}
    elif params.ref:
        inputs |= {"ref": _sha256(params.ref)}
    inputs |= {f"canonical_{index}": _sha256(path) for index, path in enumerate(params.canonical)}
    return bundle, layer_key(STAGE, VERSION, _decides(params), inputs), inputs


def _decides(params: Params) -> dict[str, object]:
    """The parameters that decide the bytes; pictures count by their content, not by their path.

    What came later counts only where it is not as it always was, so that layers of before stay good.
    """
    later = {"head_strength": 1.0, "body_strength": 1.0, "ref_person": "largest", "camera": "driver"}
    changed = {name: getattr(params, name) for name, usual in later.items() if getattr(params, name) != usual}
    return {"framing": params.framing, "size": list(canvas_size(params.size)), "retarget": params.retarget, **changed}


def _sha256(path: str) -> str:
    from stages.weights.checkpoint import file_sha256

    if not Path(path).is_file():
        raise InputError(f"{path}: no such file, expected a photo or a bundle (--ref) or a picture (--canonical)")
    return file_sha256(Path(path))
