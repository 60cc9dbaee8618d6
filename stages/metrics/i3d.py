"""I3D logits of windows of frames: what FVD and KVD are computed from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec
from stages.core.errors import InputError, UsageError
from stages.metrics.inception import AGAINST, against
from stages.metrics.interface import Block, ClipContext

NEEDS = frozenset({"real"})
FIRST = ("none", "crop-lanczos-256", "crop-antialias-128", "crop-antialias-256")
EPSILON = 1e-3  # of the network's batch norm, as it was trained
RESIZES = ("crop", "tf-squash", "bicubic-squash", "bilinear-squash")
RANGES = ("pm1", "01")
LEAST_FRAMES = 9


@dataclass(frozen=True)
class Options:
    """Settings.

    first     resizing before the network's own, as data sets of some codes are stored: "none";
              "crop-lanczos-256" short side to 256 (Pillow's Lanczos, rounded to 8 bit), middle 256x256 (StyleGAN-V);
              "crop-antialias-128", "-256" short side so long (torch's antialiased bilinear), the middle, cut to 8 bit
              (cd-fvd)
    resize    to 224x224: "crop" short side to 224 (bilinear without antialiasing), then the middle;
              "tf-squash" TensorFlow 1's resize_bilinear; "bicubic-squash" Pillow's antialiased bicubic on floats, not
              clipped (DisCo); "bilinear-squash" bilinear without antialiasing
    range     "pm1": pixels as -1..1, as the network was trained; "01": left at 0..1
    length    frames of a window; 0 = the whole clip is one window
    stride    frames from one window's start to the next; 0 = only the first window of each clip
    offset    first frame of the first window
    epsilon   of the batch norm: 1e-3 as trained; VideoGPT's and cd-fvd's copies of the network have 1e-5
    against   "real"; "driving" takes the driver's frames for the real ones, which compares two people
    """

    first: str = "none"
    resize: str = "crop"
    range: str = "pm1"
    length: int = 16
    stride: int = 16
    offset: int = 0
    epsilon: float = EPSILON
    against: str = "real"

    def __post_init__(self) -> None:
        choices = (("first", FIRST), ("resize", RESIZES), ("range", RANGES), ("against", AGAINST))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise UsageError(f"i3d: {name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}")
        if 0 < self.length < LEAST_FRAMES or self.length < 0 or self.stride < 0 or self.offset < 0:
            found = f"length {self.length}, stride {self.stride}, offset {self.offset}"
            raise UsageError(
                f"i3d: found {found}, expected length 0 or at least {LEAST_FRAMES}, stride 0.., offset 0.."
            )
        if not 0 < self.epsilon < 1:
            raise UsageError(f"i3d: epsilon is {self.epsilon:g}, expected more than 0 and less than 1")


def needs(options: Options) -> frozenset[str]:
    """What must be there under these options."""
    return frozenset({options.against})


def signature(options: Options) -> str:
    """Every choice that decides the numbers."""
    from stages.weights import describe

    network = describe("i3d_kinetics400")["sha256"][:8]
    window = f"frames:{options.length or 'all'}|stride:{options.stride or 'once'}|offset:{options.offset}"
    pixels = f"first:{options.first}|resize:{options.resize}|range:{options.range}"
    norm = "" if options.epsilon == EPSILON else f"|bn-epsilon:{options.epsilon:g}"
    return f"i3d-k400@{network}{norm}|logits|{window}|{pixels}|{options.against}|fp32|v:1"


def weights(options: Options) -> tuple[str, ...]:
    """The network that takes part."""
    return ("i3d_kinetics400",)


def arrays(options: Options) -> dict[str, ArraySpec]:
    """`generated` and `real` float32 [N, 400], `start` int32 [N]."""
    return {
        "generated": ArraySpec("float32", ("N", "D"), "", meaning="I3D logits of each window of generated frames"),
        "real": ArraySpec("float32", ("N", "D"), "", meaning="I3D logits of each window of real frames"),
        "start": ArraySpec("int32", ("N",), "", meaning="first frame of each window"),
    }


def of_real(options: Options) -> tuple[str, ...]:
    """Names of the arrays that hang on the real frames alone."""
    return ("real",) if options.against == "real" else ()


def prepare(frame_u8: np.ndarray, options: Options) -> np.ndarray:
    """float32 [224, 224, 3]: the network's input from uint8 [H, W, 3]."""
    from stages.metrics.nets.sampling import bilinear, centre, pillow_bicubic
    from stages.metrics.resize import resize_u8

    size = (224, 224)
    frame = frame_u8
    if options.first == "crop-lanczos-256":
        height, width = frame.shape[:2]
        least = min(height, width)
        frame = resize_u8(frame[None], (256 * height // least, 256 * width // least), "lanczos")[0]
        top, left = (round((length - 256) / 2) for length in frame.shape[:2])  # as torchvision's center_crop
        frame = frame[top : top + 256, left : left + 256]
    elif options.first != "none":
        frame = _cut_to_u8(frame, int(options.first.rpartition("-")[2]))
    if options.resize == "crop":
        pixels = centre(bilinear(frame, _short_side(frame, 224)), 224)
    elif options.resize == "bicubic-squash":
        pixels = pillow_bicubic(frame, size)
    else:
        pixels = bilinear(frame, size, half_pixel=options.resize == "bilinear-squash")
    return pixels * np.float32(1 / 127.5) - np.float32(1) if options.range == "pm1" else pixels * np.float32(1 / 255)


def _short_side(frame: np.ndarray, side: int) -> tuple[int, int]:
    """The size at which the short side is `side`; the long one is rounded up in float arithmetic, as others do it."""
    height, width = frame.shape[:2]
    scale = side / min(height, width)
    return (side, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), side)


def _cut_to_u8(frame_u8: np.ndarray, side: int) -> np.ndarray:
    """uint8 [side, side, 3]: antialiased as 0..1, the middle, cut to 8 bit (the cut hangs on the last float digit)."""
    from stages.metrics.nets.sampling import centre, torch_antialiased

    pixels = torch_antialiased(frame_u8.astype(np.float32) / np.float32(255), _short_side(frame_u8, side))
    return (centre(pixels, side) * np.float32(255)).astype(np.uint8)


def check(options: Options, context: ClipContext) -> None:
    """InputError where the clip is shorter than one window: it is never padded, repeated or left out silently."""
    least = options.offset + (options.length or LEAST_FRAMES)
    if context.frames < least:
        window = f"a window of {options.length} frames" if options.length else "one window"
        after = f" from frame {options.offset} on" if options.offset else ""
        raise InputError(
            f"clip {context.name}: found {context.frames} frames, FVD needs at least {least} for {window}{after}"
        )


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        from stages.metrics.nets.i3d import load_i3d

        check(options, context)
        self._options, self._device, self._net = options, context.device, load_i3d(context.device, options.epsilon)
        self._length = options.length or context.frames - options.offset
        self._stride = options.stride or context.frames
        self._frames: dict[int, tuple[np.ndarray, ...]] = {}  # only those that windows still need
        self._seen, self._start = 0, options.offset
        self._logits: dict[str, list[np.ndarray]] = {"generated": [], "real": []}
        self._starts: list[int] = []
        self._known = context.known.get("real")

    def add(self, block: Block) -> None:
        """Keep small frames until their windows are full; a window is computed alone, by one core."""
        from stages.metrics.nets.threads import each

        def small(*frames_u8: np.ndarray) -> tuple[np.ndarray, ...]:
            return tuple(prepare(frame_u8, self._options) for frame_u8 in frames_u8)

        skipped = min(max(self._start - self._seen, 0), len(block))  # frames between windows
        sides = [block.generated_u8]
        if self._known is None:
            sides.append(against(block, self._options.against))
        rows = each(small, *(side[skipped:] for side in sides), device=self._device)
        self._frames |= {self._seen + skipped + number: row for number, row in enumerate(rows)}
        self._seen += len(block)
        starts = range(self._start, self._seen - self._length + 1, self._stride)

        def logits(side: int, start: int) -> np.ndarray:
            window = range(start, start + self._length)
            return self._net.logits(np.stack([self._frames[frame][side] for frame in window]))

        which = [side for side in range(len(sides)) for _ in starts]
        found = each(logits, which, [*starts] * len(sides), device=self._device)
        self._logits["generated"] += found[: len(starts)]
        self._logits["real"] += found[len(starts) :]
        self._starts += starts
        self._start += len(starts) * self._stride
        self._frames = {number: row for number, row in self._frames.items() if number >= self._start}

    def finish(self) -> dict[str, np.ndarray]:
        rows = {name: np.asarray(logits, np.float32).reshape(-1, 400) for name, logits in self._logits.items()}
        if self._known is not None:
            rows["real"] = np.asarray(self._known)
        return {**rows, "start": np.asarray(self._starts, np.int32)}


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects `generated`, `real` and `start`."""
    return _Collector(options, context)
