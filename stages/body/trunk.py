"""A torso as a tube: an ellipse at every height, about the line from the shoulders to the hips, twisted between them.

A torso that is moved flat gets as wide as it was seen: from the side it is drawn out to shoulder width, from the front
pressed together. On the tube what the picture shows turns as cloth on a body does; what the reference does not show is
the mirror image of what it does, beginning where it ends.
Source: our own; cylinders for trunks since Sidenbladh, Black and Fleet 2000.
"""

from dataclasses import dataclass

import numpy as np

# Ellipses by height, 0 at the shoulder joints, 1 at the hips: half axes and how far the middle lies before the line,
# in distances of the shoulder joints. Means of 24 training people, and 0.03 of cloth, as printed by
# python -m stages.training.trunk_shape (but for the first half depth: 0.305 there); people spread by 0.02 to 0.05.
# Above the shoulders it goes on.
HEIGHT = np.array([-0.05, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 1.0])
HALF_WIDTH = np.array([0.53, 0.525, 0.51, 0.46, 0.42, 0.445, 0.47, 0.435])
HALF_DEPTH = np.array([0.31, 0.355, 0.365, 0.34, 0.315, 0.325, 0.36, 0.355])
AHEAD = np.array([-0.015, 0.03, 0.055, 0.075, 0.09, 0.085, 0.055, 0.04])
_NAPE, _NAPE_WIDTH = -0.08, 0.6  # height up to which shoulders rise beside the neck; share of the width there
_LENGTH = 1.3  # of a torso whose hips are not drawn, in distances of the shoulder joints
_PASSES = 3  # of the search for the height that a pixel shows
_LEAST = 0.3  # of the line from shoulders to hips in the picture, in distances of the shoulder joints
_EDGEWISE = 0.15  # cosine between surface and camera up to which the reference is taken not to show it


@dataclass(frozen=True)
class Trunk:
    """A torso before a camera that looks along z, px.

    corners  float [4, 3] left shoulder, right shoulder, right hip, left hip; hips NaN where they are not known
    """

    corners: np.ndarray

    @property
    def has_hips(self) -> bool:
        """Whether the hips are known."""
        return bool(np.isfinite(self.corners[2:]).all())


@dataclass(frozen=True)
class _Axes:
    """The line of a tube and its directions: px and unit vectors [3]; `down`, `aside` in the picture [2]."""

    top: np.ndarray
    line: np.ndarray
    across: tuple[np.ndarray, np.ndarray]
    size: float
    down: np.ndarray
    aside: np.ndarray


