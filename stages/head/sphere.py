"""The head control image: a sphere whose colour at every pixel is the direction of the head there.

Position follows the driver, size the reference (paper section 3.2). The colour is our choice: the outward unit normal,
turned into head coordinates and mapped from [-1, 1] to [0, 255], so that one frame alone identifies the rotation.
"""

import numpy as np


def draw_sphere(center_px, radius_px, R_cam_head, height, width):
    """Return the sphere map of one frame.

    center_px   float [2]       x right, y down; NaN draws nothing
    radius_px   float           > 0
    R_cam_head  float [3, 3]    head to camera axes (x right, y down, z away from the camera); identity = facing the camera
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
