"""Training of the compositor on rehearsals: what it sees, and its steps (losses: stages.training.picture_loss)."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from stages.core.carried import state_planes
from stages.core.errors import InputError
from stages.core.face68 import NOSE, OUTER_EYE_CORNERS, OUTLINES
from stages.core.rng import numpy_rng
from stages.face.crop import HALF_SIDE_RADII
from stages.face.encoder import FaceMotionNet
from stages.model.canvas import enlarged
from stages.model.compositor import Compositor, add_new_parts
from stages.model.config import CompositorConfig
from stages.model.vae import frames_pm1
from stages.training.course import Course, Pace
from stages.training.face_reading import FaceReading
from stages.training.learner import Learner
from stages.training.perceptual import PerceptualLoss
from stages.training.picture_loss import picture_loss
from stages.training.recipe import CompositorRecipe
from stages.weights.checkpoint import load_strictly

_WATCHED = 8  # rehearsals that are never trained on
_UNSETTLED = 0.35  # share of the films of a batch whose made pictures are spoilt as `Pictures.unsettled` says
_AROUND = 0.25  # width of the line about mouth and eyes that belongs to them, in distances of the outer eye corners
_NOSE_SHARE = 0.47  # of the way from the head's middle to the nose: the middle of the face (stages.face.crop)
_LEAST_RADIUS_PX, _SEEN = 8.0, 0.6  # smaller heads, or less of a face's square, say nothing
FILM = 4  # neighbouring frames of one clip in a batch


@dataclass
class Pictures:
    """One batch.

    made, still, carried, truth uint8 [N, H, W, 3]; maps uint8 [N, H, W, 6]; kind uint8 [N, H, W];
    keep uint8 [N, 2, h, w]; features uint8 [N, H, W]: 255 on mouth and eyes of faces that look at the camera
    face_px float32 [N, 3]: middle x, y and half a side of the square of such a face, as stages.face.crop cuts it; NaN
    """

    made: np.ndarray
    still: np.ndarray
    carried: np.ndarray
    truth: np.ndarray
    maps: np.ndarray
    kind: np.ndarray
    keep: np.ndarray
    features: np.ndarray
    face_px: np.ndarray

    @property
    def times(self) -> int:
        """How many times the side that the transformer sees; squares of its keep maps are 2 of its px."""
        return self.truth.shape[1] // self.keep.shape[2] // 2

    def cut(self, rng: np.random.Generator, side: int) -> "Pictures":
        """A random square of `side` px; in half of the cases its middle lies on the head's sphere, if there is one, and
        in a quarter on the middle of the face, if one looks at the camera."""
        height, width = self.truth.shape[1:3]
        middle, drawn = rng.random(2) * (height, width), rng.random()
        sphere = np.argwhere(self.maps[0, ..., 3:].max(-1) > 0)
        if len(sphere) and drawn < 0.5:
            middle = sphere[rng.integers(len(sphere))]
        elif drawn > 0.75 and np.isfinite(self.face_px[0]).all():
            middle = self.face_px[0, 1::-1] + self.face_px[0, 2] * rng.uniform(-0.4, 0.4, 2)
        corners, square = ((middle[0], height), (middle[1], width)), 2 * self.times
        side = min(side, height, width)
        top, left = (int(np.clip(at - side / 2, 0, most - side)) // square * square for at, most in corners)

        def window(array: np.ndarray, first_axis: int) -> np.ndarray:
            share = array.shape[first_axis] / height  # squares of the keep maps are larger than pixels
            rows, columns = (slice(int(at * share), int((at + side) * share)) for at in (top, left))
            return array[(slice(None),) * first_axis + (rows, columns)]

        parts = {
            name: window(array, 2 if name == "keep" else 1) for name, array in vars(self).items() if name != "face_px"
        }
        return Pictures(**parts, face_px=_faces_within(self.face_px - np.float32([left, top, 0.0]), side))

    def unsettled(self, rng: np.random.Generator) -> "Pictures":
        """What the transformer makes of people unlike those it learned from: both photos at once, blurred and tinted,
        and keep maps that do not know. It does so on real photos; who never saw that mixes the ghost into a face.
        """
        share, sigma = rng.uniform(0.2, 0.8), rng.uniform(0.8, 2.5) * self.times
        ghost = share * self.still.astype(np.float32) + (1.0 - share) * self.carried
        ghost = np.stack([cv2.GaussianBlur(frame, (0, 0), sigma) for frame in ghost])
        mixed = rng.uniform(0.4, 1.0)
        made = mixed * (ghost + 10.0 * rng.standard_normal(3)) + (1.0 - mixed) * self.made
        sure = rng.uniform(0.0, 1.0)
        keep = sure * self.keep + (1.0 - sure) * rng.uniform(40.0, 200.0)
        return replace(self, made=np.clip(made, 0, 255).astype(np.uint8), keep=keep.astype(np.uint8))

    def mirrored(self) -> "Pictures":
        """Left and right exchanged."""
        flipped = {
            name: np.flip(array, -1 if name in ("kind", "keep", "features") else -2)
            for name, array in vars(self).items()
            if name != "face_px"
        }
        across = np.float32([self.truth.shape[2] - 1, 0.0, 0.0])
        return Pictures(**flipped, face_px=across + self.face_px * np.float32([-1.0, 1.0, 1.0]))

    def tensors(self, device: str) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Tensor]:
        """Return the arguments of `Compositor.forward`, and the truth float [N, 3, H, W] in -1..1."""
        pictures = torch.stack([frames_pm1(part, device) for part in (self.made, self.still, self.carried)], 1)
        state = torch.from_numpy(state_planes(np.ascontiguousarray(self.kind))).to(device).float().transpose(0, 1)
        keep = torch.from_numpy(np.ascontiguousarray(self.keep)).to(device).float() / 255.0
        maps = (frames_pm1(self.maps, device) + 1.0) / 2.0
        return (pictures, state, keep, maps), frames_pm1(self.truth, device)


class Rehearsals:
    """Rehearsals and the prepared clips they are of.

    errors  InputError: fewer than two rehearsals
    """

    def __init__(self, folder: str | Path, prepared: str | Path) -> None:
        self.folder, self.prepared = Path(folder), Path(prepared)
        found = sorted(path for path in self.folder.iterdir() if not path.name.startswith("."))
        if len(found) < 2:
            raise InputError(f"{folder}: {len(found)} rehearsals, expected at least 2")
        watched = min(_WATCHED, len(found) // 2)
        self.watched, self.trained = found[:watched], found[watched:]
        self._sizes = [np.load(path / "made.npy", mmap_mode="r").shape[1:3] for path in self.trained]

    def batch(self, rng: np.random.Generator, size: int, crop_px: int = 0, fine_01: float = 0.0) -> Pictures:
        """Return about `size` frames, FILM neighbouring ones of a few clips of one picture size, mirrored at random.

        crop_px  side, in multiples of 8, of squares cut from them, half of them where the head is; 0 = whole frames
        fine_01  chance of the large canvas, if the clips are prepared for one: squares are half as large again there,
                 and of whole frames there are half as many
        """
        films, first = [], int(rng.integers(len(self.trained)))
        alike = np.array([number for number, found in enumerate(self._sizes) if found == self._sizes[first]])
        fine = fine_01 > 0 and self._has_fine(self.trained[first]) and rng.random() < fine_01
        if fine:
            crop_px, size = crop_px * 3 // 2, size if crop_px else size // 2
        for number in [first, *rng.choice(alike, max(0, size // FILM - 1))]:
            film = Pictures(*self.frames(self.trained[number], rng, FILM, fine))
            film = film.unsettled(rng) if rng.random() < _UNSETTLED else film
            film = film.cut(rng, crop_px) if crop_px else film
            films.append(film.mirrored() if rng.random() < 0.5 else film)
        names = [field.name for field in fields(Pictures)]
        return Pictures(*(np.concatenate([getattr(film, name) for film in films]) for name in names))

    def _has_fine(self, rehearsal: Path) -> bool:
        return (self.prepared / rehearsal.name.rpartition("-")[0] / "fine_frames.npy").is_file()

    def frames(self, rehearsal: Path, rng: np.random.Generator, count: int, fine: bool = False) -> list[np.ndarray]:
        """Return `count` neighbouring frames of one rehearsal, or all of a shorter one, in the order of `Pictures`.

        fine  on the large canvas that its clip is prepared for
        """
        name, _, which = rehearsal.name.rpartition("-")
        clip, before = self.prepared / name, "fine_" if fine else ""
        made = np.load(rehearsal / "made.npy", mmap_mode="r")
        count = min(count, len(made))
        chosen = rng.integers(len(made) - count + 1) + np.arange(count)
        pictures = np.load(clip / f"{before}frames.npy", mmap_mode="r")
        ref = int(np.load(clip / "warp.npz")["refs"][int(which)])
        carried = np.load(clip / f"{before}warp_frames.npy", mmap_mode="r")[int(which)]
        kind = np.load(clip / f"{before}warp_kind.npy", mmap_mode="r")[int(which)]
        keep = np.load(rehearsal / "keep.npy", mmap_mode="r")
        maps = np.load(clip / "fine_maps.npz")["maps"] if fine else np.load(clip / "maps.npy", mmap_mode="r")
        still = np.repeat(pictures[ref][None], count, 0)
        times = pictures.shape[1] // made.shape[1]
        grown = _enlarged(np.asarray(made[chosen]), times)
        labels, maps = np.load(clip / "labels.npz"), np.asarray(maps[chosen])
        features = _features(labels, chosen, made.shape[1:3], times)
        faces = _face_squares(labels, chosen, maps, times)
        parts = (grown, still, carried[chosen], pictures[chosen], maps, kind[chosen], keep[chosen], features, faces)
        return [np.asarray(part) for part in parts]


def _enlarged(made_u8: np.ndarray, times: int) -> np.ndarray:
    """What the VAE made on the canvas, as the animator enlarges it."""
    if times == 1:
        return made_u8
    frames = (enlarged(frames_pm1(made_u8), times) + 1.0) * 127.5
    return frames.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _features(labels, chosen: np.ndarray, size: tuple[int, int], times: int) -> np.ndarray:
    """uint8 [n, H, W], 255 on mouth and eyes; labels of a prepared clip, size (H, W) of its pictures."""
    masks = np.zeros((len(chosen), size[0] * times, size[1] * times), np.uint8)
    if "face_px" not in labels:
        return masks
    points = (labels["face_px"][chosen].astype(np.float64) + 0.5) * times - 0.5
    for mask, face, valid in zip(masks, points, labels["face_valid"][chosen], strict=True):
        if valid and np.isfinite(face).all():
            first, last = face[list(OUTER_EYE_CORNERS)]
            around = max(1, round(_AROUND * float(np.linalg.norm(last - first))))
            for outline in OUTLINES:
                corners = [np.rint(face[outline] * 16).astype(np.int32)]
                cv2.fillPoly(mask, corners, 255, shift=4)
                cv2.polylines(mask, corners, True, 255, around, shift=4)
    return masks


def _face_squares(labels, chosen: np.ndarray, maps: np.ndarray, times: int) -> np.ndarray:
    """float32 [n, 3] as in `Pictures`: about as stages.face.crop cuts a face, from the sphere's disc and the nose."""
    squares = np.full((len(chosen), 3), np.nan, np.float32)
    if "face_px" not in labels:
        return squares
    noses = (labels["face_px"][chosen][:, NOSE].mean(1).astype(np.float64) + 0.5) * times - 0.5
    for square, nose, valid, drawn in zip(squares, noses, labels["face_valid"][chosen], maps, strict=True):
        rows, columns = np.nonzero(drawn[..., 3:].max(-1))
        if not (valid and np.isfinite(nose).all() and len(rows)):
            continue
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()])
        radius, middle = (high - low + 1).max() / 2.0, (low + high) / 2.0
        if radius >= _LEAST_RADIUS_PX:
            square[:] = *(middle + _NOSE_SHARE * (nose - middle)), HALF_SIDE_RADII * radius
    return squares


