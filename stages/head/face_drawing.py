"""Face points drawn over the head sphere: what landmark methods feed instead of implicit face tokens.

Only the ablation "landmarks" (stages.training.ablation) uses it. The points are the driver's own, moved with the head
but not fitted to the reference's face, so the drawing carries the driver's face shape: the paper's argument against it.
"""

import cv2
import numpy as np

_INK_U8 = (255, 255, 255)  # the sphere's colours have length 1 around grey: white does not occur in it
_SUBPIXEL_BITS = 4
# First and last + 1 point of each line of the iBUG 68 layout, and whether it closes.
LINES = (
    (0, 17, False), (17, 22, False), (22, 27, False), (27, 31, False), (31, 36, False),
    (36, 42, True), (42, 48, True), (48, 60, True), (60, 68, True),
)  # fmt: skip


def draw_face_lines(sphere_map, face_px):
    """Return the map of one frame with contour, brows, nose, eyes and lips drawn over it in thin white lines.

    sphere_map  uint8 [H, W, 3]   of `stages.head.sphere.draw_sphere`
    face_px     float [68, 2]     iBUG layout, on the canvas; a line with a point that is NaN or far outside is left out
    """
    drawn = sphere_map.copy()
    for first, end, closed in LINES:
        line = np.asarray(face_px, np.float64)[first:end]
        if np.isfinite(line).all() and np.abs(line).max() < 8 * max(drawn.shape):
            fixed = np.round(line * (1 << _SUBPIXEL_BITS)).astype(np.int32)
            cv2.polylines(drawn, [fixed[:, None]], closed, _INK_U8, 1, cv2.LINE_AA, _SUBPIXEL_BITS)
    return drawn


def carry_face(face_px, head_px, head_radius_px, to_head_px, to_radius_px):
    """Return face points float64 [T, 68, 2] of the driver at the place and size of another head.

    face_px  float [T, 68, 2];  head_px, to_head_px  float [T, 2];  head_radius_px, to_radius_px  float [T]
    """
    zoom = (np.asarray(to_radius_px) / np.asarray(head_radius_px))[:, None, None]
    return np.asarray(to_head_px)[:, None] + zoom * (np.asarray(face_px) - np.asarray(head_px)[:, None])
