"""Lip sync as SyncNet tells it: LSE-D, LSE-C and the offset of mouth and sound, with the real video's own beside.

The network is not in any package: the user names the file in DREAMACTOR_SYNCNET. Faces come from YuNet instead of S3FD
and are cropped without being encoded again, so numbers are near those of other tools, not the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.bundle import ArraySpec, open_bundle
from stages.core.errors import UsageError
from stages.media.sound import read_sound, sound_of_film
from stages.metrics.faces import DETECT_SIDE, FaceFinder
from stages.metrics.interface import Block, ClipContext
from stages.metrics.mfcc import RATE_HZ, mfcc
from stages.metrics.mouths import FPS, WINDOW, MouthWindows
from stages.weights import describe

NEEDS = frozenset()
OPTIONAL = True
SOUNDS = ("own", "real", "driving")
_CEPSTRA_PER_FRAME = 4
_CEPSTRA = 20
_SCORE_LEAST = 0.6
_LAST = 5  # the original stops five frames before the end, one more than windows of five need


@dataclass(frozen=True)
class Options:
    """Settings.

    sound  whose sound goes with the generated frames: "own", "real" or "driving"; where it has none, another's
    shift  frames by which mouth and sound are moved against each other, to both sides
    """

    sound: str = "own"
    shift: int = 15

    def __post_init__(self) -> None:
        if self.sound not in SOUNDS:
            raise UsageError(f"lipsync: sound is {self.sound!r}, expected one of {', '.join(SOUNDS)}")
        if not 1 <= self.shift <= 100:
            raise UsageError(f"lipsync: shift is {self.shift}, expected 1 to 100 frames")


def signature(options: Options) -> str:
    """Every choice that decides the number; it changes with the weights file."""
    return (
        f"syncnet-v2@{describe('syncnet_v2')['sha256'][:8]}|yunet@{describe('yunet')['sha256'][:8]},{DETECT_SIDE}px"
        f"|sound:{options.sound}-first,16k,mono|mfcc13|fps:25,shown|crop:median13,0.40,224|windows:5:20"
        f"|vshift:{options.shift},zeros-outside|fp32|v:1"
    )


def weights(options: Options) -> tuple[str, ...]:
    """The user's network and the face detector."""
    return ("syncnet_v2", "yunet")


def arrays(options: Options) -> dict[str, ArraySpec]:
    """One value a clip, float64; NaN = no sound, no face or fewer than six frames at 25 a second."""

    def one(meaning: str) -> ArraySpec:
        return ArraySpec("float64", (), "", meaning=meaning)

    out = {}
    for who, prefix in (("generated", ""), ("real", "real_")):
        out |= {
            f"{prefix}lse_d": one(f"least mean distance over the shifts, {who} frames; lower is better"),
            f"{prefix}lse_c": one(f"median less least mean distance, {who} frames; higher is better"),
            f"{prefix}offset": one(f"frames by which the sound of the {who} frames is late at the least distance"),
            f"{prefix}distance": ArraySpec("float64", ("shift",), "", meaning=f"mean distance by shift, {who} frames"),
            f"{prefix}found": ArraySpec("bool", ("frame25",), meaning=f"a face is seen, {who} frames at 25 a second"),
        }
    return out


class _Collector:
    def __init__(self, options: Options, context: ClipContext) -> None:
        from stages.metrics.nets.syncnet import LipReader

        self._options, self._context = options, context
        self._net, finder = LipReader(context.device), FaceFinder(_SCORE_LEAST)
        roles = ("generated", "real") if context.real_size is not None else ("generated",)
        self._mouths = {role: MouthWindows(finder, self._net.see, context.fps) for role in roles}

    def add(self, block: Block) -> None:
        for role, mouths in self._mouths.items():
            for frame in block.generated_u8 if role == "generated" else block.real_u8:
                mouths.add(frame)

    def finish(self) -> dict[str, np.ndarray]:
        first = {"own": "generated"}.get(self._options.sound, self._options.sound)
        order = {"generated": sorted(("generated", "real", "driving"), key=lambda role: role != first)}
        order["real"] = ["real", "driving"]
        out = {}
        for role, prefix in (("generated", ""), ("real", "real_")):
            mouths = self._mouths.get(role)
            lips = mouths.finish() if mouths is not None else np.zeros((0, 0))
            values = self._score(lips, order[role])
            found = np.array(mouths.found if mouths is not None else [], bool)
            out |= {f"{prefix}{name}": value for name, value in (values | {"found": found}).items()}
        return out

    def _score(self, lips: np.ndarray, roles: list[str]) -> dict[str, np.ndarray]:
        """lse_d, lse_c, offset and distance of the windows [N, D] with the first sound there is."""
        from stages.metrics.nets.syncnet import sync_distances

        sound = next((s for role in roles if (s := self._sound(role)) is not None), None)
        frames = 0 if sound is None else min(len(lips) + WINDOW - 1, len(sound) * FPS // RATE_HZ)
        count = max(0, frames - _LAST)
        if not count or not np.isfinite(lips[:count]).all(1).any() or not lips.size:
            nothing = np.float64("nan")
            distance = np.full(2 * self._options.shift + 1, np.nan)
            return {"lse_d": nothing, "lse_c": nothing, "offset": nothing, "distance": distance}
        cepstra = mfcc(sound)
        starts = range(0, _CEPSTRA_PER_FRAME * count, _CEPSTRA_PER_FRAME)
        sounds = self._net.hear([cepstra[at : at + _CEPSTRA] for at in starts])
        return summary(sync_distances(lips[:count], sounds, self._options.shift))

    def _sound(self, role: str) -> np.ndarray | None:
        """int16 [n] at 16 kHz of one of the clip's films; None without sound."""
        path = self._context.sources.get(role, "")
        if not path.rstrip("/").endswith(".zarr"):
            return read_sound(path, RATE_HZ) if path else None
        bundle = open_bundle(path)
        silent = not bundle.has("clip") or not bundle.attrs("clip").get("has_audio", False)
        return None if silent else sound_of_film(bundle.read("clip", "media"), RATE_HZ)


def summary(distances: np.ndarray) -> dict[str, np.ndarray]:
    """lse_d, lse_c, offset and the mean distance by shift, of distances [N, 2 shift + 1]; NaN rows do not count."""
    mean = distances[np.isfinite(distances).all(1)].mean(0)
    best = int(np.argmin(mean))
    return {
        "lse_d": np.float64(mean[best]),
        "lse_c": np.float64(np.median(mean) - mean[best]),
        "offset": np.float64(len(mean) // 2 - best),
        "distance": mean,
    }


def collector(options: Options, context: ClipContext) -> _Collector:
    """Collects the arrays. errors  WeightsError: "syncnet_v2: weights not at hand, ..." """
    return _Collector(options, context)
