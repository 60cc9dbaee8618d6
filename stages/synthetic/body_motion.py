"""Motion of a whole person: a plan drawn from random numbers, carried out by one body, kept as tables over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from stages.synthetic.character import Character
from stages.synthetic.colours import random_colour
from stages.synthetic.face_motion import FaceMotion, FaceState, with_gaze
from stages.synthetic.furniture import seat_parts
from stages.synthetic.parts import Part
from stages.synthetic.phonemes import Timeline
from stages.synthetic.plan import Plan
from stages.synthetic.rotation import applied, orthonormal
from stages.synthetic.solver import NECK_SHARES, SIT_DEPTH_DM, Body
from stages.synthetic.styles import STYLE_CHOICES, STYLES, make_plan
from stages.synthetic.tracks import rows_at

__all__ = ["NECK_SHARES", "STYLES", "STYLE_CHOICES", "Motion", "MotionFrame", "with_gaze"]


@dataclass(frozen=True)
class MotionFrame:
    """rotations: bone -> f64 [3,3]; expression: ARKit name -> weight, with gaze; root_shift_dm f64 [3]; face."""

    rotations: dict[str, np.ndarray]
    expression: dict[str, float]
    root_shift_dm: np.ndarray
    face: FaceState


class Motion:
    """Random motion of one style for one body, constant once made. The draws do not depend on the body.

    max_forward_dm  hands stay nearer to the shoulder than this towards the camera (portraits: else they hide the face)
    talking         None: at random;  phonemes: a timeline made elsewhere, (start_s, end_s, ARPAbet name)
    split           train and val never show what stages.synthetic.holdout keeps back; test does half of the time
    reach_dm        radius on the floor around the origin that the middle of the hips stays in
    plan            what the motion wanted, in leg and arm lengths; plan.planted says when each foot stands
    """

    FACE_HEAD_SHARE = 1.0  # of the head turns that belong to gaze and speech

    def __init__(
        self,
        character: Character,
        rng: np.random.Generator,
        duration_s: float,
        style: str,
        *,
        framing: str = "full",
        max_forward_dm: float = np.inf,
        talking: bool | None = None,
        phonemes: Timeline | None = None,
        split: str = "train",
    ) -> None:
        face_rng, body_rng, colour_rng = rng.spawn(3)
        self.style = style
        names = character.assets.arkit_names
        self.face = FaceMotion(
            face_rng, duration_s, names, talking=talking, timeline=phonemes, head_share=self.FACE_HEAD_SHARE
        )
        plan = self._plan(body_rng, duration_s, split, framing)
        self._carry_out(character, plan, max_forward_dm, random_colour(colour_rng, 0.08, 0.8))

    def _plan(self, rng: np.random.Generator, duration_s: float, split: str, framing: str) -> Plan:
        return make_plan(rng, duration_s, self.style, self.face, split=split, framing=framing)

    def _carry_out(self, character: Character, plan: Plan, max_forward_dm: float, colour) -> None:
        self.character, self.plan = character, plan
        self.body = Body(character)
        self._solved = self.body.solve(plan, max_forward_dm=max_forward_dm)
        self.reach_dm = float(np.linalg.norm(plan.hip_xz, axis=1).max()) * self.body.leg
        self._colour = colour

    @property
    def phonemes(self) -> Timeline:
        """What is said: rows (start_s, end_s, phoneme) in the clip's time; empty when silent."""
        return self.face.phonemes

    def frame(self, time_s: float) -> MotionFrame:
        """The pose at a time in seconds; half a second beyond the clip (a second before it) it stands still."""
        solved = self._solved
        turns = orthonormal(rows_at(solved.local, time_s))
        rotations = dict(zip(solved.bones, turns, strict=True))
        face = self.face(time_s)
        expression = with_gaze(rotations, face, self.character.assets.arkit_names)
        return MotionFrame(rotations, expression, rows_at(solved.root_shift_dm, time_s), face)

    def furniture(self) -> list[Part]:
        """Parts to sit on, standing in the world; none for most styles."""
        seat = self.plan.seat
        if seat is None:
            return []
        body, character = self.body, self.character
        hips_xz = np.array(seat.hip_xz) * body.leg
        width = float(character.joint("upperleg01.L")[0] - character.joint("upperleg01.R")[0]) / 2 + 0.75
        top = body.floor + body.ankle + seat.height * body.leg - SIT_DEPTH_DM
        return seat_parts(character.assets, seat, top, body.floor, hips_xz, width, self._colour)

    def joints_dm(self, bones: Iterable[tuple[str, bool]], every: int = 1) -> np.ndarray:
        """World places of bones over the table's samples, f64 [T / every, N, 3], decimetres.

        bones  (name, True for the bone's tail or False for its head)
        """
        character, solved = self.character, self._solved
        index, parents = character.assets.bone_index, character.assets.parents
        local = dict(zip(solved.bones, solved.local[::every].swapaxes(0, 1), strict=True))
        shift = solved.root_shift_dm[::every]
        done: dict[int, tuple[np.ndarray, np.ndarray]] = {}

        def world(bone: int) -> tuple[np.ndarray, np.ndarray]:
            if bone < 0:
                return np.broadcast_to(np.eye(3), (len(shift), 3, 3)), shift
            if bone not in done:
                base, move = world(int(parents[bone]))
                turned = local.get(character.assets.bone_names[bone])
                if turned is not None:
                    pivot = character.head_dm[bone]
                    move = applied(base, pivot - applied(turned, pivot)) + move
                    base = base @ turned
                done[bone] = base, move
            return done[bone]

        places = []
        for name, tail in bones:
            base, move = world(index[name])
            rest = (character.tail_dm if tail else character.head_dm)[index[name]]
            places.append(applied(base, rest) + move)
        return np.stack(places, axis=1)
