"""Which part of a person each pixel of a canvas shows: the same rules in references and in poses they are carried to.

Distances are in radii of the parts, float [parts, H, W] in the order of `names`, infinite for parts that are not there.
"""

from dataclasses import replace

import cv2
import numpy as np

from stages.body.head import skin_at
from stages.body.parts import distance_px, fingers_in
from stages.body.piece import Part, Place
from stages.body.place import Performance
from stages.body.smooth import fill
from stages.core.geometry import smoothstep

SURE, REACH = 0.85, 1.15  # of a part's radius: surely the part; the part's without a matte
LOOSE = 1.7  # of a part's radius: hair and cloth this far out are still its, where the matte shows somebody
_WHOLE = 0.98  # of a part's cover, from which nothing shines through
_SOLID = 0.3  # of a part's cover in a pose, from which it may be there
_SURE_HEAD, _SKIN = 0.8, 0.5  # the same of the head with its hair: below the chin the neck begins; of its skin
_BEND = (0.35, 0.85)  # of the neck's length: it goes with the head above, with the torso below
_BESIDE = (1.0, 2.2)  # of the neck's radius: what is so far beside it goes with it, and with the torso
_SEAM = 1 / 128  # of the canvas: half the width of gaps between parts that are closed


def grid(shape) -> tuple[np.ndarray, np.ndarray]:
    """x, y float32 [H, W] of the pixels of a canvas."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return x, y


def sure_of(part: Part) -> float:
    """Up to which distance a pixel is surely the part's."""
    return _SURE_HEAD if part.kind == "head" else SURE


def part_distances(parts: dict[str, Part], names: list[str], x, y) -> np.ndarray:
    """Distance of every pixel from each part, float32 [parts, H, W]."""
    away = np.full((len(names), *x.shape), np.inf, np.float32)
    for number, name in enumerate(names):
        if name in parts:
            away[number] = distance_px(parts[name], x, y) / parts[name].reach_px
    return away


def nearer(away, skin) -> np.ndarray:
    """Distances float [n] of a part's pixels, but surely the part's where its skin is: chins and hands are before
    collars and shirts."""
    return np.where(skin, np.minimum(away, _SKIN), away)


def part_labels(away, parts: dict[str, Part], names: list[str], solid=None, reach: float = REACH) -> np.ndarray:
    """Number of the part that each pixel shows, int8 [H, W], -1 = background; nearer parts hide farther ones.

    solid  bool [parts, H, W]: the part may be there; None = everywhere
    """
    shape = away.shape[1:]
    labels, front = np.full(shape, -1, np.int8), np.full(shape, np.inf)
    nearest, least = np.full(shape, -1, np.int8), np.full(shape, np.inf)
    for number, name in enumerate(names):
        if name not in parts:
            continue
        there = True if solid is None else solid[number]
        closer = (away[number] < least) & there
        nearest[closer], least[closer] = number, away[number][closer]
        before = (away[number] < sure_of(parts[name])) & there & (parts[name].depth_m < front)
        labels[before], front[before] = number, parts[name].depth_m
    return np.where((labels < 0) & (least < reach), nearest, labels)


def pose_labels(away, parts: dict[str, Part], names: list[str], cover, guesses=frozenset()) -> np.ndarray:
    """`part_labels` of a pose, whose parts cover float [parts, H, W] 0..1 of its pixels.

    guesses  names of parts that no reference shows: they are behind all that one shows
    """
    known, guessed = ({name: parts[name] for name in parts if (name in guesses) is guess} for guess in (False, True))
    labels = part_labels(away, known, names, cover > _SOLID, reach=LOOSE)
    return np.where(labels < 0, part_labels(away, guessed, names, cover > _SOLID), labels) if guessed else labels


