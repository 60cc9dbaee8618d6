"""Whole-body track from RTMPose networks through rtmlib: 2D (133 points) or 3D (RTMW3D), for whoever has the weights.

rtmlib's own solution classes are not used, because they look at the whole frame when nobody was found, take any class
of a detector for a person and drop the scores of the boxes. Its network wrappers are, with these traps closed: they
print to stdout, take a path that does not exist for something to download, and expect BGR although the pose networks
were trained on RGB (github.com/Tau-J/rtmlib, issue 48); the YOLOX detectors were trained on BGR.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, ResourceError, UsageError, WeightsError
from stages.pose import lifting, wholebody
from stages.pose.persons import Detections, PersonTracker, colour_look, pick_track, select_person
from stages.pose.track import PoseTrack, empty_arrays
from stages.pose.yolox import decode_boxes
from stages.weights import cache_dir

# Files that rtmlib itself would fetch, without their ending: found in its cache or in ours, never downloaded by us.
KNOWN_FILES: dict[str, tuple[str, ...]] = {
    "detector": (
        "yolox_m_8xb8-300e_humanart-c2c7a14a",
        "yolox_x_8xb8-300e_humanart-a39d44ed",
        "yolox_tiny_8xb8-300e_humanart-6f3252f9",
    ),
    "pose2d": (
        "rtmw-dw-x-l_simcc-cocktail14_270e-384x288_20231122",
        "rtmw-dw-x-l_simcc-cocktail14_270e-256x192_20231122",
        "rtmw-dw-l-m_simcc-cocktail14_270e-256x192_20231122",
    ),
    "pose3d": ("rtmw3d-x_8xb64_cocktail14-384x288-b0a0eab7_20240626",),
}


@dataclass(frozen=True)
class RtmlibParams:
    """How the backend works; the thresholds are our choice.

    dims           2 (133 points, depth by the rules of `lifting`) or 3 (RTMW3D, measured depth)
    detector,pose  ONNX files; None = the known file names in the caches
    person         largest, center, left, right or a number (see `select_person`)
    device         cpu, cuda, cuda:N or mps
    least_box      people below this detector score are ignored
    most_people    the pose of at most so many people, the largest, is measured in a frame
    """

    dims: int = 2
    detector: str | None = None
    pose: str | None = None
    person: str = "largest"
    device: str = "cpu"
    least_box: float = 0.5
    most_people: int = 4


class RtmlibBackend:
    """A pose backend (see `stages.pose.track.Backend`); holds two network sessions, one object a video."""

    def __init__(self, params: RtmlibParams) -> None:
        if params.dims not in (2, 3):
            raise UsageError(f"rtmlib backend: {params.dims} dimensions, expected 2 or 3")
        self.params = params
        files = {"detector": find_file("detector", params.detector)}
        files["pose"] = find_file(f"pose{params.dims}d", params.pose)
        rtmlib = _import_rtmlib()
        self._detector = _open(rtmlib.YOLOX, files["detector"], params.device)
        self._pose = _open(rtmlib.RTMPose3d if params.dims == 3 else rtmlib.RTMPose, files["pose"], params.device)
        _check_outputs(self._pose.session, files["pose"], params.dims)
        height, width = _input_size(self._detector.session, files["detector"])
        self._detector.model_input_size = (height, width)
        height, width = _input_size(self._pose.session, files["pose"])
        self._pose.model_input_size = (width, height)
        self.weights = {name: _describe(file) for name, file in files.items()}

    def process(self, frames: Iterable[np.ndarray], fps: float) -> PoseTrack:
        """The track of the chosen person; frames uint8 [H, W, 3] RGB of one size, read once, in order.

        Boxes and points of everybody are kept until the end (a few kB a frame), because who is the largest or the
        most central is known only then. Depth of the face stays NaN with a 2D network.
        """
        tracker, people, points, ids = PersonTracker(fps), [], [], []
        size = None
        for frame_u8 in frames:
            if size is None:
                size = frame_u8.shape[:2]
            elif frame_u8.shape[:2] != size:
                raise InputError(
                    f"frame {len(people)}: size {frame_u8.shape[:2]}, expected {size} as in the first frame"
                )
            found, measured = self._look(frame_u8)
            people.append(found)
            points.append(measured)
            ids.append(tracker.update(found))
        size = size or (0, 0)
        number = select_person(people, ids, self.params.person, size)
        arrays = empty_arrays(len(people), "ibug68")
        depth_m = np.full((len(people), wholebody.COUNT), np.nan)
        for t, row in enumerate(pick_track(ids, number)):
            if row < 0:
                continue
            measured = points[t][row]
            wholebody.fill_arrays(arrays, t, measured[:, :2], measured[:, 3], size)
            depth_m[t] = np.where(measured[:, 3] > 0, measured[:, 2], np.nan)
            arrays["present"][t], arrays["person_id"][t] = True, number
            arrays["box_px"][t] = people[t].box_px[row]
        if self.params.dims == 3:
            _fill_measured_depth(arrays, depth_m, fps)
        else:
            arrays["joints_m"][:], scale = lifting.lift(arrays["joints_px"], arrays["joint_valid"], fps)
            arrays["hands_m"][:] = lifting.lift_hands(arrays["hands_px"], scale)
        name = "rtmlib 3D" if self.params.dims == 3 else "rtmlib 2D (lifted)"
        return PoseTrack(
            **arrays, face_layout="ibug68", backend=name, weights=self.weights, size=tuple(size), fps=float(fps)
        )

    def _look(self, frame_u8: np.ndarray) -> tuple[Detections, np.ndarray]:
        """People of one frame and their points [n, 133, 4]: x, y in px, depth in m (NaN in 2D), score."""
        bgr_u8 = np.ascontiguousarray(frame_u8[..., ::-1])
        resized, ratio = self._detector.preprocess(bgr_u8)
        box_px, score = decode_boxes(self._detector.inference(resized), ratio, self._detector.model_input_size)
        keep = (score >= self.params.least_box) & (np.minimum(*(box_px[:, 2:] - box_px[:, :2]).T) > 1)
        box_px, score = box_px[keep], score[keep]
        order = np.argsort(-np.prod(box_px[:, 2:] - box_px[:, :2], axis=1), kind="stable")[: self.params.most_people]
        box_px, score = box_px[order], score[order]
        measured = np.full((len(box_px), wholebody.COUNT, 4), np.nan)
        for i, box in enumerate(box_px):  # nobody found: the pose network is not asked at all
            crop, center, scale = self._pose.preprocess(frame_u8, box)
            result = self._pose.postprocess(self._pose.inference(crop), center, scale)
            if self.params.dims == 3:
                points_3d, point_score, _, points_2d = result
                measured[i, :, 2] = points_3d[0, :, 2]
            else:
                points_2d, point_score = result
            measured[i, :, :2], measured[i, :, 3] = points_2d[0], np.clip(point_score[0], 0, 1)
        look = np.array([colour_look(frame_u8, box) for box in box_px]).reshape(-1, 64)
        return Detections(box_px, score, measured[:, :17, :2], look), measured


def find_file(kind: str, given: str | None = None) -> Path:
    """The ONNX file of a kind in KNOWN_FILES: the given one, or a known name in our cache or in rtmlib's.

    errors  WeightsError with the remedy; nothing is ever downloaded
    """
    if given is not None:
        path = Path(given).expanduser()
        if not path.is_file():
            raise WeightsError(f"{kind} weights {given}: no such file. Give the path of an existing .onnx file")
        return path
    places = [cache_dir() / "weights" / "rtmlib", Path(_rtmlib_cache())]
    for place in places:
        for name in KNOWN_FILES[kind]:
            if (place / f"{name}.onnx").is_file():
                return place / f"{name}.onnx"
    raise WeightsError(
        f"rtmlib {kind} weights: none of {', '.join(KNOWN_FILES[kind])} (.onnx) in {places[0]} or {places[1]}. "
        "Put an RTMPose ONNX file there or name its path, or use the default backend mediapipe"
    )


def _fill_measured_depth(arrays: dict[str, np.ndarray], depth_m: np.ndarray, fps: float) -> None:
    """Metres from pixels, the network's depth against the hips, and the scale that the bones' lengths give."""
    body = np.full((len(depth_m), arrays["joints_px"].shape[1]), np.nan)
    body[:, wholebody.BODY] = depth_m[:, wholebody.BODY]
    for t in range(len(body)):
        wholebody.add_middles(body[t, :, None], arrays["joint_score"][t].copy())
    scale = lifting.px_per_metre_of_bones(arrays["joints_px"], arrays["joint_valid"], fps, body)
    arrays["joints_m"][:] = lifting.place_in_metres(arrays["joints_px"], body, scale)
    for hand, part in enumerate(wholebody.HANDS):
        across = (arrays["hands_px"][:, hand] - arrays["hands_px"][:, hand, :1]) / scale[:, None, None]
        along = depth_m[:, part] - depth_m[:, part][:, :1]
        arrays["hands_m"][:, hand] = np.concatenate([across, along[..., None]], -1)
    face = depth_m[:, wholebody.FACE]
    arrays["face_px"][..., 2] = (face - face.mean(1, keepdims=True)) * scale[:, None]


def _open(kind: type, file: Path, device: str):
    """An rtmlib network wrapper with a session on exactly the wanted device; nothing reaches stdout."""
    expected = {"cpu": "CPUExecutionProvider", "mps": "CoreMLExecutionProvider"}.get(device, "CUDAExecutionProvider")
    if device not in ("cpu", "mps", "cuda") and not (device.startswith("cuda:") and device[5:].isdecimal()):
        raise UsageError(f"device {device}: expected cpu, cuda, cuda:N or mps")
    import onnxruntime

    if expected not in onnxruntime.get_available_providers():
        raise ResourceError(f"device {device}: this onnxruntime has no {expected}. Install onnxruntime-gpu or use cpu")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            tool = kind(str(file), backend="onnxruntime", device=device)
    except Exception as error:  # onnxruntime raises its own kinds; all mean that the file is not a usable network
        raise WeightsError(f"{file}: not a network that onnxruntime can load ({error})") from error
    if expected not in tool.session.get_providers():
        raise ResourceError(f"device {device}: onnxruntime fell back to {tool.session.get_providers()}. Use cpu")
    return tool


def _import_rtmlib():
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            import rtmlib
    except ImportError as error:
        raise WeightsError(f"backend rtmlib: {error}. Install it with: pip install rtmlib onnxruntime") from error
    return rtmlib


def _rtmlib_cache() -> str:
    """Folder in which rtmlib keeps what it fetched."""
    import os

    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "rtmlib")
    return os.path.join(os.path.expanduser(home), "hub", "checkpoints")


def _input_size(session, file: Path) -> tuple[int, int]:
    """(H, W) that a network wants."""
    shape = session.get_inputs()[0].shape
    if len(shape) != 4 or not all(isinstance(side, int) and side > 0 for side in shape[2:]):
        raise WeightsError(f"{file}: input {shape}, expected [N, 3, H, W] with a fixed height and width")
    return shape[2], shape[3]


def _check_outputs(session, file: Path, dims: int) -> None:
    outputs = session.get_outputs()
    points = [o.shape[1] for o in outputs if len(o.shape) == 3]
    if len(outputs) != dims or points != [wholebody.COUNT] * dims:
        shapes = [o.shape for o in outputs]
        raise WeightsError(
            f"{file}: outputs {shapes}, expected {dims} of [N, {wholebody.COUNT}, bins] "
            f"(a {dims}D whole-body SimCC network)"
        )


def _describe(file: Path) -> Mapping[str, str]:
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "licence": "as stated where the file was obtained", "package": f"file {file.name}"}
