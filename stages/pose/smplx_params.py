"""SMPL-X parameters from the files that estimators and motion libraries write, under one set of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError

# Names under which tools store the same thing: smplx itself, AMASS, SMPLer-X and SMPLest-X.
_ALIASES: dict[str, tuple[str, ...]] = {
    "global_orient": ("global_orient", "root_orient", "smplx_root_pose", "root_pose"),
    "body_pose": ("body_pose", "pose_body", "smplx_body_pose"),
    "left_hand_pose": ("left_hand_pose", "smplx_lhand_pose", "lhand_pose"),
    "right_hand_pose": ("right_hand_pose", "smplx_rhand_pose", "rhand_pose"),
    "jaw_pose": ("jaw_pose", "pose_jaw", "smplx_jaw_pose"),
    "leye_pose": ("leye_pose",),
    "reye_pose": ("reye_pose",),
    "betas": ("betas", "shape", "smplx_shape"),
    "expression": ("expression", "expr", "smplx_expr"),
    "transl": ("transl", "trans", "cam_trans", "smplx_transl"),
}
_WIDTHS = {"global_orient": 3, "body_pose": 63, "left_hand_pose": 45, "right_hand_pose": 45, "jaw_pose": 3,
           "leye_pose": 3, "reye_pose": 3, "transl": 3}  # fmt: skip
_RATES = ("mocap_frame_rate", "mocap_framerate", "fps")
_TURNS = {  # world axes to camera axes (x right, y down, z forward)
    "camera": np.eye(3),
    "y-up": np.diag([1.0, -1.0, -1.0]),
    "z-up": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]),
}


@dataclass(frozen=True)
class SmplxParams:
    """A motion as SMPL-X parameters.

    poses       name -> float32 [T, n]: global_orient 3, body_pose 63, jaw_pose, leye_pose, reye_pose 3,
                left_hand_pose, right_hand_pose 45 rotation vectors (radians) or fewer PCA values
    betas       float32 [T, n] shape;  expression float32 [T, n]
    transl      float32 [T, 3] metres, or None
    axes        camera | y-up | z-up, the axes of global_orient and transl
    flat_hands  True: hand rotations count from the flat hand (AMASS); False: from the model's mean hand
    fps         frames a second that the file states, or None
    K_px        float64 [3, 3] that the file states, or None
    """

    poses: Mapping[str, np.ndarray]
    betas: np.ndarray
    expression: np.ndarray
    transl: np.ndarray | None
    axes: str
    flat_hands: bool
    fps: float | None
    K_px: np.ndarray | None

    def __len__(self) -> int:
        return len(self.poses["global_orient"])

    @property
    def turn(self) -> np.ndarray:
        """float64 [3, 3] from the file's axes to camera axes."""
        return _TURNS[self.axes]


def read_params(path: str | Path, axes: str = "auto", hands: str = "auto") -> SmplxParams:
    """The parameters in an .npz file, or in a folder of one-frame .npz files in the order of their names.

    axes   auto | camera | y-up | z-up; auto: z-up for AMASS files (a `poses` array), else camera
    hands  auto | flat | mean; auto: flat for AMASS files, else mean (the default of smplx, SMPLer-X and SMPLest-X)
    errors InputError: missing, not .npz, objects inside (pickles are never loaded), wrong shapes, not finite
    """
    path = Path(path)
    if axes not in ("auto", *_TURNS) or hands not in ("auto", "flat", "mean"):
        raise InputError(f"{path}: axes {axes}, hands {hands}; expected auto, camera, y-up, z-up and auto, flat, mean")
    data = _load_folder(path) if path.is_dir() else load_arrays(path)
    amass = "poses" in data
    named = _split_amass(data["poses"], path) if amass else {}
    for name, aliases in _ALIASES.items():
        found = next((alias for alias in aliases if alias in data), None)
        if found is not None and name not in named:
            named[name] = data[found]
    missing = [n for n in ("global_orient", "body_pose") if n not in named]
    if missing:
        raise InputError(
            f"{path}: no {' and no '.join(missing)}, found {sorted(data)[:12]}. Expected SMPL-X parameters"
        )
    frames = len(np.asarray(named["body_pose"]).reshape(-1, 63)) if named["body_pose"].size % 63 == 0 else 0
    if frames == 0:
        raise InputError(f"{path}: body_pose {named['body_pose'].shape}, expected [T, 63] or [T, 21, 3]")
    flat = {name: _per_frame(name, value, frames, path) for name, value in named.items()}
    poses = {name: flat.get(name, np.zeros((frames, width), np.float32)) for name, width in _WIDTHS.items()}
    poses.pop("transl")
    rate = next((float(np.asarray(data[name]).reshape(-1)[0]) for name in _RATES if name in data), None)
    return SmplxParams(
        poses=poses,
        betas=flat.get("betas", np.zeros((frames, 10), np.float32)),
        expression=flat.get("expression", np.zeros((frames, 10), np.float32)),
        transl=flat.get("transl"),
        axes=("z-up" if amass else "camera") if axes == "auto" else axes,
        flat_hands=amass if hands == "auto" else hands == "flat",
        fps=rate if rate and rate > 0 else None,
        K_px=_camera(data, path),
    )


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """The plain arrays of an .npz file; arrays of objects are left out, because loading them would run a pickle."""
    if path.suffix.lower() != ".npz":
        raise InputError(
            f"{path}: expected an .npz file. Pickles (.pkl, .pt) are not loaded; save the arrays with numpy"
        )
    try:
        out = {}
        with np.load(path, allow_pickle=False) as data:
            for name in data.files:
                try:
                    out[name] = data[name]
                except ValueError as error:
                    if "Object arrays" not in str(error):
                        raise
        return out
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise InputError(f"{path}: not a readable .npz file ({error})") from error
    except Exception as error:  # zipfile has errors of its own for damaged archives
        raise InputError(f"{path}: damaged archive ({error})") from error


