"""The skeleton control image: joints joined by coloured lines, no head, no mesh.

The head is left out on purpose: the colour sphere of `stages.head.sphere` carries it, so that the two signals can be
steered apart. Body shape stays with the reference, as in the paper (section 3.2).
"""

import colorsys

import cv2
import numpy as np

from stages.core.skeleton import BODY_INDEX, HAND_BONES, HAND_INDEX

# Our choice: one fixed colour a bone; warm colours on the person's left side, cold ones on the right.
BODY_COLOURS_U8: dict[tuple[str, str], tuple[int, int, int]] = {
    ("pelvis", "neck"): (255, 255, 255),
    ("neck", "left_shoulder"): (255, 0, 0),
    ("left_shoulder", "left_elbow"): (255, 85, 0),
    ("left_elbow", "left_wrist"): (255, 170, 0),
    ("neck", "right_shoulder"): (0, 0, 255),
    ("right_shoulder", "right_elbow"): (0, 85, 255),
    ("right_elbow", "right_wrist"): (0, 170, 255),
    ("pelvis", "left_hip"): (255, 0, 85),
    ("left_hip", "left_knee"): (255, 0, 170),
    ("left_knee", "left_ankle"): (255, 0, 255),
    ("left_ankle", "left_big_toe"): (255, 128, 255),
    ("pelvis", "right_hip"): (0, 255, 85),
    ("right_hip", "right_knee"): (0, 255, 0),
    ("right_knee", "right_ankle"): (85, 255, 0),
    ("right_ankle", "right_big_toe"): (170, 255, 85),
}
_SUBPIXEL_BITS = 4


def _finger_colour_u8(hand: int, bone: int) -> tuple[int, int, int]:
    """Colour of one finger bone: the hue tells the finger, the value the hand (left brighter)."""
    red, green, blue = colorsys.hsv_to_rgb((bone // 4) / 5.0, 0.8, 1.0 if hand == 0 else 0.6)
    return int(red * 255), int(green * 255), int(blue * 255)


def draw_skeleton(joints_px, joints_valid, hands_px, hands_valid, height, width, *, joints_z_m=None):
    """Return the skeleton map of one frame, far bones first.

    joints_px    float [25, 2]      x right, y down, order BODY_JOINTS, on the canvas; NaN allowed where not valid
    joints_valid bool  [25]         a bone is drawn when both of its ends are valid
    hands_px     float [2, 21, 2]   left hand first
    hands_valid  bool  [2]
    joints_z_m   float [25] | None  depth for the drawing order, larger is farther; None draws in table order
    returns      uint8 [H, W, 3]    RGB on black; the line is max(1, round(min(H, W) / 64)) px wide, fingers half of it
    Source: paper section 3.2 (projected joints joined by lines); colours and widths are our choice.
    """
    image_u8 = np.zeros((height, width, 3), np.uint8)
    body_width = max(1, round(min(height, width) / 64))
    lines = []
    for (start, end), colour in BODY_COLOURS_U8.items():
        first, second = BODY_INDEX[start], BODY_INDEX[end]
        if joints_valid[first] and joints_valid[second]:
            depth = 0.0 if joints_z_m is None else 0.5 * float(joints_z_m[first] + joints_z_m[second])
            lines.append((depth, joints_px[first], joints_px[second], colour, body_width))
    for hand, wrist in enumerate(("left_wrist", "right_wrist")):
        if not hands_valid[hand]:
            continue
        depth = 0.0 if joints_z_m is None else float(np.nan_to_num(joints_z_m[BODY_INDEX[wrist]]))
        for bone, (start, end) in enumerate(HAND_BONES):
            ends = hands_px[hand][HAND_INDEX[start]], hands_px[hand][HAND_INDEX[end]]
            lines.append((depth, *ends, _finger_colour_u8(hand, bone), max(1, body_width // 2)))
    lines.sort(key=lambda line: -line[0])  # stable: the table order decides between equals
    for _, start, end, colour, line_width in lines:
        _line(image_u8, start, end, colour, line_width)
    return image_u8


def _line(image_u8, start_px, end_px, colour_u8, line_width):
    """Draw one anti-aliased line with subpixel ends; lines with a NaN end or far outside the canvas are left out."""
    ends = np.array([start_px, end_px], np.float64)
    if not np.isfinite(ends).all() or np.abs(ends).max() > 8 * max(image_u8.shape):
        return
    fixed = np.round(ends * (1 << _SUBPIXEL_BITS)).astype(int)
    cv2.line(image_u8, fixed[0].tolist(), fixed[1].tolist(), colour_u8, line_width, cv2.LINE_AA, _SUBPIXEL_BITS)
