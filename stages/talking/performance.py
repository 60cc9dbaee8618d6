"""What face and head do at every picture of a film, given what was heard."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stages.audio.liveliness import blink_lids, head_turns_deg, voice_01
from stages.audio.predict import Heard, at_frames, expressions_of
from stages.core.arkit import ARKIT_INDEX, ARKIT_NAMES
from stages.core.rng import numpy_rng
from stages.face.crop import track_crops
from stages.face.encoder import SUPERVISED, FaceEncoder
from stages.pose.still import hold_pose
from stages.talking.sitter import Sitter

_STAGE = "audio2face"


@dataclass(frozen=True)
class Manner:
    """strength of the mouth, offset of the face in s, blinks, head_motion (0 = none), seed; see audio2face's Params."""

    strength: float = 1.0
    offset: float = 0.0
    blinks: bool = True
    head_motion: float = 0.0
    seed: int = 0


class Performance:
    """Frames are asked for block by block, so that a long film needs no memory.

    sitter  None = a face that rests in nothing; item: what the seed is of, for example the layer's key
    """

    def __init__(
        self, heard: Heard, fps: Fraction, manner: Manner, encoder: FaceEncoder, sitter: Sitter | None, item: str
    ) -> None:
        self.heard, self.fps, self.manner, self.encoder, self.sitter = heard, fps, manner, encoder, sitter
        self._rest = np.zeros(SUPERVISED) if sitter is None else sitter.rest
        voice = voice_01(heard.level_db)
        self._lids = np.zeros(len(voice))
        if manner.blinks:
            self._lids = blink_lids(numpy_rng(manner.seed, _STAGE, item, "blinks"), voice)
        self._turns_deg = np.zeros((len(voice), 3))
        if manner.head_motion:
            turns = head_turns_deg(numpy_rng(manner.seed, _STAGE, item, "head"), voice)
            self._turns_deg = manner.head_motion * turns

    def expressions(self, first: int, count: int) -> np.ndarray:
        """float64 [count, 54] ARKit weights and gaze of the frames from `first` on."""
        units = at_frames(self.heard.units, first, count, self.fps, self.manner.offset)
        spoken = np.clip(expressions_of(units) * self.manner.strength, 0.0, 1.0)
        face = np.repeat(self._rest[None], count, axis=0)
        face[:, : len(ARKIT_NAMES)] += (1.0 - face[:, : len(ARKIT_NAMES)]) * spoken
        lids = at_frames(self._lids, first, count, self.fps)
        for name in ("eyeBlinkLeft", "eyeBlinkRight"):
            face[:, ARKIT_INDEX[name]] = np.maximum(face[:, ARKIT_INDEX[name]], lids)
        return face

    def tokens(self, first: int, count: int) -> np.ndarray:
        """float32 [count, N, C] motion tokens that say `expressions`."""
        return self.encoder.tokens_of_expressions(self.expressions(first, count))

    def held_pose(self, first: int, count: int) -> dict[str, np.ndarray]:
        """The sitter's pose arrays in the frames from `first` on, the head turned."""
        return hold_pose(self.sitter.pose, at_frames(self._turns_deg, first, count, self.fps))

    def held_crops(self, first: int, count: int) -> np.ndarray:
        """crop_affine float32 [count, 2, 3] of the sitter's held pose, as encode-face would cut the face out."""
        held = self.held_pose(first, count)
        layout = self.sitter.attrs["face_layout"]
        return track_crops(held["face_px"], held["face_valid"], layout, float(self.fps))[0]