@dataclass(frozen=True)
class _Ellipses:
    """Middle [n, 3] and half axes [n, 3] of the ellipses at n heights, px."""

    middle: np.ndarray
    wide: np.ndarray
    deep: np.ndarray

    def at(self, angle: np.ndarray) -> np.ndarray:
        return np.cos(angle)[:, None] * self.wide + np.sin(angle)[:, None] * self.deep

    def rim(self, aside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Half the width in the picture along `aside` [2], px [n], and the angle that lies farthest there [n]."""
        wide, deep = self.wide[:, :2] @ aside, self.deep[:, :2] @ aside
        return np.maximum(np.hypot(wide, deep), 1e-6), np.arctan2(deep, wide)

    def facing(self) -> np.ndarray:
        """Angle [n] of the surface that looks at the camera most."""
        wide2, deep2 = (np.square(axis).sum(1) for axis in (self.wide, self.deep))
        return np.arctan2(-self.deep[:, 2] * wide2, -self.wide[:, 2] * deep2)


def turned(there: Trunk, here: Trunk, x, y):
    """Where pixels (x, y) of a torso lie in another picture: where its colours are, px [n, 2], where to ask whether the
    torso reaches so far, px [n, 2], and whether that side is seen there, bool [n].

    there, here  Trunk of the picture that is drawn and of the other;  x, y  float [n]
    Beside the tube is what lies as far beside it in the other picture.
    """
    hips = there.has_hips and here.has_hips
    drawn, other = _axes(there, hips), _axes(here, hips)
    places = np.stack([x, y], -1).astype(np.float64)
    height, beside, angle, tube = _lying(drawn, places)
    width = tube.rim(drawn.aside)[0]
    scale = other.size / drawn.size
    beyond = scale * np.sign(beside) * np.maximum(np.abs(beside) - 1.0, 0.0) * width
    missed = scale * ((places - tube.middle[:, :2] - tube.at(angle)[:, :2]) @ drawn.down)  # what the search left over
    tube = _ellipses(other, height)
    width, rim = tube.rim(other.aside)
    facing = tube.facing()
    away = (angle - facing + np.pi) % (2 * np.pi) - np.pi
    mirrored = np.where(np.abs(away) > np.pi / 2, np.sign(away) * (np.pi - np.abs(away)), away)
    colour = (tube.middle + tube.at(facing + mirrored))[:, :2]
    colour = colour + beyond[:, None] * other.aside + missed[:, None] * other.down
    along = np.clip(beside, -1.0, 1.0)
    level = tube.at(_nearer(tube, rim, np.arccos(along)))[:, :2] @ other.down + missed
    outline = tube.middle[:, :2] + (along * width + beyond)[:, None] * other.aside + level[:, None] * other.down
    return colour, outline, np.cos(away) > _EDGEWISE


def outline_px(trunk: Trunk, share: float) -> np.ndarray:
    """px [n, 2]: both sides of a tube of a share of the width, from the shoulders to the hips, and where they rise to
    the neck."""
    axes = _axes(trunk, trunk.has_hips)
    tube = _ellipses(axes, np.append(_NAPE, np.linspace(0.0, 1.0, 5)))
    width = share * tube.rim(axes.aside)[0]
    width[0] *= _NAPE_WIDTH
    return np.concatenate([tube.middle[:, :2] + side * width[:, None] * axes.aside for side in (-1.0, 1.0)])


def on_tube(trunk: Trunk, x, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How high pixels x, y float [n] lie on a torso (0 at the shoulder joints, 1 at the hips), how far beside its
    middle (-1 and 1 at the sides of the tube), and half the tube's width there, px; float [n] each."""
    axes = _axes(trunk, trunk.has_hips)
    height, aside, _, tube = _lying(axes, np.stack([x, y], -1).astype(np.float64))
    return height, aside, tube.rim(axes.aside)[0]


def _lying(axes: _Axes, places) -> tuple[np.ndarray, np.ndarray, np.ndarray, _Ellipses]:
    """Of pixels [n, 2] of a torso: height, how far beside the middle, in half widths, angle, and ellipses there."""
    height, off = np.zeros(len(places)), np.zeros(len(places))
    long = max(float(axes.line[:2] @ axes.down), _LEAST * axes.size)
    for _ in range(_PASSES):
        height = ((places - axes.top[:2]) @ axes.down - off) / long
        tube = _ellipses(axes, height)
        width, rim = tube.rim(axes.aside)
        aside = ((places - tube.middle[:, :2]) @ axes.aside) / width
        angle = _nearer(tube, rim, np.arccos(np.clip(aside, -1.0, 1.0)))
        off = (tube.middle - axes.top - height[:, None] * axes.line + tube.at(angle))[:, :2] @ axes.down
    return height, aside, angle, tube


def _nearer(tube: _Ellipses, rim, away) -> np.ndarray:
    """Of the two angles as far away from the rim the one that is nearer to the camera."""
    one, other = rim + away, rim - away
    return np.where(tube.at(one)[:, 2] <= tube.at(other)[:, 2], one, other)


def _axes(trunk: Trunk, hips: bool) -> _Axes:
    left, right, right_hip, left_hip = trunk.corners
    shoulders = left - right
    size = max(float(np.linalg.norm(shoulders)), 1e-6)
    top, across = 0.5 * (left + right), shoulders / size
    if hips:
        line = 0.5 * (left_hip + right_hip) - top
        below = (left_hip - right_hip) / max(float(np.linalg.norm(left_hip - right_hip)), 1e-6)
    else:
        line, below = np.array([0.0, 1.0, 0.0]) - across[1] * across, across
        line = _LENGTH * size * line / max(float(np.linalg.norm(line)), 1e-6)
    down = line[:2] + 1e-3 * size * np.array([0.0, 1.0])
    down = down / max(float(np.linalg.norm(down)), 1e-6)
    return _Axes(top, line, (across, below), size, down, np.array([down[1], -down[0]]))


def _ellipses(axes: _Axes, height: np.ndarray) -> _Ellipses:
    share = np.clip(height, 0.0, 1.0)[:, None]
    wide, deep = (
        _unit((1.0 - share) * above + share * below)
        for above, below in (axes.across, tuple(np.cross(axes.line, across) for across in axes.across))
    )
    half_width, half_depth, ahead = (
        axes.size * np.interp(height, HEIGHT, of)[:, None] for of in (HALF_WIDTH, HALF_DEPTH, AHEAD)
    )
    return _Ellipses(axes.top + height[:, None] * axes.line + ahead * deep, half_width * wide, half_depth * deep)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-6)[:, None]
