"""What the face encoder is trained for: the expression and where the face points are.

Labels are exact, so no pairs of pictures are needed: the tokens of a face's own label stand for the same face made by
somebody else. The person is kept out at the end (stages.training.face_readout). Source: our choice; the paper takes a
finished encoder.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.face.encoder import SUPERVISED

CROPS_OF_ONE = 4  # of the same person in a batch
_CODE_DECAY = 1e-4  # keeps the free part of the code small
_LEAST_STD = 0.06  # of an expression, when its weight in the loss is chosen
_TOKEN_SEED, _LEAST_SPREAD = 1724, 0.03  # of the tokens' rotation; of an expression, when it is a unit of tokens
_ON_EITHER_SIDE = (
    "browDown browOuterUp cheekSquint eyeBlink eyeLookDown eyeLookIn eyeLookOut eyeLookUp eyeSquint eyeWide jaw mouth "
    "mouthDimple mouthFrown mouthLowerDown mouthPress mouthSmile mouthStretch mouthUpperUp noseSneer"
).split()
_IN_THE_MIDDLE = (
    "browInnerUp cheekPuff jawForward jawOpen mouthClose mouthFunnel mouthPucker mouthRollLower mouthRollUpper "
    "mouthShrugLower mouthShrugUpper tongueOut"
).split()
_WATCHED, _WATCHED_COUNT = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight"), 3.0
# Of the 68 points of the iBUG layout, the one in the place of each in a mirror.
_OTHER_SIDE = [
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
    41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
]  # fmt: skip
UNITS = tuple(sorted([f"{unit}{side}" for unit in _ON_EITHER_SIDE for side in ("Left", "Right")] + _IN_THE_MIDDLE))


@torch.no_grad()
def fix_tokens(head_tokens: nn.Linear, labels) -> None:
    """Make the tokens what they are for good: expressions in units of their own spread, turned by a fixed rotation.

    labels  float array [N, 54] that mean and spread are taken from; the free codes count in units of the least spread.
    Tokens that hardly vary beside their mean are not read by the transformer (docs/LOG.md).
    """
    out, codes = head_tokens.weight.shape
    rotation, _ = torch.linalg.qr(torch.randn(out, codes, generator=torch.Generator().manual_seed(_TOKEN_SEED)))
    mean, spread = torch.zeros(codes), torch.full((codes,), _LEAST_SPREAD)
    mean[:SUPERVISED] = torch.from_numpy(labels.mean(0)).float()
    spread[:SUPERVISED] = torch.from_numpy(labels.std(0)).float().clamp(min=_LEAST_SPREAD)
    weight = (rotation * (out / codes) ** 0.5 / spread).to(head_tokens.weight)
    head_tokens.weight.copy_(weight)
    head_tokens.bias.copy_(-(weight @ mean.to(weight)))


def mirrored_labels(labels: Tensor) -> Tensor:
    """Labels float [B, 54] of the same faces in a mirror: left and right change places, gaze yaw its sign."""
    exchanged = {"Left": "Right", "Right": "Left"}
    sides = [next((side for side in exchanged if unit.endswith(side)), "") for unit in UNITS]
    places = [
        UNITS.index(unit.removesuffix(side) + exchanged[side]) if side else index
        for index, (unit, side) in enumerate(zip(UNITS, sides, strict=True))
    ]
    turned = labels[:, [*places, len(UNITS), len(UNITS) + 1]].clone()
    turned[:, len(UNITS)] *= -1.0
    return turned


def mirrored_points(points: Tensor) -> Tensor:
    """Face points [B, 68, 2] of the same faces in a mirror; -1..1 across the crop."""
    return points[:, _OTHER_SIDE] * torch.tensor([-1.0, 1.0])


def points_loss(found: Tensor, points: Tensor) -> Tensor:
    """Mean absolute error (quadratic below 0.02) of face points [B, 68, 2], -1..1 across the crop; NaN: not known."""
    known = points.isfinite()
    if not known.any():
        return 0.0 * found.sum()
    return F.smooth_l1_loss(found[known], points[known], beta=0.02)


def expression_weights(labels, head_tokens: nn.Linear) -> Tensor:
    """float [54], mean 1: what the squared error of each expression counts; thrice that for jaw and lids, which
    everybody watches.

    labels  float array [N, 54]. Half of it is the geometric mean of two wishes: every expression alike, in units of its
    own spread, and as the distance between tokens counts it; the other half is that distance, of which ten expressions
    that are rare in films make 69%
    """
    units = head_tokens.weight.detach()[:, :SUPERVISED].norm(dim=0).cpu()
    weight = units / torch.from_numpy(labels.std(0).clip(_LEAST_STD))
    for name in _WATCHED:
        weight[UNITS.index(name)] *= _WATCHED_COUNT
    distance = units.square()
    return ((weight / weight.mean() + distance / distance.mean()) / 2).float()


def expression_loss(code: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted squared error of the supervised part of the code [B, 64] against labels [B, 54]."""
    return (weights * (code[:, :SUPERVISED] - labels).square()).mean() + _CODE_DECAY * code.square().mean()