def labels_behind(labels, away, parts: dict[str, Part], names: list[str], cover, guesses=frozenset()) -> np.ndarray:
    """`pose_labels` of what is behind the parts that show, int8 [H, W], where those cover a pixel in part only."""
    behind = np.full(labels.shape, -1, np.int8)
    over = np.take_along_axis(cover, np.maximum(labels, 0)[None].astype(int), 0)[0]
    soft = (labels >= 0) & (over < _WHOLE)
    rest = cover[:, soft]
    rest[labels[soft], np.arange(rest.shape[1])] = 0.0
    behind[soft] = pose_labels(away[:, soft], parts, names, rest, guesses)
    return behind


def reference_labels(still: Performance, parts: dict[str, Part], names: list[str], away, solid, matted: bool):
    """`part_labels` int8 [H, W] of a reference.

    solid   float [H, W] 0..1 the person is there;  matted  by a matte, not by the parts' outlines alone
    away    of its parts; that of the head is changed where its skin is
    """
    x, y = grid(solid.shape)
    if "head" in parts:
        head = names.index("head")
        near = away[head] < REACH
        away[head][near] = nearer(away[head][near], skin_at(parts["head"], x[near], y[near]))
    labels = part_labels(away, parts, names, np.broadcast_to(solid > 0.5, away.shape))
    if matted:  # soft edges, hair and loose cloth belong to what is nearest
        nearest = away.argmin(0) if len(away) else np.zeros(solid.shape, int)
        loose = (labels < 0) & (away.min(0, initial=np.inf) < LOOSE) & (solid > 0.05)
        labels = np.where(loose, nearest, labels).astype(np.int8)
    for name, fingers in fingers_in(still, 0, x, y).items():
        if name in names:
            labels[fingers & (solid > 0.5)] = names.index(name)
    return labels


def bent(place: Place, above: Place, below: Place, neck: Part, x, y) -> Place:
    """Throat and collar between head and torso, so that no seam runs around the throat or down its sides.

    place         of the part whose pixels (x, y) these are
    above, below  where they lie as it goes with the head, and with the torso
    """
    start = neck.points["upper"]
    bone = neck.points["lower"] - start
    along = ((x - start[0]) * bone[0] + (y - start[1]) * bone[1]) / (bone @ bone + 1e-6)
    aside = distance_px(neck, x, y) / neck.reach_px
    share = np.maximum(smoothstep(along, *_BEND), smoothstep(aside, *_BESIDE))
    high, low = (np.array([at.x, at.y, *at.outline]) for at in (above, below))
    mixed = (1.0 - share) * high + share * low
    return replace(place, x=mixed[0], y=mixed[1], outline=(mixed[2], mixed[3]))


def finished(picture, hidden, layers, alpha, labels, behind) -> tuple[np.ndarray, np.ndarray]:
    """A carried picture uint8 [H, W, 3] without seams between parts, and its kinds uint8 [H, W] (stages.core.carried).

    picture  float32 [H, W, 3] 0..255, the background; is changed;  hidden  bool [H, W] no reference shows it
    layers   of the parts by number: pixels bool [H, W], and of these colours [n, 3] and whether a reference shows them
    alpha    float32 [parts, H, W] 0..1 the part covers the pixel
    labels, behind  int8 [H, W] numbers of the part that shows, and of that which shines through it
    """
    seen, cover = ~hidden, np.zeros(labels.shape, np.float32)
    for shown in (behind, labels):
        for number, (near, colour, is_seen) in layers.items():
            here = shown == number
            chosen, share = here[near], alpha[number][here]
            picture[here] += share[:, None] * (colour[chosen] - picture[here])
            cover[here], seen[here] = share + (1.0 - share) * cover[here], is_seen[chosen]
    seam = np.ones((2 * max(1, round(_SEAM * max(labels.shape))) + 1,) * 2, np.uint8)
    gaps = (labels < 0) & (cv2.morphologyEx((labels >= 0).astype(np.uint8), cv2.MORPH_CLOSE, seam) > 0)
    picture, cover[gaps] = fill(np.rint(picture).astype(np.uint8), gaps), 1.0
    figure = cover > 0.5
    seen = np.where(gaps, False, np.where(figure, seen, ~hidden))
    return picture, (2 * figure + seen).astype(np.uint8)
