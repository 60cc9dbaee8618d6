"""Tracks from files that other tools wrote: OpenPose and ControlNet/DWPose JSON, and npy arrays of key points.

Accepted: a folder of JSON files, one a frame; one JSON file with one frame, a list of frames or {"frames": [...]};
an .npy array [T, K, 2 or 3] or [T, P, K, 2 or 3] of T frames, P people, K points. A frame is {"people": [...]} with
pose_keypoints_2d, face_keypoints_2d, hand_left_keypoints_2d, hand_right_keypoints_2d as flat x, y, score triples, and
may state canvas_width and canvas_height. K is 25 (OpenPose BODY_25), 18 (OpenPose COCO), 17 (COCO), 133
(COCO-WholeBody) or 134 (the same with a neck, as DWPose gives). All are 2D: depth is guessed, see `lifting`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.pose import lifting, wholebody
from stages.pose.persons import Detections, link, pick_track, select_person
from stages.pose.track import PoseTrack, empty_arrays

# Place in COCO-WholeBody of every point of the other layouts; None = a point we compute ourselves (neck, middle hip).
_OPENPOSE_18 = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_BODY_25 = (0, None, 6, 8, 10, 5, 7, 9, None, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3, 17, 18, 19, 20, 21, 22)
LAYOUTS: dict[int, tuple[int | None, ...]] = {
    17: tuple(range(17)),
    18: _OPENPOSE_18,
    25: _BODY_25,
    133: tuple(range(133)),
    134: (*_OPENPOSE_18, *range(17, 133)),
}
_LARGEST_FILE = 1 << 30


def import_openpose(
    path: str | Path,
    fps: float,
    size: tuple[int, int] | None = None,
    *,
    person: str = "largest",
    frames: int | None = None,
) -> PoseTrack:
    """The track of one person from a file or folder of 2D key points, depth lifted, backend "openpose (lifted)".

    fps     frames per second of the video that the points belong to
    size    (H, W) of its frames; None = what the file states
    person  see `select_person`
    frames  number of frames that the video has; None = not checked
    errors  InputError: nothing to read, not such a file, unknown number of points, no size known, another frame count
    Coordinates of at most 1.5 in the whole file are taken as shares of the picture. Points at (0, 0) with score 0 and
    points with NaN are missing. In files without scores every other point counts as 1.
    """
    path = Path(path)
    people_of_frame, stated = read_people(path)
    size = size or stated
    if size is None:
        raise InputError(f"{path}: states no canvas size and none was given. Give the video, or its height and width")
    if frames is not None and frames != len(people_of_frame):
        raise InputError(
            f"{path}: {len(people_of_frame)} frames of points, the video has {frames}. Give the one it belongs to"
        )
    people_of_frame = _in_pixels(people_of_frame, size)
    detections = [_detections(people) for people in people_of_frame]
    ids = link(detections, fps)
    number = select_person(detections, ids, person, size)
    arrays = empty_arrays(len(detections), "ibug68")
    for t, row in enumerate(pick_track(ids, number)):
        if row < 0:
            continue
        points = _seen_people(people_of_frame[t])[row]
        wholebody.fill_arrays(arrays, t, points[:, :2], points[:, 2], size)
        arrays["present"][t], arrays["person_id"][t] = True, number
        arrays["box_px"][t] = detections[t].box_px[row]
    arrays["joints_m"][:], scale = lifting.lift(arrays["joints_px"], arrays["joint_valid"], fps)
    arrays["hands_m"][:] = lifting.lift_hands(arrays["hands_px"], scale)
    return PoseTrack(
        **arrays, face_layout="ibug68", backend="openpose (lifted)", size=(int(size[0]), int(size[1])), fps=float(fps)
    )


def read_people(path: Path) -> tuple[list[np.ndarray], tuple[int, int] | None]:
    """Everybody in every frame as float64 [P, 133, 3] x, y, score (0 = missing), and the stated (H, W) or None."""
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file or folder. Expected OpenPose or DWPose key points (.json, .npy)")
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(f"{path}: larger than 1 GiB, expected key points")
    if path.suffix.lower() == ".npy":
        return _read_npy(path), None
    data = _read_json(path)
    if isinstance(data, Mapping) and "frames" in data:
        data = data["frames"]
    frames = data if isinstance(data, list) else [data]
    if not frames:
        raise InputError(f"{path}: holds no frames")
    sizes = {s for f in frames if (s := _canvas(f, path)) is not None}
    if len(sizes) > 1:
        raise InputError(f"{path}: canvas sizes differ between frames: {sorted(sizes)}")
    return [_people_of(frame, f"{path} frame {i}") for i, frame in enumerate(frames)], next(iter(sizes), None)


def to_wholebody(points: np.ndarray, where: str = "points") -> np.ndarray:
    """Points of a known layout as COCO-WholeBody: [P, K, 2 or 3] -> float64 [P, 133, 3]; missing = NaN, NaN, 0."""
    points = np.asarray(points, np.float64)
    if points.shape[1] not in LAYOUTS:
        raise InputError(f"{where}: {points.shape[1]} points a person, expected one of {', '.join(map(str, LAYOUTS))}")
    if points.shape[2] == 2:
        known = np.isfinite(points).all(-1) & (points != 0).any(-1)
        points = np.concatenate([points, known[..., None].astype(float)], -1)
    out = np.zeros((len(points), wholebody.COUNT, 3))
    for source, target in enumerate(LAYOUTS[points.shape[1]]):
        if target is not None:
            out[:, target] = points[:, source]
    missing = ~(out[..., 2] > 0) | ~np.isfinite(out).all(-1)
    out[missing] = [np.nan, np.nan, 0.0]
    return out


def _read_folder(folder: Path) -> tuple[list[np.ndarray], tuple[int, int] | None]:
    """One JSON file a frame, in the order of the last number in their names; a number left out is an empty frame."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".json" and not p.name.startswith("."))
    if not files:
        raise InputError(f"{folder}: no .json files, expected one a frame as OpenPose writes with --write_json")
    numbers = [re.findall(r"\d+", p.stem) for p in files]
    if not all(numbers):
        bad = files[[bool(n) for n in numbers].index(False)].name
        raise InputError(f"{folder}: {bad} has no frame number in its name, expected NAME_000000000012_keypoints.json")
    order = [int(n[-1]) for n in numbers]
    if len(set(order)) != len(order) or max(order) - min(order) >= 100 * len(order) + 1000:
        raise InputError(
            f"{folder}: frame numbers {min(order)} to {max(order)} in {len(order)} files are not one video"
        )
    out = [np.zeros((0, wholebody.COUNT, 3))] * (max(order) - min(order) + 1)
    size = None
    for number, file in zip(order, files, strict=True):
        frame = _read_json(file)
        size = size or _canvas(frame, file)
        out[number - min(order)] = _people_of(frame, str(file))
    return out, size