def _faces_within(face_px: np.ndarray, side: int) -> np.ndarray:
    """Squares float32 [n, 3], NaN where less than _SEEN of one lies on pictures of `side` px."""
    shown = np.ones(len(face_px))
    for at in face_px.T[:2]:
        low, high = (np.clip(at + sign * face_px[:, 2], -0.5, side - 0.5) for sign in (-1, 1))
        shown = shown * (high - low) / (2 * face_px[:, 2])
    return np.where((shown >= _SEEN)[:, None], face_px, np.nan).astype(np.float32)


def train_compositor(
    state_path: Path, rehearsals: Rehearsals, config: CompositorConfig, recipe: CompositorRecipe, course: Course,
    stop: Callable[[], bool], *, seed: int = 0, device: str = "cpu", autocast=nullcontext,
    say: Callable[..., None] | None = None, start: dict[str, Tensor] | None = None, face: FaceMotionNet | None = None,
) -> Compositor | None:  # fmt: skip
    """Return the averaged network, or None where `stop()` ended this run before the course was done.

    say    called with step, loss and the PSNR of rehearsals that are never trained on
    start  weights to go on from, also of a compositor without maps and shift; None starts anew
    face   encoder that must read the same on made faces as on true ones; None leaves that out
    errors  WeightsError: the recipe asks for LPIPS and its network is not to be had
    """
    perceptual = PerceptualLoss(recipe.perceptual, device=device) if recipe.perceptual else None
    reading = FaceReading(face.to(device)) if face is not None else None
    torch.manual_seed(seed)
    network = Compositor(config).to(device, memory_format=torch.channels_last)
    learner = Learner(
        state_path, network, lr=recipe.lr, muon_lr=recipe.muon_lr, ema_decay=recipe.ema_decay, clip_norm=1.0,
        decay_from_01=0.4,
        start=None if start is None else lambda: load_strictly(network, add_new_parts(network, start), "the start"),
    )  # fmt: skip

    def loss_of(step: int, progress_01: float) -> Tensor:
        rng = numpy_rng(seed, "train", "compositor", f"batch {step}")
        crop_px = 0 if progress_01 >= recipe.whole_from_01 else recipe.crop_px
        pictures = rehearsals.batch(rng, recipe.batch, crop_px, recipe.fine_01)
        given, truth = pictures.tensors(device)
        with autocast():
            made = network(*given)
        return picture_loss(
            made.float(), truth, given[1], given[3], frames=FILM, perceptual=perceptual,
            cut_px=tuple(rng.integers(0, 4, 2)), times=pictures.times,
            features_01=torch.from_numpy(pictures.features).to(device)[:, None].float() / 255.0,
            reading=reading, face_px=torch.from_numpy(pictures.face_px).to(device),
        )  # fmt: skip

    averaged = Compositor(config).to(device, memory_format=torch.channels_last).eval()

    def report(pace: Pace) -> None:
        averaged.load_state_dict(learner.ema.shadow)
        with torch.no_grad(), autocast():
            quality = watched_psnr_db(averaged, rehearsals, device)
        say(step=pace.step, of=pace.planned, loss=pace.loss, spent_s=pace.spent_s, psnr_db=quality)

    if not learner.learn(loss_of, course, stop, say=report if say else None):
        return None
    averaged.load_state_dict(learner.ema.shadow)
    return averaged


def watched_psnr_db(network: Compositor, rehearsals: Rehearsals, device: str) -> float:
    """Mean peak signal-to-noise ratio of every watched frame, on the canvas that VAE and transformer see."""
    values = []
    for rehearsal in rehearsals.watched:
        given, truth = Pictures(*rehearsals.frames(rehearsal, np.random.default_rng(0), 1000)).tensors(device)
        made = network(*given).float().clamp(-1, 1)
        values.append(-10 * torch.log10((made - truth).square().mean((1, 2, 3)).clamp(min=1e-10) / 4))
    return float(torch.cat(values).mean())
