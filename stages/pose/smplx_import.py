"""Track from SMPL-X parameters through the `smplx` package and a model file of the user.

The package's code and the model are for non-commercial research only (LICENCE), so both are optional and neither is
fetched. The package would unpickle arrays of objects inside a model file: it is given a copy without them.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, WeightsError
from stages.core.geometry import default_K_px, project_px, rotvec_to_matrix
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, HAND_JOINTS, HANDS
from stages.pose import wholebody
from stages.pose.smplx_params import SmplxParams, load_arrays, read_params
from stages.pose.track import PoseTrack, empty_arrays

LICENCE = (
    "SMPL-X code and model: Max Planck licence for non-commercial scientific research; "
    "terms at smpl-x.is.tue.mpg.de/modellicense"
)
_NEEDED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f", "hands_componentsl",
           "hands_componentsr", "hands_meanl", "hands_meanr", "lmk_faces_idx", "lmk_bary_coords")  # fmt: skip
_CONTOUR = ("dynamic_lmk_faces_idx", "dynamic_lmk_bary_coords")
_TIPS = {"thumb4": "thumb", "index4": "index", "middle4": "middle", "ring4": "ring", "pinky4": "pinky"}
_BATCH = 32
_FILL_SHARE = 0.8


def import_smplx(
    path: str | Path,
    model: str | Path,
    *,
    fps: float | None = None,
    size: tuple[int, int] = (1280, 720),
    K_px: np.ndarray | None = None,
    axes: str = "auto",
    hands: str = "auto",
) -> tuple[PoseTrack, np.ndarray]:
    """The track of the motion in an .npz of SMPL-X parameters, and the camera K_px float64 [3, 3] it is seen through.

    path   see `read_params`;  model  SMPLX_*.npz;  axes, hands  see `read_params`
    fps    frames a second wanted; None = those of the file, else 25. Another rate takes the nearest frames
    size   (H, W) of the picture;  K_px  None = of the file, else `default_K_px`
    Every joint counts as seen with score 1 where it lies inside the picture. Motions in world axes, and those without
    transl, get a camera of our choice: in front of the person's mean facing direction, the path centred, the person
    filling 80 % of the picture.
    errors InputError for the parameters, WeightsError for package or model
    """
    params = read_params(path, axes, hands)
    rate = params.fps or fps or 25.0
    fps = fps or rate
    count = max(1, round(len(params) * fps / rate))
    index = np.clip(np.round(np.arange(count) * rate / fps).astype(int), 0, len(params) - 1)
    points, names, weights = run_model(params, Path(model), index)
    points = points @ params.turn.T
    K_px = K_px if K_px is not None else params.K_px
    K_px = default_K_px(*size) if K_px is None else np.asarray(K_px, np.float64)
    if params.axes != "camera" or params.transl is None:
        points = _stage(points, names, size, K_px)
    if not (points[..., 2] > 0.05).all():
        raise InputError(f"{path}: the body reaches behind the camera. Give the axes: camera, y-up or z-up")
    return as_track(points, names, K_px, size, fps, weights), K_px


def run_model(params: SmplxParams, model: Path, index: np.ndarray) -> tuple[np.ndarray, dict[str, int], dict]:
    """Points of the frames `index` float64 [n, P, 3] in the file's axes, the place of each name, the weights used."""
    smplx, torch = _import_smplx()
    arrays = check_model(model)
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder, contextlib.redirect_stdout(io.StringIO()):
        plain = Path(folder) / "SMPLX_NEUTRAL.npz"
        np.savez(plain, **arrays)
        hand_width = params.poses["left_hand_pose"].shape[1]
        layer = smplx.SMPLX(
            str(plain), ext="npz", use_pca=hand_width < 45, num_pca_comps=min(hand_width, 45),
            flat_hand_mean=params.flat_hands, num_betas=params.betas.shape[1], batch_size=1,
            num_expression_coeffs=params.expression.shape[1],
            use_face_contour=all(name in arrays for name in _CONTOUR),
        )  # fmt: skip
    inputs = {**params.poses, "betas": params.betas[:, : layer.num_betas]}
    inputs["expression"] = params.expression[:, : layer.num_expression_coeffs]
    if params.transl is not None:
        inputs["transl"] = params.transl
    out = []
    with torch.no_grad():
        for start in range(0, len(index), _BATCH):
            part = index[start : start + _BATCH]
            layer.batch_size = len(part)
            batch = {name: torch.from_numpy(np.ascontiguousarray(value[part])) for name, value in inputs.items()}
            out.append(layer(**batch, return_verts=False).joints.numpy().astype(np.float64))
    points = np.concatenate(out)
    names = {name: i for i, name in enumerate(smplx.joint_names.JOINT_NAMES[: points.shape[1]])}
    with open(model, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return points, names, {"smplx": {"sha256": digest, "licence": LICENCE, "package": f"file {model.name}"}}


def check_model(model: Path) -> dict[str, np.ndarray]:
    """The plain arrays of a model file that the body needs; WeightsError with the remedy otherwise."""
    if not model.is_file():
        raise WeightsError(
            f"{model}: no such model. Get SMPLX_NEUTRAL.npz from its makers and give its path. {LICENCE}"
        )
    try:
        arrays = load_arrays(model)
    except InputError as error:
        raise WeightsError(f"{error}. Expected SMPLX_NEUTRAL.npz. {LICENCE}") from error
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        raise WeightsError(f"{model}: lacks {', '.join(missing)}, expected an SMPL-X model as .npz. {LICENCE}")
    return {name: arrays[name] for name in (*_NEEDED, *_CONTOUR) if name in arrays}


def as_track(
    points: np.ndarray, names: dict[str, int], K_px: np.ndarray, size: tuple[int, int], fps: float, weights: dict
) -> PoseTrack:
    """The track of named points float64 [T, P, 3] in the camera frame, metres. Hips and all are rotation centres."""
    arrays = empty_arrays(len(points), "ibug68")
    height, width = size
    body = np.full((len(points), len(BODY_JOINTS), 3), np.nan)
    for joint in BODY_JOINTS[:23]:
        body[:, BODY_INDEX[joint]] = points[:, names[joint]]
    score = np.ones(body.shape[:2])
    for t in range(len(points)):
        wholebody.add_middles(body[t], score[t])
    joints_px = project_px(body, K_px)
    hands = np.stack([points[:, _hand_places(names, side)] for side in HANDS], axis=1)
    hands_px = project_px(hands, K_px)

    def inside(px):
        return ((px >= -0.5) & (px <= np.array([width, height]) - 0.5)).all(-1)

    arrays["joints_px"][:], arrays["joints_m"][:] = joints_px, body - body[:, BODY_INDEX["pelvis"]][:, None]
    arrays["joint_score"][:], arrays["joint_valid"][:] = score, inside(joints_px)
    arrays["hands_px"][:], arrays["hands_m"][:] = hands_px, hands - hands[:, :, :1]
    arrays["hand_score"][:] = inside(hands_px).mean(-1)
    arrays["hand_valid"][:] = arrays["hand_score"] >= 0.5
    face = points[:, _face_places(names)]
    if "contour_middle" not in names:
        face[:, :17] = np.nan
    arrays["face_px"][..., :2] = project_px(face, K_px)
    depth = face[..., 2] - np.nanmean(face[..., 2], axis=1, keepdims=True)
    arrays["face_px"][..., 2] = depth * K_px[0, 0] / np.nanmean(face[..., 2], axis=1, keepdims=True)
    arrays["face_score"][:] = inside(arrays["face_px"][:, 17:, :2]).mean(-1)
    arrays["face_valid"][:] = arrays["face_score"] >= 0.5
    arrays["present"][:] = arrays["joint_valid"].any(1)
    arrays["person_id"][:] = np.where(arrays["present"], 0, -1)
    for t in np.flatnonzero(arrays["present"]):
        arrays["box_px"][t] = wholebody.box_of(joints_px[t], score[t])
    return PoseTrack(**arrays, face_layout="ibug68", backend="smplx", weights=weights, size=size, fps=float(fps))


def _hand_places(names: dict[str, int], side: str) -> list[int]:
    """Places of the 21 points of a hand: its three knuckles a finger are joints, the tips vertices."""
    return [names[f"{side}_{_TIPS.get(joint, joint)}"] for joint in HAND_JOINTS]


def _face_places(names: dict[str, int]) -> list[int]:
    """Places of the 68 points: the contour from the person's right ear to the left, then the inner 51 in order."""
    inner = range(names["right_eye_brow1"], names["right_eye_brow1"] + 51)
    if "contour_middle" not in names:
        return [names["nose"]] * 17 + list(inner)
    return [*range(names["right_contour_1"], names["right_contour_1"] + 17), *inner]


def _stage(points: np.ndarray, names: dict[str, int], size: tuple[int, int], K_px: np.ndarray) -> np.ndarray:
    """Points in front of a camera of our choice: the mean facing direction towards it, all of the motion in view."""
    across = points[:, names["left_hip"]] - points[:, names["right_hip"]]
    left = across.mean(0) * [1, 0, 1]
    heading = np.arctan2(left[2], left[0])  # 0 = the person's left is on the image right
    points = points @ rotvec_to_matrix(np.array([0, heading, 0])).T
    low, high = points.min((0, 1)), points.max((0, 1))
    points = points - (low + high) / 2
    reach = (high - low)[:2] / 2
    need = np.max(reach * [K_px[0, 0], K_px[1, 1]] / (_FILL_SHARE * np.array([size[1], size[0]]) / 2))
    centre = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    depth = need + (high - low)[2] / 2
    shift = (centre - [K_px[0, 2], K_px[1, 2]]) / [K_px[0, 0], K_px[1, 1]] * depth
    return points + np.array([*shift, depth])


def _import_smplx():
    try:
        import smplx
        import smplx.joint_names
        import torch
    except ImportError as error:
        raise WeightsError(
            f"SMPL-X parameters need the package smplx ({error}). If its terms allow your use, install it with: "
            f"pip install 'dreamactor[smplx]'. {LICENCE}"
        ) from error
    return smplx, torch
