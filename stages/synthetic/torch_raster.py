"""The z-buffer of the software renderer in torch, for GPUs: every triangle's samples at once, nearest one kept.

The same rules as raster.rasterise, in float32: a sample is in where no barycentric is negative, the nearer one wins,
and of two equally near ones the triangle that comes first. Fragments are made in goes of limited size, so memory is
bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stages.synthetic.raster import FRINGE, GARMENT

NO_TRIANGLE = -1
_FARTHEST = 0x7FFFFFFFFFFFFFFF
_DEPTH_BITS, _ROW_BITS = 30, 32


@dataclass(frozen=True)
class Surfaces:
    """What does not move between the frames of a person, on one device.

    triangles i64 [F,3] corners; part i64 [F]; uv, rest f32 [C,2], [C,3]; casts bool [F] into the shadow map
    alpha u8 [A] all alpha textures in one row; alpha_start i64, alpha_size i64 [parts,2] h w; alpha_min,
    shadow_alpha_min i64 [parts], 0 = no test, raster.DITHERED = thresholds that change from sample to sample
    cut f32 [parts,10] raster.Cut or raster.Fringe; cut_kind i64 [F] as raster.cut_kind; one_sided bool [F]
    """

    triangles: torch.Tensor
    part: torch.Tensor
    uv: torch.Tensor
    rest: torch.Tensor
    casts: torch.Tensor
    alpha: torch.Tensor
    alpha_start: torch.Tensor
    alpha_size: torch.Tensor
    alpha_min: torch.Tensor
    shadow_alpha_min: torch.Tensor
    cut: torch.Tensor
    cut_kind: torch.Tensor
    one_sided: torch.Tensor


@dataclass(frozen=True)
class Samples:
    """depth f32 [S,S] NDC (2 where empty); triangle i64 [S,S] (-1 where empty); bary f32 [S,S,3]."""

    depth: torch.Tensor
    triangle: torch.Tensor
    bary: torch.Tensor


def project(position: torch.Tensor, view_projection: torch.Tensor, size: int) -> torch.Tensor:
    """Samples x, y, NDC depth and 1/w of corners, f32 [C,4]. position f32 [C,3]; view_projection f32 [4,4]."""
    clip = position @ view_projection[:, :3].T + view_projection[:, 3]
    inverse_w = 1.0 / clip[:, 3]
    x = (clip[:, 0] * inverse_w * 0.5 + 0.5) * size
    y = (0.5 - clip[:, 1] * inverse_w * 0.5) * size
    return torch.stack([x, y, clip[:, 2] * inverse_w, inverse_w], 1)


def rasterise(
    screen: torch.Tensor, surfaces: Surfaces, size: int, *, shadow: bool, most_fragments: int = 1 << 24
) -> Samples:
    """The nearest surface of every sample.

    screen          f32 [C,4] from `project`
    size            S of the square canvas
    shadow          for the shadow map: parts that cast none are left out, alpha is tested more strictly
    most_fragments  samples tested in one go; bounds the memory (about 100 bytes each)
    """
    rows = torch.nonzero(surfaces.casts)[:, 0] if shadow else torch.arange(len(surfaces.part), device=screen.device)
    corners = screen[surfaces.triangles[rows]]  # [F, 3, 4]
    low = torch.ceil(corners[..., :2].amin(1) - 0.5).clamp(min=0).long()
    high = torch.floor(corners[..., :2].amax(1) - 0.5).clamp(max=size - 1).long()
    extent = (high - low + 1).clamp(min=0)
    area = _area(corners)
    usable = (corners[..., 3] > 0).all(1) & (area.abs() >= 1e-9) & (extent > 0).all(1)
    usable &= ~(surfaces.one_sided[rows] & (area > 0))
    rows, corners, low, extent = rows[usable], corners[usable], low[usable], extent[usable]
    ends = torch.cumsum(extent.prod(1), 0)
    nearest = torch.full((size * size,), _FARTHEST, dtype=torch.int64, device=screen.device)
    first, done = 0, 0
    while first < len(rows):
        last = max(int(torch.searchsorted(ends, done + most_fragments, right=True)), first + 1)
        go = slice(first, last)
        _draw(nearest, rows[go], corners[go], low[go], extent[go], surfaces, size, shadow=shadow)
        first, done = last, int(ends[last - 1])
    return _resolved(nearest, screen, surfaces, size)


def _draw(nearest, rows, corners, low, extent, surfaces: Surfaces, size: int, *, shadow: bool) -> None:
    """Lower `nearest` i64 [S*S] (depth in the upper bits, row of the triangle in the lower) by some triangles."""
    counts = extent.prod(1)
    which = torch.repeat_interleave(torch.arange(len(rows), device=rows.device), counts)
    within = torch.arange(len(which), device=rows.device) - (torch.cumsum(counts, 0) - counts)[which]
    x = low[which, 0] + within % extent[which, 0]
    y = low[which, 1] + within // extent[which, 0]
    flat = _barycentrics(corners[which], x, y)
    kept = (flat >= 0).all(1)
    which, x, y, flat = which[kept], x[kept], y[kept], flat[kept]
    corner = corners[which]
    depth = (flat * corner[..., 2]).sum(1)
    row = rows[which]
    bary = _perspective(flat, corner)
    seen = (depth < 2) & (depth > -2)
    seen &= _opaque(bary, row, x, y, surfaces, surfaces.shadow_alpha_min if shadow else surfaces.alpha_min)
    seen &= _uncut(bary, row, surfaces)
    key = ((depth[seen].double() + 2) / 4 * (1 << _DEPTH_BITS)).long() << _ROW_BITS | row[seen]
    nearest.scatter_reduce_(0, (y * size + x)[seen], key, "amin")


def _opaque(bary, row, x, y, surfaces: Surfaces, limits: torch.Tensor) -> torch.Tensor:
    """bool [N]: fragments that the alpha texture leaves standing."""
    part = surfaces.part[row]
    standing = torch.ones(len(row), dtype=torch.bool, device=row.device)
    tested = torch.nonzero(limits[part] != 0)[:, 0]
    part, x, y = part[tested], x[tested], y[tested]
    u, v = (bary[tested, :, None] * surfaces.uv[surfaces.triangles[row[tested]]]).sum(1).unbind(1)
    height, width = surfaces.alpha_size[part].unbind(1)
    line, column = ((1.0 - v) * height).trunc().long() % height, (u * width).trunc().long() % width
    alpha = surfaces.alpha[surfaces.alpha_start[part] + line * width + column].long()
    dithered = 36 + 60 * ((x & 1) ^ (y & 1)) + 105 * (y & 1)
    standing[tested] = alpha >= torch.where(limits[part] > 0, limits[part], dithered)
    return standing


def _uncut(bary: torch.Tensor, row: torch.Tensor, surfaces: Surfaces) -> torch.Tensor:
    """bool [N]: fragments that the garment's or the fringe's cut leaves standing; see raster.cut_away, fringe_away."""
    standing = torch.ones(len(row), dtype=torch.bool, device=row.device)
    for kind, away in ((GARMENT, _cut_away), (FRINGE, _fringe_away)):
        sewn = torch.nonzero(surfaces.cut_kind[row] == kind)[:, 0]
        place = (bary[sewn, :, None] * surfaces.rest[surfaces.triangles[row[sewn]]]).sum(1)
        standing[sewn] = ~away(*place.unbind(1), surfaces.cut[surfaces.part[row[sewn]]].unbind(1))
    return standing


def _cut_away(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, cut: tuple[torch.Tensor, ...]) -> torch.Tensor:
    low, neckline, depth, neck_width, v_shaped, reach, arm_x, shoulder_y, open_low, open_high = cut
    across = x.abs() / neck_width
    dip = torch.where(v_shaped > 0.5, (1 - across).clamp(min=0), torch.exp(-across * across))
    share = ((y - low) / 4).clamp(0, 1)
    half = open_low + (open_high - open_low) * share * share
    opened = (z > 0) & ((open_low > 0) | (open_high > 0)) & (x.abs() < half)
    beside, below = x.abs() - arm_x, shoulder_y - y
    sleeve = (beside > 0) & (below < 1.2 * beside + 1.3) & (0.64 * beside + 0.77 * below > reach)
    return opened | (y < low) | (y > torch.where(z > 0, neckline - depth * dip, neckline)) | sleeve


def _fringe_away(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, cut: tuple[torch.Tensor, ...]) -> torch.Tensor:
    brow, chin, half_width, front = cut[:4]
    ragged = 0.05 * torch.sin(23 * x) + 0.04 * torch.sin(61 * x + 1) + 0.03 * torch.sin(117 * x)
    inside = x.abs() < half_width * (1 - 0.12 * (brow - y)) + 0.3 * ragged
    return (z >= front) & (y >= chin) & (y <= brow + ragged) & inside


def _resolved(nearest: torch.Tensor, screen: torch.Tensor, surfaces: Surfaces, size: int) -> Samples:
    hit = nearest != _FARTHEST
    triangle = torch.where(hit, nearest & ((1 << _ROW_BITS) - 1), NO_TRIANGLE)
    place = torch.nonzero(hit)[:, 0]
    corner = screen[surfaces.triangles[triangle[place]]]
    flat = _barycentrics(corner, place % size, place // size)
    depth = torch.full((size * size,), 2.0, device=screen.device)
    depth[place] = (flat * corner[..., 2]).sum(1)
    bary = torch.zeros(size * size, 3, device=screen.device)
    bary[place] = _perspective(flat, corner)
    return Samples(depth.view(size, size), triangle.view(size, size), bary.view(size, size, 3))


def _area(corners: torch.Tensor) -> torch.Tensor:
    one, two = corners[:, 1, :2] - corners[:, 0, :2], corners[:, 2, :2] - corners[:, 0, :2]
    return one[:, 0] * two[:, 1] - two[:, 0] * one[:, 1]


def _barycentrics(corners: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Barycentrics on the screen of sample centres, f32 [N,3]. corners f32 [N,3,4]; x, y i64 [N]."""
    inverse = 1.0 / _area(corners)
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k, :2].unbind(1) for k in range(3))
    dx, dy = x + 0.5 - ax, y + 0.5 - ay
    b = (dx * (cy - ay) - dy * (cx - ax)) * inverse
    c = (dy * (bx - ax) - dx * (by - ay)) * inverse
    return torch.stack([1.0 - b - c, b, c], 1)


def _perspective(flat: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
    """Barycentrics on the surface from those on the screen."""
    weighted = flat * corners[..., 3]
    return weighted / weighted.sum(1, keepdim=True)
