"""Carried references for training clips, with the driver's expression: exact ones, and ones as wrong as extraction and
retargeting make them."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stages.body.camera import camera_moves, view_of
from stages.body.matte import figure_matte
from stages.body.place import Performance
from stages.body.warp import warp_reference
from stages.core.skeleton import BODY_INDEX
from stages.face.carry import carry_expressions
from stages.training.pool import REFERENCE_FRAMES
from stages.training.variety import drawn_flags

_HEAD_RADIUS_M = 0.113  # mean of 24 training people, spread 0.010
WARPS = 2  # references of each clip that are carried


@dataclass(frozen=True)
class Slips:
    """How wrong a measured pose may be; standard deviations, lengths in head radii. Our choice, after what
    tests/bench/bench_extraction.py measures (joints within a few percent of the height, heads within 9 degrees)."""

    share: float = 0.15  # of the warps that slip at all; where they slip, mixing pays more than choosing
    joint: float = 0.07  # the same in every frame of a clip
    joint_frame: float = 0.02  # on top, in each frame
    head: float = 0.06
    head_size: float = 0.05  # relative
    head_turn_rad: float = 0.087
    expression: float = 0.06  # of each ARKit weight, the same in every frame of a clip
    expression_frame: float = 0.02
    missing: float = 0.04  # chance of a joint not to be found; of a hand, twice that


def truth_performance(truth: dict[str, np.ndarray], frames) -> tuple[Performance, np.ndarray]:
    """Return the Performance of some frames of a pool clip, less its hidden joints, and its R_cam_head [n, 3, 3].

    A pool knows no camera: one for all frames is taken that looks at the head, and whose focal length makes heads as
    large as people's are on average.
    """
    joints = np.asarray(truth["joints_px"][frames], np.float64)
    depth_m = np.asarray(truth["joints_z_m"][frames], np.float64)
    every_px = truth["head_radius_px"] * truth["joints_z_m"][:, BODY_INDEX["neck"]]
    focal_px = float(np.nanmedian(every_px)) / _HEAD_RADIUS_M
    middle_px = np.nanmedian(truth["head_center_px"], axis=0).astype(np.float64)
    K_px = np.array([[focal_px, 0.0, middle_px[0]], [0.0, focal_px, middle_px[1]], [0.0, 0.0, 1.0]])
    points = np.concatenate([(joints - middle_px) / focal_px * depth_m[..., None], depth_m[..., None]], -1)
    drawn, hands_drawn = (flags[frames] for flags in drawn_flags(truth))
    performance = Performance(
        joints, points, drawn & np.isfinite(joints).all(-1), np.asarray(truth["hands_px"][frames], np.float64),
        hands_drawn, np.asarray(truth["head_center_px"][frames], np.float64),
        np.asarray(truth["head_radius_px"][frames], np.float64), K_px, np.ones(24), -1,
    )  # fmt: skip
    return performance, np.asarray(truth["R_cam_head"][frames], np.float64)


def slipped(exact: Performance, rotation, rng: np.random.Generator, slips: Slips) -> tuple[Performance, np.ndarray]:
    """Return what a tracker might have measured instead; one draw for the whole Performance."""
    unit = max(1.0, float(np.nanmedian(exact.head_radius_px)))
    count = exact.joints_px.shape[1]
    drawn, hands_drawn = exact.drawn.copy(), exact.hands_drawn.copy()
    drawn[:, rng.random(count) < slips.missing] = False
    hands_drawn[:, rng.random(2) < 2 * slips.missing] = False
    joints = exact.joints_px + unit * slips.joint * rng.standard_normal((1, count, 2))
    joints = joints + unit * slips.joint_frame * rng.standard_normal(exact.joints_px.shape)
    hands = exact.hands_px + unit * slips.joint * rng.standard_normal((1, 2, 1, 2))
    turn, _ = cv2.Rodrigues(slips.head_turn_rad * rng.standard_normal(3))
    measured = Performance(
        joints, exact.points_m, drawn, hands, hands_drawn,
        exact.head_px + unit * slips.head * rng.standard_normal((1, 2)),
        exact.head_radius_px * np.exp(slips.head_size * rng.standard_normal()),
        exact.K_px, exact.bone_ratio, exact.frame,
    )  # fmt: skip
    return measured, rotation @ turn


def carry_references(
    frames_u8: np.ndarray, truth: dict[str, np.ndarray], rng: np.random.Generator, slips: Slips | None = None,
    matte_of: Callable[[np.ndarray], np.ndarray | None] = figure_matte,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Return refs int [WARPS], frames uint8 [WARPS, N, H, W, 3] and kind uint8 [WARPS, N, H, W] of one pool clip.

    References are drawn from the REFERENCE_FRAMES other moments at its end; each is carried to all N frames, its
    background as the camera moves, which is read from the pictures as `render-spheres` reads it.
    """
    slips, count = slips or Slips(), len(frames_u8)
    refs = count - REFERENCE_FRAMES + rng.choice(REFERENCE_FRAMES, WARPS, replace=False)
    pictures, kinds, views = [], [], [view_of(frame) for frame in frames_u8]
    for ref in refs:
        film = count - REFERENCE_FRAMES
        singly = [camera_moves(views[other : other + 1], views[ref]) for other in range(film, count)]
        moves = np.concatenate([camera_moves(views[:film], views[ref]), *singly])  # other moments follow on nothing
        still, act = truth_performance(truth, [ref]), truth_performance(truth, slice(None))
        said = truth["expressions"].astype(np.float64)
        before, after = said[ref], said
        if rng.random() < slips.share:
            still, act = slipped(*still, rng, slips), slipped(*act, rng, slips)
            before, after = (x + slips.expression * rng.standard_normal(said.shape[1]) for x in (before, after))
            after = after + slips.expression_frame * rng.standard_normal(said.shape)
        matte_01 = matte_of(frames_u8[ref])
        warped = list(warp_reference(frames_u8[ref], still[0], still[1][0], *act, matte_01=matte_01, moves=moves))
        head = act[0].head_px, act[0].head_radius_px, act[1]
        expressed = carry_expressions(*(np.stack(part) for part in zip(*warped, strict=True)), *head, before, after)
        pictures.append(expressed[0])
        kinds.append(expressed[1])
    return {"refs": refs, "frames": np.stack(pictures), "kind": np.stack(kinds)}
