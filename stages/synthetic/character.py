"""A person as one deformable mesh: parts joined, skin pulled under cloth, posed by bone rotations and expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.synthetic import kernels, raster
from stages.synthetic.assets import Assets
from stages.synthetic.landmarks import BODY_VERTICES as BODY_VERTICES
from stages.synthetic.landmarks import landmarks
from stages.synthetic.parts import Part
from stages.synthetic.surface import looseness, part_surface

_PLACES = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [1 / 3, 1 / 3, 1 / 3]]
)
COVER_DISTANCE_DM = 0.28
MAX_PULL_DM = 0.22
TRAIL_MOMENTS_S = (1 / 24, 2 / 24, 3 / 24)
TRAIL_WEIGHTS = (0.45, 0.33, 0.22)


@dataclass(frozen=True)
class Pose:
    """Bone transforms float32 [B + 1, 3, 4] (world from rest), bone heads and tails float64 [B, 3], decimetres."""

    transform: np.ndarray
    head_dm: np.ndarray
    tail_dm: np.ndarray


@dataclass(frozen=True)
class About:
    """What is known of a person without looking: seed, phenotype words, part names (for the list of credits)."""

    seed: int
    male: bool
    age_years: float
    origin: str
    outfit: str
    skin: str
    hair: str
    parts: tuple[str, ...] = field(default_factory=tuple)


class Character:
    """State of one person: constant arrays over all parts, and the buffers `position` and `normal` of the last pose.

    rest_dm        f32 [V, 3] base mesh at rest; head_dm, tail_dm f64 [B, 3] bones at rest
    position       f32 [P, 3] world decimetres of all points; normal f32 [P, 3]
    corner_point   i32 [C] point of each corner; uv f32 [C, 2]; rest_corner_dm f32 [C, 3]
    part_triangles list of i32 [F, 3] over corners, one array a part; the first part_whole[n] of them lie wholly inside
                   the cut of the garment;  surface f32 [F, 3, 4], see surface.py
    looseness      f32 [P] 0..1, how far a point lags behind the body: long hair, hems of skirts and coats
    """

    def __init__(
        self, assets: Assets, rest_dm: np.ndarray, parts: list[Part], about: About, tucked: Character | None = None
    ) -> None:
        self.assets = assets
        self.about = about
        self.parts = parts
        self.rest_dm = rest_dm.astype(np.float32)
        self.head_dm = np.stack([rest_dm[ids].mean(0) for ids in assets.head_vertices]).astype(np.float64)
        self.tail_dm = np.stack([rest_dm[ids].mean(0) for ids in assets.tail_vertices]).astype(np.float64)
        starts = np.cumsum([0] + [len(part.corner) for part in parts])
        corner_starts = np.cumsum([0] + [len(part.surface.vertex) for part in parts])
        self.part_points = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True))
        self._corner = np.concatenate([part.corner for part in parts])
        self._weight = np.concatenate([part.weight for part in parts])
        self._offset = np.concatenate([part.offset for part in parts])
        largest = [kernels.largest_weights(part.skinning) for part in parts]
        self._bone, self._bone_weight = (np.concatenate(arrays) for arrays in zip(*largest, strict=True))
        self.corner_point = np.concatenate([p.surface.vertex + s for p, s in zip(parts, starts, strict=False)])
        self.uv = np.concatenate([part.surface.uv for part in parts])
        self.part_triangles = [p.surface.triangles + s for p, s in zip(parts, corner_starts, strict=False)]
        self._point_triangles = np.concatenate([self.corner_point[triangles] for triangles in self.part_triangles])
        count = int(starts[-1])
        self._fitted = np.empty((count, 3), np.float32)
        self.position = np.empty((count, 3), np.float32)
        self.normal = np.empty((count, 3), np.float32)
        self._expressed = self.rest_dm.copy()
        self._fit(self.rest_dm)
        self.rest_corner_dm = self._fitted[self.corner_point].copy()
        if tucked is None:
            self._tuck_in()
        else:  # what it found for the first parts holds: the others cover nothing
            self._offset[: len(tucked._offset)] = tucked._offset
            self.part_triangles[: len(tucked.parts)] = tucked.part_triangles
        self.part_whole = [self._sort_by_cut(index) for index in range(len(parts))]
        marks = landmarks(assets, self.rest_dm)
        rest = [self._fitted[first:last] for first, last in self.part_points]
        self.surface = np.concatenate(
            [
                part_surface(part, points, self.corner_point[triangles] - first, marks)
                for part, points, triangles, (first, _) in zip(
                    parts, rest, self.part_triangles, self.part_points, strict=True
                )
            ]
        )
        self.looseness = np.concatenate(
            [looseness(part, points, marks) for part, points in zip(parts, rest, strict=True)]
        )
        self._loose = np.flatnonzero(self.looseness > 0).astype(np.int32)

    @property
    def trail_moments(self) -> tuple[float, ...]:
        """How many seconds back `pose` wants to know of for hair and hems to lag; empty when nothing is loose."""
        return TRAIL_MOMENTS_S if len(self._loose) else ()

    def with_parts(self, extra: list[Part]) -> Character:
        """The same person with more parts: things held or sat on."""
        tucked = None if any(part.material.covers for part in extra) else self
        return Character(self.assets, self.rest_dm, [*self.parts, *extra], self.about, tucked)

    @property
    def height_dm(self) -> float:
        """Crown to sole at rest."""
        body_y = self.rest_dm[:BODY_VERTICES, 1]
        return float(body_y.max() - body_y.min())

    def joint(self, bone: str) -> np.ndarray:
        """Head of a bone at rest, float64 [3]."""
        return self.head_dm[self.assets.bone_index[bone]]

    def transforms(self, rotations: dict[str, np.ndarray], root_shift_dm: np.ndarray) -> np.ndarray:
        """World-from-rest transforms float64 [B + 1, 3, 4] of local rotations given about the rest pose's world axes.

        The last row is the world itself: the identity.
        """
        count = len(self.assets.bone_names)
        local = np.tile(np.eye(3), (count, 1, 1))
        for name, rotation in rotations.items():
            local[self.assets.bone_index[name]] = rotation
        out = np.zeros((count + 1, 3, 4))
        kernels.chain(self.assets.parents, self.head_dm, local, np.asarray(root_shift_dm, np.float64), out)
        return out

    def pose(
        self,
        rotations: dict[str, np.ndarray],
        expression: dict[str, float],
        root_shift_dm: np.ndarray,
        trail: Sequence[np.ndarray] = (),
    ) -> Pose:
        """Deform every point into `position` and `normal`, and return where the bones went.

        rotations      bone name -> float64 [3, 3]; a missing bone keeps its rest rotation
        expression     ARKit name -> weight 0..1
        root_shift_dm  float64 [3] world shift of the root
        trail          what `transforms` gave at the moments of `trail_moments`, newest first; without it nothing lags
        """
        transforms = self.transforms(rotations, root_shift_dm)
        self._fit(self.expressed(expression))
        kernels.skin(self._fitted, self._bone, self._bone_weight, transforms.astype(np.float32), self.position)
        if len(trail) and len(self._loose):
            kernels.lag(
                self._fitted,
                self._bone,
                self._bone_weight,
                self._loose,
                self.looseness,
                np.stack(trail).astype(np.float32),
                np.array(TRAIL_WEIGHTS[: len(trail)], np.float32) / np.float32(sum(TRAIL_WEIGHTS[: len(trail)])),
                self.position,
            )
        kernels.vertex_normals(self.position, self._point_triangles, self.normal)
        bones = transforms[:-1]
        return Pose(transforms.astype(np.float32), _moved(bones, self.head_dm), _moved(bones, self.tail_dm))

    def expressed(self, expression: dict[str, float]) -> np.ndarray:
        """The base mesh at rest with an expression, f32 [V, 3]; a buffer that the next call overwrites."""
        self._expressed[:] = self.rest_dm
        for name, weight in expression.items():
            if abs(weight) > 1e-3:
                index, delta = self.assets.arkit[name]
                kernels.add_morph(self._expressed, index, delta, np.float32(weight))
        return self._expressed

    def expressed_rest(self) -> np.ndarray:
        """The base mesh at rest with the expression of the last pose, f32 [V, 3]; read it, do not change it."""
        return self._expressed

    def _fit(self, base: np.ndarray) -> None:
        kernels.fit_to_base(base, self._corner, self._weight, self._offset, self._fitted)

    def _tuck_in(self) -> None:
        """Pull skin and inner garments below outer ones, and leave out the triangles of skin that nothing can see.

        Near the neck less is pulled and a wider rim of skin is kept, because collars stand open and let one look in.
        """
        from scipy.spatial import cKDTree

        garments = [index for index, part in enumerate(self.parts) if part.material.covers]
        if not garments:
            return
        body = next(index for index, part in enumerate(self.parts) if part.name == "body")
        first, last = self.part_points[body]
        kernels.vertex_normals(self._fitted, self._point_triangles, self.normal)
        neck_y = self.joint("neck01")[1]
        covered = np.zeros(last - first, bool)
        for layer, garment in enumerate(garments):
            cloth, cloth_normal = self._cloth_samples(garment)
            tree = cKDTree(cloth)
            for inner_first, inner_last in [(first, last)] + [self.part_points[index] for index in garments[:layer]]:
                points = self._fitted[inner_first:inner_last]
                distance, nearest = tree.query(points, distance_upper_bound=COVER_DISTANCE_DM)
                close = np.isfinite(distance)
                outside = ((points[close] - cloth[nearest[close]]) * cloth_normal[nearest[close]]).sum(1)
                pull = np.zeros(len(points), outside.dtype)
                pull[close] = np.clip(outside + 0.06, 0.03, MAX_PULL_DM)
                near_neck = np.clip((points[:, 1] - (neck_y - 0.7)) / 0.5, 0.0, 1.0)
                pull *= 1.0 - 0.6 * near_neck
                self._offset[inner_first:inner_last] -= (self.normal[inner_first:inner_last] * pull[:, None]).astype(
                    np.float32
                )
                if inner_first == first:
                    covered |= close & (near_neck < 0.5)
        corners = self.parts[body].surface
        triangle_points = corners.vertex[corners.triangles]
        for _ in range(2):  # keep two rings of skin around every opening
            rim = (~covered)[triangle_points].any(1)
            covered[triangle_points[rim].ravel()] = False
        self.part_triangles[body] = self.part_triangles[body][~covered[triangle_points].all(1)]

    def _sort_by_cut(self, index: int) -> int:
        """Drop triangles that a garment's cut takes away whole, sort those it leaves whole to the front, count these.

        Seven places of a triangle are looked at.
        """
        cut = self.parts[index].material.cut
        if raster.cut_kind(cut) != raster.GARMENT:
            return 0
        triangles = self.part_triangles[index]
        places = np.einsum("sk,fkx->fsx", _PLACES, self.rest_corner_dm[triangles]).astype(np.float32)
        inside = _inside_cut(places.reshape(-1, 3), cut).reshape(len(triangles), -1)
        whole = inside.all(1)
        self.part_triangles[index] = np.concatenate([triangles[whole], triangles[inside.any(1) & ~whole]])
        return int(whole.sum())

    def _cloth_samples(self, garment: int) -> tuple[np.ndarray, np.ndarray]:
        """Points and normals of a garment's drawn triangles (their corners and centres)."""
        first, last = self.part_points[garment]
        triangles = self.corner_point[self.part_triangles[garment]]
        centres = self._fitted[triangles].mean(1)
        material = self.parts[garment].material
        if material.kind == raster.CUT_CLOTH:
            drawn = _inside_cut(centres, material.cut)
            triangles, centres = triangles[drawn], centres[drawn]
        used = np.unique(triangles)
        points = np.concatenate([self._fitted[used], centres])
        return points, np.concatenate([self.normal[used], self.normal[triangles].mean(1)])


def _inside_cut(points: np.ndarray, cut: raster.Cut) -> np.ndarray:
    """True where a cut garment is drawn; the rasteriser's own rule. points f32 [N, 3] at rest."""
    inside = np.empty(len(points), bool)
    raster.inside_cut(points, np.array(cut, np.float64), inside)
    return inside


def _moved(transforms: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.einsum("bij,bj->bi", transforms[:, :, :3], points) + transforms[:, :, 3]