def _load_folder(folder: Path) -> dict[str, np.ndarray]:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".npz" and not p.name.startswith("."))
    if not files:
        raise InputError(f"{folder}: no .npz files, expected one a frame")
    frames = [load_arrays(file) for file in files]
    names = set(frames[0])
    for file, frame in zip(files, frames, strict=True):
        if set(frame) != names:
            raise InputError(f"{file}: other arrays than in {files[0].name}, expected the same in every frame")
    try:
        return {name: np.stack([np.squeeze(frame[name]) for frame in frames]) for name in names}
    except ValueError as error:
        raise InputError(f"{folder}: shapes differ between frames ({error})") from error


def _split_amass(poses: np.ndarray, path: Path) -> dict[str, np.ndarray]:
    """`poses` of AMASS: 165 values a frame (SMPL-X), 156 (SMPL-H: the same without jaw and eyes) or 66 (body)."""
    poses = np.asarray(poses)
    if poses.ndim != 2 or poses.shape[1] not in (66, 156, 165):
        raise InputError(f"{path}: poses {poses.shape}, expected [T, 165], [T, 156] or [T, 66]")
    parts = {"global_orient": poses[:, :3], "body_pose": poses[:, 3:66]}
    if poses.shape[1] == 165:
        parts |= {"jaw_pose": poses[:, 66:69], "leye_pose": poses[:, 69:72], "reye_pose": poses[:, 72:75]}
    if poses.shape[1] >= 156:
        parts |= {"left_hand_pose": poses[:, -90:-45], "right_hand_pose": poses[:, -45:]}
    return parts


def _per_frame(name: str, value: np.ndarray, frames: int, path: Path) -> np.ndarray:
    """float32 [T, n]; what is given once (betas) counts for every frame."""
    value = np.asarray(value)
    if value.dtype.kind not in "fiu" or not np.isfinite(value).all():
        raise InputError(f"{path}: {name} holds something else than finite numbers")
    if name in ("betas", "expression") and value.ndim == 1 and (frames == 1 or len(value) != frames):
        value = value[None]
    if value.size % frames == 0 and len(value) == frames:
        flat = value.reshape(frames, -1)
    elif frames == 1:
        flat = value.reshape(1, -1)
    elif len(value) == 1:
        flat = np.repeat(value.reshape(1, -1), frames, axis=0)
    else:
        raise InputError(f"{path}: {name} {value.shape}, expected {frames} frames as body_pose has")
    width = _WIDTHS.get(name)
    if width is not None and flat.shape[1] != width and not (name.endswith("hand_pose") and flat.shape[1] < 45):
        raise InputError(f"{path}: {name} has {flat.shape[1]} values a frame, expected {width}")
    return flat.astype(np.float32)


def _camera(data: Mapping[str, np.ndarray], path: Path) -> np.ndarray | None:
    """K_px from `K` or `cam_intrinsics` [3, 3], or from `focal` and `princpt` [2]; the first frame counts."""
    for name in ("K", "K_px", "cam_intrinsics", "intrinsics"):
        if name in data and np.asarray(data[name]).size >= 9:
            return np.asarray(data[name], np.float64).reshape(-1, 3, 3)[0]
    if "focal" in data and "princpt" in data:
        focal = np.asarray(data["focal"], np.float64).reshape(-1)
        point = np.asarray(data["princpt"], np.float64).reshape(-1)
        if len(focal) < 2 or len(point) < 2 or not (focal[:2] > 0).all():
            raise InputError(f"{path}: focal {focal[:2]} and princpt {point[:2]}, expected two numbers each")
        return np.array([[focal[0], 0, point[0]], [0, focal[1], point[1]], [0, 0, 1.0]])
    return None
