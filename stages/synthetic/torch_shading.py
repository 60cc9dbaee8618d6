"""The shader of people in torch, for GPUs: the same rules as shading.shade, on all covered samples at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stages.synthetic import patterns
from stages.synthetic.detail import GLYPH_SIDE, SIDE, Detail
from stages.synthetic.lighting import SHADOW_TAPS, TYPICAL_GAP_DM
from stages.synthetic.raster import CUT_CLOTH, HAIR, SKIN, TEXTURED_CLOTH, LightTable
from stages.synthetic.shading import FOLD_SCALE, STREAKS_PER_DM
from stages.synthetic.torch_raster import Samples, Surfaces


@dataclass(frozen=True)
class Inputs:
    """Everything a picture's colours depend on; tensors of one device.

    materials  fields of raster.MaterialTable by name;  detail  as detail.Detail
    position, normal f32 [C,3] of the corners; surface f32 [F,3,4]; eye f32 [3]
    light      raster.LightTable; shadow_depth f32 [Z,Z]; shadow_matrix f64 [3,4]
    """

    materials: dict[str, torch.Tensor]
    detail: Detail
    position: torch.Tensor
    normal: torch.Tensor
    surface: torch.Tensor
    eye: torch.Tensor
    light: LightTable
    shadow_depth: torch.Tensor
    shadow_matrix: torch.Tensor


def shade(samples: Samples, surfaces: Surfaces, given: Inputs) -> torch.Tensor:
    """Linear light f32 [S,S,3]; 0 where nothing was drawn."""
    size = samples.depth.shape[0]
    y, x = torch.nonzero(samples.triangle >= 0, as_tuple=True)
    row, bary = samples.triangle[y, x], samples.bary[y, x]
    part, corner = surfaces.part[row], surfaces.triangles[row]
    kind = given.materials["kind"][part]

    def blended(values: torch.Tensor) -> torch.Tensor:
        return (bary[:, :, None] * values).sum(1)

    normal = _unit(blended(given.normal[corner]))
    point = blended(given.position[corner])
    to_eye = _unit(given.eye - point)
    turned = (kind != SKIN) & ((normal * to_eye).sum(1) < 0)
    normal = torch.where(turned[:, None], -normal, normal)
    u, v = blended(surfaces.uv[corner]).unbind(1)
    place = blended(given.surface[row])
    colour = _texel(given.materials, part, u, v)
    tangent, has_tangent = _tangents(given.position[corner], given.surface[row])
    sheen = torch.zeros(len(row), device=row.device)
    openness = torch.ones(len(row), device=row.device)

    skin_or_plain = (kind == SKIN) | (kind > CUT_CLOTH)
    tinted = colour * given.materials["tint"][part] * given.materials["gain"][part][:, None]
    colour = torch.where(skin_or_plain[:, None], tinted, colour)
    at = torch.nonzero(kind == SKIN)[:, 0]
    colour[at] = _skin(given, part[at], u[at], v[at], place[at], colour[at])
    at = torch.nonzero(kind == HAIR)[:, 0]
    colour[at], sheen[at] = _hair(given, part[at], place[at], colour[at])
    at = torch.nonzero((kind == TEXTURED_CLOTH) | (kind == CUT_CLOTH))[:, 0]
    colour[at] = _cloth(given, part[at], place[at], kind[at], colour[at])
    at = at[(given.materials["relief"][part[at]] > 0) & has_tangent[at]]
    bump = _fold(given, place[at], given.materials["relief"][part[at]])
    normal[at] = _unit(normal[at] - bump[:, :1] * tangent[at, 0] - bump[:, 1:2] * tangent[at, 1])
    openness[at] = (1 + 0.3 * bump[:, 2]).clamp(0.6, 1.12)

    light = {name: torch.as_tensor(value, device=row.device) for name, value in given.light._asdict().items()}
    facing = normal @ light["key_direction"]
    lit = torch.where(facing < -0.35, 0.0, _lit_share(given, point, facing, (x & 1) + 2 * (y & 1)))
    halfway = light["key_direction"] + to_eye
    length = halfway.norm(dim=1)
    gloss = 0.08 * ((normal * halfway).sum(1) / length).clamp(min=0) ** 16
    wrap = (facing.clamp(min=0) * lit)[:, None].repeat(1, 3)
    scattered = [((facing + k) / (1 + k)).clamp(min=0) * lit for k in (0.35, 0.12, 0.08)]
    scattered[0] = ((facing + 0.35) / 1.35).clamp(min=0) * (lit * 0.88 + 0.12)
    wrap = torch.where((kind == SKIN)[:, None], torch.stack(scattered, 1), wrap)
    sideways = ((facing + 0.3) / 1.3).clamp(min=0) * (lit * 0.9 + 0.1)
    wrap = torch.where((kind == HAIR)[:, None], sideways[:, None], wrap)
    along = (tangent[:, 1] * halfway).sum(1) / length
    band = (1 - along * along).clamp(min=0) ** 14
    band = torch.where((sheen > 0) & (facing > -0.2) & has_tangent, sheen * band, 0.0)
    gloss = torch.where(kind == HAIR, 0.035 * band, gloss)
    colour = torch.where((kind == HAIR)[:, None], colour * (1 + 1.3 * band[:, None]), colour)

    fill = (normal @ light["fill_direction"]).clamp(min=0)
    rim = (normal @ light["rim_direction"]).clamp(min=0)
    rim = rim * (0.3 + 0.7 * (1 - (normal * to_eye).sum(1).clamp(min=0)) ** 2)
    up = normal[:, 1:2] * 0.5 + 0.5
    received = wrap * light["key_colour"] + light["ambient_down"] + (light["ambient_up"] - light["ambient_down"]) * up
    received = received + rim[:, None] * light["rim_colour"]
    received = (received + fill[:, None] * light["fill_colour"]) * openness[:, None]
    out = torch.zeros(size, size, 3, device=row.device)
    out[y, x] = (colour * received + (gloss * lit)[:, None]).float()
    return out


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-6)


def _grain(grain: torch.Tensor, column: torch.Tensor, row: torch.Tensor, channel: int) -> torch.Tensor:
    return grain[row.floor().long() & (SIDE - 1), column.floor().long() & (SIDE - 1), channel]


def _bilinear(ax: torch.Tensor, ay: torch.Tensor):
    """The four corners of a cell and their weights, as (dx, dy, weight)."""
    for k in range(4):
        yield k & 1, k >> 1, (ax if k & 1 else 1 - ax) * (ay if k >> 1 else 1 - ay)


def _texel(materials: dict[str, torch.Tensor], part: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    height, width = materials["texture_size"][part].unbind(1)
    fx, fy = u * width - 0.5, (1 - v) * height - 0.5
    ix, iy = fx.floor().long(), fy.floor().long()
    texels = materials["texel"].view(-1, 3)
    colour = torch.zeros(len(part), 3, device=part.device)
    for dx, dy, weight in _bilinear(fx - ix, fy - iy):
        index = materials["texel_start"][part] // 3 + (iy + dy) % height * width + (ix + dx) % width
        colour += weight[:, None] * texels[index]
    return colour


def _luma(colour: torch.Tensor) -> torch.Tensor:
    return 0.3 * colour[:, 0] + 0.6 * colour[:, 1] + 0.1 * colour[:, 2]


def _skin(given: Inputs, part, u, v, place, colour) -> torch.Tensor:
    grain, materials = given.detail.grain, given.materials
    fine = _grain(grain, u * 1100, v * 1100, 1)
    scalp, beard, lips, freckles = place.unbind(1)
    roots = (scalp * (0.9 + 0.35 * fine)).clamp(0, 1)[:, None]
    hairs = _grain(grain, u * 3100, v * 3100, 1)[:, None]
    stubble = (beard[:, None] * (0.95 + 0.4 * hairs)).clamp(0, 0.94)
    spots = torch.where(freckles > 0.02, freckles * _grain(grain, u * 1500, v * 1500, 2), 0.0)[:, None]
    blush = 0.05 * _grain(grain, u * 420, v * 420, 3)[:, None]
    channel = torch.arange(3, device=part.device)
    value = colour * (1 + 0.06 * fine[:, None]) * (1 + blush * (1 - 0.6 * channel))
    value = value * (1 - spots * (0.3 + 0.12 * channel))
    value = value + (materials["tint3"][part] * (0.7 + 0.5 * value) - value) * lips[:, None]
    value = value + (materials["tint2"][part] * 0.75 - value) * roots
    return value + (materials["tint2"][part] * (0.9 + 0.35 * hairs) - value) * stubble


def _hair(given: Inputs, part, place, colour) -> tuple[torch.Tensor, torch.Tensor]:
    """Colour [N,3] and the strength of the sheen [N]."""
    grain, materials = given.detail.grain, given.materials
    curl = materials["relief"][part]
    around, along = place[:, 0], place[:, 1]
    streak = _grain(grain, around * STREAKS_PER_DM, along * 14 + 9 * torch.sin(along * 2), 0)
    coarse = _grain(grain, around * 24 + 5 * torch.sin(along * 1.7), along * 6, 0)
    knot = _grain(grain, around * 60, along * 60, 1) + 0.7 * _grain(grain, around * 34, along * 34, 3)
    from_texture = (_luma(colour) * materials["gain"][part]).clamp(min=0).sqrt().clamp(max=1.8)
    strands = (0.35 + 0.65 * from_texture) * (1 + 0.32 * streak + 0.3 * coarse)
    shade = (strands * (1 - curl) + (0.9 + 0.55 * knot) * curl) * (0.78 + 0.3 * place[:, 2])
    tip = 1 + (materials["tint3"][part] - 1) * place[:, 2:3]
    sheen = (0.55 + 0.6 * streak + 0.3 * coarse) * (1 - 0.75 * curl)
    return shade.clamp(min=0.12)[:, None] * materials["tint"][part] * tip, sheen


def _cloth(given: Inputs, part, place, kind, colour) -> torch.Tensor:
    materials = given.materials
    luma = _luma(colour)[:, None]
    second, third = _pattern(given, part, place[:, 0], place[:, 1])
    first = materials["tint"][part]
    dyed = first + (materials["tint2"][part] - first) * second[:, None]
    dyed = dyed + (materials["tint3"][part] - dyed) * third[:, None]
    mix = materials["pattern_mix"][part][:, None]
    kept = luma + (colour - luma) * materials["saturation"][part][:, None]
    woven = kept * 2 * materials["gain"][part][:, None] * (first * (1 - mix) + dyed * mix)
    colour = torch.where((kind == CUT_CLOTH)[:, None], colour * dyed, woven)
    ink = _print(given, part, place)[:, None]
    return colour + (materials["tint3"][part] * (luma * 2).clamp(max=1) - colour) * ink


def _print(given: Inputs, part, place) -> torch.Tensor:
    """How much ink of the printed shape lies on the cloth, f32 [N] 0..1."""
    left, top, per_width, per_height = given.materials["glyph_box"][part].unbind(1)
    gx = (place[:, 0] - left) * per_width * GLYPH_SIDE - 0.5
    gy = (top - place[:, 1]) * per_height * GLYPH_SIDE - 0.5
    inside = (gx >= 0) & (gx < GLYPH_SIDE - 1) & (gy >= 0) & (gy < GLYPH_SIDE - 1)
    inside &= given.materials["glyph"][part] >= 0
    at = torch.nonzero(inside)[:, 0]
    ink = torch.zeros(len(part), device=part.device)
    gx, gy, shape = gx[at], gy[at], given.materials["glyph"][part[at]]
    ix, iy = gx.long(), gy.long()
    for dx, dy, weight in _bilinear(gx - ix, gy - iy):
        ink[at] += weight * given.detail.glyphs[shape, iy + dy, ix + dx]
    return ink


def _pattern(given: Inputs, part, s, t) -> tuple[torch.Tensor, torch.Tensor]:
    """Strengths of the second and third colour, f32 [N] each; see patterns.pattern."""
    kind, scale, grain = given.materials["pattern"][part], given.materials["pattern_scale"][part], given.detail.grain
    x, y = s * scale, t * scale
    fx, fy = x - x.floor(), y - y.floor()
    zero = torch.zeros_like(x)
    wx, wy = x + 0.35 * _grain(grain, x * 14, y * 14, 3), y + 0.35 * _grain(grain, x * 14 + 70, y * 14 + 40, 3)
    wx, wy = wx - wx.floor() - 0.5, wy - wy.floor() - 0.5
    radius, petal = (wx * wx + wy * wy).sqrt(), 0.24 + 0.1 * torch.cos(5 * torch.atan2(wy, wx))
    outside = torch.where(_grain(grain, x * 25, y * 25, 3) > 0.45, 0.5, 0.0)
    slanted, zigzag = x + y, y + 0.6 * (fx - 0.5).abs()
    across, along = (fx - 0.5).abs(), (fy - 0.5).abs()

    def yes(condition: torch.Tensor) -> torch.Tensor:
        return condition.float()

    table = {
        patterns.STRIPES: (yes(fy >= 0.5), zero),
        patterns.GINGHAM: (0.5 * yes(fy >= 0.5) + 0.5 * yes(fx >= 0.5), zero),
        patterns.DOTS: (yes((fx - 0.5) ** 2 + (fy - 0.5) ** 2 < 0.0625), zero),
        patterns.CAMOUFLAGE: (
            yes(_grain(grain, x * 9, y * 9, 3) > 0.12),
            yes(_grain(grain, x * 11 + 97, y * 11 + 31, 3) > 0.3),
        ),
        patterns.FLORAL: (
            yes((radius >= 0.08) & (radius < petal)),
            torch.where(radius < 0.08, 1.0, torch.where(radius < petal, 0.0, outside)),
        ),
        patterns.UPRIGHT: (yes(fx >= 0.5), zero),
        patterns.FADE: ((0.5 + (t - 2.5) * 0.22).clamp(0, 1), zero),
        patterns.TARTAN: (
            0.45 * yes((fy > 0.2) & (fy < 0.62)) + 0.45 * yes((fx > 0.2) & (fx < 0.62)),
            0.8 * yes(((fx > 0.78) & (fx < 0.86)) | ((fy > 0.78) & (fy < 0.86))),
        ),
        patterns.DIAGONAL: (yes(slanted - slanted.floor() < 0.4), zero),
        patterns.BLOCK: (yes(t > 3.3), yes((t > 3.05) & (t < 3.3))),
        patterns.DIAMONDS: (yes(across + along < 0.4), 0.9 * yes((across - along).abs() < 0.05)),
        patterns.ZIGZAG: (yes(zigzag - zigzag.floor() < 0.5), zero),
    }
    second, third = zero, zero
    for number, (two, three) in table.items():
        second, third = torch.where(kind == number, two, second), torch.where(kind == number, three, third)
    return second, third


def _tangents(corners: torch.Tensor, surface: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """World directions [N,2,3] of growing s and t on each sample's triangle, and bool [N] where there are any."""
    ds1, dt1 = (surface[:, 1, :2] - surface[:, 0, :2]).unbind(1)
    ds2, dt2 = (surface[:, 2, :2] - surface[:, 0, :2]).unbind(1)
    turned = ds1 * dt2 - ds2 * dt1
    known = turned.abs() >= 1e-7
    safe = torch.where(known, turned, 1.0)[:, None]
    e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    both = [(e1 * dt2[:, None] - e2 * dt1[:, None]) / safe, (e2 * ds1[:, None] - e1 * ds2[:, None]) / safe]
    return torch.stack([_unit(vector) for vector in both], 1), known


