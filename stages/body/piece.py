"""What a person is carried in: rigid pieces, and where pixels of one lie in another frame."""

from dataclasses import dataclass

import numpy as np

from stages.body import trunk


@dataclass(frozen=True)
class Part:
    """One rigid piece. `points` are its two ends, its corners, or its middle; `reach_px` its radius.

    fingers_px  float [21, 2] of a hand
    """

    kind: str  # "limb" | "torso" | "head"
    points: dict[str, np.ndarray]
    reach_px: float
    depth_m: float
    rotation: np.ndarray | None = None
    tube: trunk.Trunk | None = None
    fingers_px: np.ndarray | None = None


@dataclass(frozen=True)
class Place:
    """Where pixels of a piece lie in another frame.

    x, y     float [n]
    outline  x, y of the same shape: where to ask whether the piece reaches so far
    sees     bool [n], False where that side of the piece is turned away there
    towards  float [n], cosine between the surface and that frame's camera; 1 or 0, as `sees`, for limbs and torso
    inside   bool [n], the surface of a head, not the air beside it; False for other pieces
    free     bool [n], True where the piece surely does not reach
    skin     bool [n], True where the piece surely does: the surface of a head whose face is turned to the camera, and
             (stages.body.source) forearms and hands as far as the other picture shows them
    face     bool [n], the surface of a head from the forehead down, up to the ears; False for other pieces
    turns    float [n] 0..1, the surface of a head is turned to the camera more than in the other picture; else 0
    share    float [n], of the colours of the other half of a face in those of its surface; from 0.5 on x, y are there.
             Of heads alone
    twin     float [n, 2], the place on the half that x, y are not. Of heads alone
    """

    x: np.ndarray
    y: np.ndarray
    outline: tuple[np.ndarray, np.ndarray]
    sees: np.ndarray
    towards: np.ndarray
    inside: np.ndarray
    free: np.ndarray
    skin: np.ndarray
    face: np.ndarray
    turns: np.ndarray
    share: np.ndarray | None = None
    twin: np.ndarray | None = None

    @classmethod
    def flat(cls, x, y, outline, sees) -> "Place":
        """Of a piece without a surface that is known: a limb or the torso."""
        nowhere = np.zeros(np.shape(x), bool)
        return cls(x, y, outline, sees, sees.astype(float), nowhere, nowhere, nowhere, nowhere, nowhere.astype(float))