def _read_json(path: Path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable JSON ({error}), expected OpenPose or DWPose key points") from error


def _read_npy(path: Path) -> list[np.ndarray]:
    try:
        points = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a plain numpy array ({error}). Objects are not loaded; save numbers") from error
    if not isinstance(points, np.ndarray) or points.dtype.kind not in "fiu" or points.ndim not in (3, 4):
        raise InputError(f"{path}: expected numbers [T, K, 2 or 3] or [T, P, K, 2 or 3]")
    points = points[:, None] if points.ndim == 3 else points
    if points.shape[-1] not in (2, 3):
        raise InputError(f"{path}: last axis {points.shape[-1]}, expected x, y or x, y, score")
    return [to_wholebody(frame, str(path)) for frame in points]


def _canvas(frame, where) -> tuple[int, int] | None:
    """(H, W) that a frame states."""
    if not isinstance(frame, Mapping) or not isinstance(frame.get("people"), list):
        raise InputError(f"{where}: no list 'people', expected OpenPose or DWPose key points")
    height, width = frame.get("canvas_height"), frame.get("canvas_width")
    if height is None or width is None:
        return None
    if not all(isinstance(side, (int, float)) and side >= 1 for side in (height, width)):
        raise InputError(f"{where}: canvas {width} x {height}, expected positive numbers")
    return int(height), int(width)


def _people_of(frame: Mapping, where: str) -> np.ndarray:
    people = []
    for person in frame["people"]:
        if not isinstance(person, Mapping):
            raise InputError(f"{where}: a person is {type(person).__name__}, expected an object")
        body = _triples(person, "pose_keypoints_2d", where, tuple(LAYOUTS))
        points = to_wholebody(body[None], where)[0]
        if len(body) < wholebody.COUNT:
            parts = {
                "face_keypoints_2d": (wholebody.FACE, (68, 70)),
                "hand_left_keypoints_2d": (wholebody.HANDS[0], (21,)),
                "hand_right_keypoints_2d": (wholebody.HANDS[1], (21,)),
            }
            for name, (place, counts) in parts.items():
                found = _triples(person, name, where, counts)
                if len(found):
                    found[found[:, 2] <= 0] = [np.nan, np.nan, 0.0]
                    points[place] = found[: place.stop - place.start]
        people.append(points)
    return np.array(people).reshape(-1, wholebody.COUNT, 3)


def _triples(person: Mapping, name: str, where: str, counts: tuple[int, ...]) -> np.ndarray:
    """x, y, score [K, 3] of one part; [0, 3] where the part is left out. The body must be there."""
    flat = person.get(name)
    try:
        numbers = np.array(flat if flat is not None else [], dtype=np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {name} holds something else than numbers") from error
    if not len(numbers) and name != "pose_keypoints_2d":
        return np.zeros((0, 3))
    if len(numbers) % 3 or len(numbers) // 3 not in counts:
        raise InputError(
            f"{where}: {name} has {len(numbers)} numbers, expected 3 times {' or '.join(map(str, counts))}"
        )
    return numbers.reshape(-1, 3)


def _in_pixels(frames: list[np.ndarray], size: tuple[int, int]) -> list[np.ndarray]:
    largest = max((np.nanmax(np.abs(f[..., :2]), initial=0.0) for f in frames), default=0.0)
    if largest > 1.5:
        return frames
    return [np.concatenate([f[..., :2] * [size[1], size[0]] - 0.5, f[..., 2:]], -1) for f in frames]


def _seen_people(people: np.ndarray) -> np.ndarray:
    """Those of whom a box can be drawn."""
    return people[[np.isfinite(wholebody.box_of(p[:, :2], p[:, 2])).all() for p in people]] if len(people) else people


def _detections(people: np.ndarray) -> Detections:
    people = _seen_people(people)
    box = np.array([wholebody.box_of(p[:, :2], p[:, 2]) for p in people]).reshape(-1, 4)
    return Detections(box, people[..., 2].mean(-1), people[:, :17, :2])
