"""The reference's own pixels, carried limb by limb to the driver's pose: a first guess of every frame.

Each part of the person (torso, head, upper and lower limbs, hands, feet) is cut out of the photo along the person's
matte and moved as one piece, from where the reference's skeleton and sphere show it to where the driver's show it;
behind the person stands a filled-in background. It is geometry only, so it knows neither cloth nor faces nor what was
hidden: the transformer sees it beside its other signals, and says square by square how far to believe it.
Source: our own; the same idea as the deformable skips of Siarohin et al. 2018 (one affine move a body part).
"""

import numpy as np

from stages.body.labels import finished, labels_behind, nearer, part_distances, pose_labels
from stages.body.parts import UPPER_ARMS, parts_of
from stages.body.place import Performance
from stages.body.plate import Plate, nobody, with_rim
from stages.body.source import Source


class ReferenceWarp:
    """A reference picture ready to be carried to any pose.

    picture_u8, still, rotation, matte_01, known, matted  as of `stages.body.source.Source`
    """

    def __init__(self, picture_u8, still: Performance, rotation, matte_01=None, known=None):
        self._source = Source(picture_u8, still, rotation, matte_01, known)
        self.picture_u8, self.matted = self._source.picture_u8, self._source.matted
        self._hidden = with_rim(self._source.solid > 0.1)
        self._plate = Plate(self.picture_u8, self._hidden)

    def to_pose(self, act: Performance, frame: int, rotation, move=None) -> tuple[np.ndarray, np.ndarray]:
        """Return the picture uint8 [H, W, 3] at a frame of `act`, and its kinds uint8 [H, W] (stages.core.carried).

        move  float [2, 3] of the background, px of the frame to px of the reference (stages.body.camera); None = none
        """
        somebody = act.drawn[frame].any() or np.isfinite(act.head_px[frame]).all()
        if not somebody or not np.isfinite(act.head_radius_px).any():
            return nobody(self.picture_u8, self._hidden, move)
        source = self._source
        there = {name: part for name, part in parts_of(act, frame, rotation).items() if source.carries(name)}
        away = part_distances(there, source.names, source.x, source.y)
        found = {}
        alpha = np.zeros(away.shape, np.float32)
        for number, name in enumerate(source.names):
            near = source.near(away[number])
            if name in there and near.any():
                shown = source.shown(name, there, near, away[number][near])
                found[number], alpha[number][near] = (near, shown), shown.cover
                away[number][near] = nearer(away[number][near], shown.place.skin)
        guesses = {name for name in there if name in UPPER_ARMS and source.part(name) is None}
        labels = pose_labels(away, there, source.names, alpha, guesses)
        behind = labels_behind(labels, away, there, source.names, alpha, guesses)
        layers = {
            number: (near, source.colours(source.names[number], shown.place), shown.seen)
            for number, (near, shown) in found.items()
            if (labels == number).any() or (behind == number).any()
        }
        return finished(*self._plate.at(move), layers, alpha, labels, behind)


def warp_reference(picture_u8, still, still_rotation, act, act_rotation, matte_01=None, moves=None, known=None):
    """Yield (picture uint8 [H, W, 3], kind uint8 [H, W]) of every frame of a Performance; see `ReferenceWarp`.

    moves  float [T, 2, 3] of the background, or None
    """
    warp = ReferenceWarp(picture_u8, still, still_rotation, matte_01, known)
    for frame in range(len(act.drawn)):
        yield warp.to_pose(act, frame, act_rotation[frame], None if moves is None else moves[frame])
