"""What drives one clip: control signals frame by frame and references, whole in memory or cut from a disk."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Tracks:
    """Control signals of T frames and R references on one canvas.

    maps         uint8 [T, H, W, 6]      skeleton map, then sphere map
    face_tokens  float32 [T, N, C]       NaN allowed where not valid
    face_valid   bool [T]
    ref_frames   uint8 [R, H, W, 3]
    ref_maps     uint8 [R, H, W, 6]
    warp_frames  uint8 [T, H, W, 3]      the first reference carried to every frame's pose (stages.body.warp)
    warp_kind    uint8 [T, H, W]         what its pixels are
    """

    maps: np.ndarray
    face_tokens: np.ndarray
    face_valid: np.ndarray
    ref_frames: np.ndarray
    ref_maps: np.ndarray
    warp_frames: np.ndarray
    warp_kind: np.ndarray

    def __len__(self) -> int:
        return len(self.maps)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the canvas."""
        return self.maps.shape[1:3]

    @property
    def token_shape(self) -> tuple[int, ...]:
        """(N, C) of one frame's motion tokens."""
        return self.face_tokens.shape[1:]

    def cut(self, start: int, stop: int) -> "Tracks":
        """Frames `start` to before `stop`; behind the end the last one stands again."""
        index = np.minimum(np.arange(start, stop), len(self) - 1)
        return Tracks(
            self.maps[index], self.face_tokens[index], self.face_valid[index], self.ref_frames, self.ref_maps,
            self.warp_frames[index], self.warp_kind[index],
        )  # fmt: skip


class Signals(Protocol):
    """What the animator asks of a clip. `Tracks` is one in memory, `stages.animation.signals` reads them from a bundle.

    Nothing but `cut` may cost memory that grows with the clip, so that a clip may be as long as it likes.
    """

    ref_frames: np.ndarray
    ref_maps: np.ndarray

    def __len__(self) -> int: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def token_shape(self) -> tuple[int, ...]: ...

    def cut(self, start: int, stop: int) -> Tracks: ...
