"""The head control image: a sphere whose colour at every pixel is the direction of the head there.

Position follows the driver, size the reference (paper section 3.2). The colour is our choice: the outward unit normal,
turned into head coordinates and mapped from [-1, 1] to [0, 255], so that one frame alone identifies the rotation.
"""

import numpy as np


def draw_sphere(center_px, radius_px, R_cam_head, height, width):
    """Return the sphere map of one frame.

    center_px   float [2]       x right, y down; NaN draws nothing
    radius_px   float           > 0
    R_cam_head  float [3, 3]    head to camera axes (x right, y down, z away from the camera); identity = facing us
    returns     uint8 [H, W, 3] RGB = round(255 * (normal_head + 1) / 2), anti-aliased against black at the rim
    """
    image_u8 = np.zeros((height, width, 3), np.uint8)
    if not (np.isfinite(center_px).all() and np.isfinite(radius_px) and np.isfinite(R_cam_head).all()):
        return image_u8
    x, y, radius = float(center_px[0]), float(center_px[1]), float(radius_px)
    left, right = max(0, int(np.floor(x - radius)) - 1), min(width, int(np.ceil(x + radius)) + 2)
    top, bottom = max(0, int(np.floor(y - radius)) - 1), min(height, int(np.ceil(y + radius)) + 2)
    if left >= right or top >= bottom or radius <= 0:
        return image_u8
    grid_x, grid_y = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    normal_x, normal_y = (grid_x - x) / radius, (grid_y - y) / radius
    distance = np.sqrt(normal_x**2 + normal_y**2)
    rim = np.maximum(distance, 1.0)  # the outermost ring keeps the colour of the silhouette
    normal_x, normal_y = normal_x / rim, normal_y / rim
    normal_z = -np.sqrt(np.clip(1.0 - normal_x**2 - normal_y**2, 0.0, 1.0))  # towards the camera
    normal_cam = np.stack([normal_x, normal_y, normal_z], -1)
    normal_head = normal_cam @ np.asarray(R_cam_head, np.float64)  # row vectors: R^T n
    coverage_01 = np.clip((1.0 - distance) * radius + 0.5, 0.0, 1.0)[..., None]
    colour = (normal_head * 0.5 + 0.5) * 255.0 * coverage_01
    image_u8[top:bottom, left:right] = np.round(np.clip(colour, 0, 255)).astype(np.uint8)
    return image_u8


def recover_sphere(sphere_map):
    """Return what `draw_sphere` was called with, measured from the pixels alone; the sphere may be cut by the border.

    sphere_map  uint8 [H, W, 3]    one sphere on black
    returns     center_px float64 [2], radius_px float64, R_cam_head float64 [3, 3]; NaN where fewer than 12 pixels can
                be read (an empty map, or a radius below about 2 px)
    Source: our own. A pixel x = centre + radius * (first row of R) . normal_head is linear in the decoded normal, so
    two linear regressions give all of it; the third row is the cross product.
    """
    normal = np.asarray(sphere_map, np.float64) / 127.5 - 1.0
    # Inside the sphere decoded normals have length 1; at the rim they are mixed with black.
    rows, columns = np.nonzero(np.abs(np.linalg.norm(normal, axis=-1) - 1.0) < 0.02)
    unknown = np.full(2, np.nan), np.nan, np.full((3, 3), np.nan)
    if len(rows) < 12:
        return unknown
    design = np.c_[normal[rows, columns], np.ones(len(rows))]
    target = np.c_[columns, rows].astype(np.float64)
    keep = np.ones(len(rows), bool)
    for _ in range(4):  # rim pixels whose mix happens to have length 1 are thrown out
        if keep.sum() < 12:
            return unknown
        solution, _, rank, _ = np.linalg.lstsq(design[keep], target[keep], rcond=None)
        if rank < 4:
            return unknown
        residual = np.abs(design @ solution - target).max(axis=1)
        keep = residual < max(0.25, 3.0 * float(np.median(residual[keep])))
    across, down = solution[:3, 0], solution[:3, 1]
    u, singular, vt = np.linalg.svd(np.stack([across, down]), full_matrices=False)
    first_rows = u @ vt
    R_cam_head = np.vstack([first_rows, np.cross(first_rows[0], first_rows[1])])
    return solution[3], float(singular.mean()), R_cam_head


def recover_rotation(sphere_map):
    """Return R_cam_head float64 [3, 3] of a drawn sphere; NaN when there is none. See `recover_sphere`."""
    return recover_sphere(sphere_map)[2]
