"""Textures made here: a painted skin, irises, and the repair of garments that carry a trademark."""

from __future__ import annotations

import numpy as np

from stages.synthetic.parse import Surface

SKIN_SIZE_PX = 512
IRIS_COLOURS_01 = {
    "brown": (0.30, 0.17, 0.08),
    "hazel": (0.42, 0.32, 0.14),
    "green": (0.32, 0.42, 0.26),
    "blue": (0.30, 0.45, 0.62),
    "grey": (0.45, 0.50, 0.54),
}


def repaint_box(image_u8: np.ndarray, box_01: tuple[float, float, float, float]) -> np.ndarray:
    """The picture with everything that stands out inside the box painted over from its surroundings.

    image_u8  uint8 [H, W, 3 or 4]   alpha is kept
    box_01    x0 y0 x1 y1 as shares of width and height
    source: our choice; pixels more than 26 levels from the box's median colour are inpainted (Telea), so weave stays
    """
    import cv2

    height, width = image_u8.shape[:2]
    x0, x1 = int(box_01[0] * width), int(np.ceil(box_01[2] * width))
    y0, y1 = int(box_01[1] * height), int(np.ceil(box_01[3] * height))
    colour = np.ascontiguousarray(image_u8[..., :3])
    patch = colour[y0:y1, x0:x1].astype(np.int32)
    odd = np.abs(patch - np.median(patch.reshape(-1, 3), axis=0)).max(-1) > 26
    mask = np.zeros((height, width), np.uint8)
    mask[y0:y1, x0:x1] = cv2.dilate(odd.astype(np.uint8), np.ones((7, 7), np.uint8))
    repaired = image_u8.copy()
    repaired[..., :3] = cv2.inpaint(colour, mask, 5, cv2.INPAINT_TELEA)
    return repaired


def paint_iris(colour_01: tuple[float, float, float], size_px: int = 96) -> np.ndarray:
    """An eye seen from the front, uint8 [S, S, 3]: white, iris with a dark rim, pupil, one highlight."""
    grid = (np.arange(size_px) + 0.5) / size_px * 2 - 1
    x, y = np.meshgrid(grid, grid)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    rays = 0.85 + 0.15 * np.sin(angle * 37) * np.sin(angle * 11 + 1)
    iris = np.array(colour_01) * rays[..., None] * (1.15 - 0.5 * (radius / 0.42)[..., None] ** 3)
    image = np.where((radius < 0.42)[..., None], iris, np.array([0.90, 0.88, 0.86]) * (1.05 - 0.25 * radius[..., None]))
    image = np.where((radius < 0.17)[..., None], 0.02, image)
    image = np.where((np.hypot(x + 0.13, y + 0.14) < 0.07)[..., None], 0.97, image)
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)


def paint_skin(surface: Surface, vertices: np.ndarray, moves: dict[str, tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """A neutral skin map with cheeks, brows and shaded eyelids, uint8 [S, S, 3]; tone and lips are the person's.

    surface   of the body; vertices f32 [V, 3] of the base mesh in decimetres
    moves     ARKit morphs; where they move the mesh tells where cheeks and lids are
    source: our choice; used only when no painted skins are at hand
    """
    brow = _brow_strength(vertices)
    cheek = morph_strength(moves, ("cheekPuff",), len(vertices)) * 0.35
    lids = morph_strength(moves, ("eyeBlinkLeft", "eyeBlinkRight"), len(vertices))
    albedo = np.tile(np.array([[0.80, 0.62, 0.52]]), (len(vertices), 1))
    for strength, colour in (
        (cheek, (0.84, 0.52, 0.45)),
        (np.clip(lids * 1.2, 0, 0.5), (0.66, 0.46, 0.40)),
        (brow, (0.20, 0.13, 0.09)),
    ):
        albedo += strength[:, None] * (np.array(colour) - albedo)
    return _bake_vertex_colours(surface, albedo)


def morph_strength(moves: dict[str, tuple[np.ndarray, np.ndarray]], names: tuple[str, ...], count: int) -> np.ndarray:
    """How far the named morphs move each vertex, 0..1 of the largest move. f64 [count]"""
    amount = np.zeros(count)
    for name in names:
        index, delta = moves[name]
        length = np.linalg.norm(delta, axis=1)
        amount[index] = np.maximum(amount[index], length / (length.max() + 1e-9))
    return amount


def _brow_strength(vertices: np.ndarray) -> np.ndarray:
    """1 on two arcs above the eyes of the base mesh, falling off over 3 mm; f64 [V]. Eyes sit at x = 0.31, y = 7.28."""
    across = (np.abs(vertices[:, 0]) - 0.37) / 0.21
    arc = 7.52 - 0.07 * across**2
    near = np.exp(-(((vertices[:, 1] - arc) / 0.035) ** 2)) * (np.abs(across) < 1.0) * (vertices[:, 2] > 0.9)
    return np.clip(near * 1.1, 0, 0.9)


def _bake_vertex_colours(surface: Surface, albedo: np.ndarray) -> np.ndarray:
    """Vertex colours spread over the texture by its UV triangles; gaps are filled from their neighbours."""
    import cv2

    image = np.zeros((SKIN_SIZE_PX, SKIN_SIZE_PX, 3), np.float32)
    covered = np.zeros((SKIN_SIZE_PX, SKIN_SIZE_PX), np.uint8)
    place_px = np.stack([surface.uv[:, 0], 1.0 - surface.uv[:, 1]], -1) * SKIN_SIZE_PX
    colours = albedo[surface.vertex].astype(np.float32)
    for triangle in surface.triangles:
        corners = place_px[triangle]
        low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, SKIN_SIZE_PX)
        edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], -1)
        if (high <= low).any() or abs(np.linalg.det(edges)) < 1e-9:
            continue
        grid_x, grid_y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
        inner = np.stack([grid_x - corners[0, 0], grid_y - corners[0, 1]], -1) @ np.linalg.inv(edges).T
        weight = np.concatenate([1.0 - inner.sum(-1, keepdims=True), inner], -1)
        inside = (weight >= -0.02).all(-1)
        image[low[1] : high[1], low[0] : high[0]][inside] = (weight @ colours[triangle])[inside]
        covered[low[1] : high[1], low[0] : high[0]][inside] = 1
    for _ in range(4):  # grow into the gaps so that bilinear lookups at seams meet skin
        spread = cv2.dilate(image, np.ones((3, 3)))
        image = np.where(covered[..., None] > 0, image, spread)
        covered = cv2.dilate(covered, np.ones((3, 3), np.uint8))
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 0.012, image.shape[:2])[..., None]
    return np.round(np.clip(image + noise, 0, 1) * 255).astype(np.uint8)
