"""What a film of a synthetic person shows, exactly, for bench_control.py: joints, head, mouth, lids."""

import numpy as np


def exact_truth(clip, window):
    """Arrays of a SyntheticClip as seen through a Window of its pictures.

    joints_px [T, 25, 2] on the canvas;  inside bool [T, 25];  height_px [T] of the person as standing there
    R_cam_head [T, 3, 3];  facing [T] cosine between face and camera
    mouth [T] gap of the inner lips, % of the outer eye corners' distance;  eyes [T] 1 - eye aspect ratio, mean of both
    """
    joints = window.points(clip.joints_px)
    face = np.asarray(clip.face_m, np.float64)

    def apart(first, second):
        return np.linalg.norm(face[:, first] - face[:, second], axis=-1)

    lips = np.mean([apart(61, 67), apart(62, 66), apart(63, 65)], axis=0)
    eyes = [(apart(37, 41) + apart(38, 40)) / 2 / apart(36, 39), (apart(43, 47) + apart(44, 46)) / 2 / apart(42, 45)]
    return {
        "joints_px": joints,
        "inside": ((joints >= 0) & (joints <= [window.width - 1, window.height - 1])).all(-1),
        "height_px": clip.height_m * clip.K_px[0, 0] / clip.transl_m[:, 2] * window.scale,
        "R_cam_head": clip.R_cam_head,
        "facing": clip.R_cam_head[:, 2, 2],
        "mouth": 100 * lips / apart(36, 45),
        "eyes": 1 - np.mean(eyes, axis=0),
    }