def _fold(given: Inputs, place: torch.Tensor, relief: torch.Tensor) -> torch.Tensor:
    """Slope along s, along t, and height of the folds, f32 [N,3]."""
    x, y = place[:, 0] * FOLD_SCALE, place[:, 1] * FOLD_SCALE
    ix, iy = x.floor().long(), y.floor().long()
    out = torch.zeros(len(place), 3, device=place.device)
    for dx, dy, weight in _bilinear(x - ix, y - iy):
        there = given.detail.folds[(iy + dy) & (SIDE - 1), (ix + dx) & (SIDE - 1)]
        slopes = (place[:, 2] * relief)[:, None] * there[:, :3] + (place[:, 3] * relief)[:, None] * there[:, 3:]
        out += weight[:, None] * slopes
    return out


def _lit_share(given: Inputs, point: torch.Tensor, facing: torch.Tensor, turn: torch.Tensor) -> torch.Tensor:
    """Share of shadow map samples that see the light, f32 [N]; see lighting.lit_share."""
    size, light = given.shadow_depth.shape[0], given.light
    reach = min(max(0.5 * float(light.spread) * TYPICAL_GAP_DM / max(float(light.texel_dm), 1e-6), 0.7), 9.0)
    matrix = given.shadow_matrix.float()
    sx, sy, sz = (point @ matrix[:, :3].T + matrix[:, 3]).unbind(1)
    edge = reach + 2
    inside = (sx > edge) & (sx < size - edge) & (sy > edge) & (sy < size - edge)
    bias = 0.003 + (0.005 + 0.0016 * reach) * (1 - facing.clamp(min=0))
    taps = torch.as_tensor(SHADOW_TAPS, device=point.device)[turn] * reach
    column = (sx[:, None] + taps[..., 0]).trunc().long().clamp(0, size - 1)
    line = (sy[:, None] + taps[..., 1]).trunc().long().clamp(0, size - 1)
    share = (given.shadow_depth[line, column] > (sz - bias)[:, None]).float().mean(1)
    return torch.where(inside, share, 1.0)
