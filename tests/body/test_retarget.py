"""Retargeting on exact skeletons: lengths, directions, pixels, planted feet."""

import numpy as np
import pytest

from stages.body.lengths import (
    BONE_NAMES,
    CHILDREN,
    LEG_BONES,
    PARENTS,
    BoneLengths,
    compare_bones,
    flat_lengths,
    group_ratio,
    lift_joints,
    measure_bones,
)
from stages.body.retarget import ground_contact, plant_feet, retarget_skeleton, steady_skeleton
from stages.core.geometry import default_K_px, project_px
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, BONES

K_PX = default_K_px(720, 720)
FPS = 24.0


def a_skeleton(rng, frames=20, distance_m=4.0):
    """Random but human-sized: bones of fixed lengths in random directions. Returns points [T, 25, 3], length [24]."""
    length = rng.uniform(0.08, 0.5, len(BONES))
    points = np.zeros((frames, len(BODY_JOINTS), 3))
    points[:, BODY_INDEX["pelvis"]] = [0.1, 0.2, distance_m]
    for bone in range(len(BONES)):
        direction = rng.normal(size=(frames, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        points[:, CHILDREN[bone]] = points[:, PARENTS[bone]] + length[bone] * direction
    return points, length


def lengths_of(points):
    return np.linalg.norm(points[:, CHILDREN] - points[:, PARENTS], axis=-1)


def test_the_bone_table_lists_parents_first():
    placed = {"pelvis"}
    for _, parent, child in BONES:
        assert parent in placed and child not in placed
        placed.add(child)
    assert placed == set(BODY_JOINTS)


def test_lengths_equal_the_target_and_directions_the_driver():
    rng = np.random.default_rng(0)
    points, _ = a_skeleton(rng)
    target = rng.uniform(0.05, 0.7, len(BONES))
    moved = retarget_skeleton(points, target)
    error = np.abs(lengths_of(moved) - target)
    assert error.max() < 1e-5, f"lengths: max {error.max():.2e}, mean {error.mean():.2e}, tolerance 1e-5 m"
    before = (points[:, CHILDREN] - points[:, PARENTS]) / lengths_of(points)[..., None]
    after = (moved[:, CHILDREN] - moved[:, PARENTS]) / lengths_of(moved)[..., None]
    assert np.abs(before - after).max() < 1e-9
    pelvis = BODY_INDEX["pelvis"]
    assert np.array_equal(moved[:, pelvis], points[:, pelvis])
    as_stored = lengths_of(moved.astype(np.float32).astype(np.float64))
    assert np.abs(as_stored - target).max() < 1e-5


def test_unmeasured_joints_stay_unmeasured_and_the_rest_goes_on():
    rng = np.random.default_rng(1)
    points, length = a_skeleton(rng)
    points[:, BODY_INDEX["left_elbow"]] = np.nan
    points[5:9, BODY_INDEX["pelvis"]] = np.nan
    moved = retarget_skeleton(points, length * 1.2, fallback_ratio=1.2)
    assert np.isnan(moved[:, BODY_INDEX["left_elbow"]]).all()
    wrist, shoulder, neck = (BODY_INDEX[name] for name in ("left_wrist", "left_shoulder", "neck"))
    assert np.allclose(moved[:, wrist] - moved[:, shoulder], 1.2 * (points[:, wrist] - points[:, shoulder]))
    assert np.array_equal(moved[5:9, neck], points[5:9, neck])  # the neck holds where the pelvis is missing
    right = BODY_INDEX["right_elbow"]
    assert np.isfinite(moved[:, right]).all()


def test_lifted_joints_project_onto_what_was_seen():
    rng = np.random.default_rng(2)
    points, _ = a_skeleton(rng)
    seen_px = project_px(points, K_PX) + rng.normal(0, 3, (len(points), 25, 2))
    transl = points[:, BODY_INDEX["pelvis"]]
    lifted = lift_joints(seen_px, points - transl[:, None], transl, K_PX)
    assert np.abs(project_px(lifted, K_PX) - seen_px).max() < 1e-6


def test_steady_skeleton_undoes_wrong_depth_and_keeps_the_pixels():
    rng = np.random.default_rng(3)
    points, length = a_skeleton(rng, frames=60)
    rays = points / points[..., 2:]
    wrong = rays * (points[..., 2:] + rng.normal(0, 0.02, (*points.shape[:2], 1)))
    pelvis = BODY_INDEX["pelvis"]
    wrong[:, pelvis] = points[:, pelvis]
    steady = steady_skeleton(wrong, length)
    error = np.abs(lengths_of(steady) - length)
    assert error.max() < 1e-6, f"lengths: max {error.max():.2e}, tolerance 1e-6"
    off_px = np.abs(project_px(steady, K_PX) - project_px(points, K_PX)).max(-1)
    assert np.quantile(off_px, 0.9) < 1.0, f"pixels: 90 % {np.quantile(off_px, 0.9):.3f}, max {off_px.max():.2f}"


def test_lengths_of_a_clip_survive_noise_outliers_and_unseen_sides():
    rng = np.random.default_rng(4)
    points, length = a_skeleton(rng, frames=80)
    score = np.ones(points.shape[:2])
    noisy = points + rng.normal(0, 0.01, points.shape)
    noisy[::9] += rng.normal(0, 0.5, noisy[::9].shape)
    score[::9] = 0.05
    found = measure_bones(noisy, score)
    twin = {name: BONE_NAMES.index(name.replace("left_", "right_")) for name in BONE_NAMES if name.startswith("left_")}
    for name, other in twin.items():
        index = BONE_NAMES.index(name)
        expected = 0.5 * (length[index] + length[other])
        assert abs(found.length_m[index] / expected - 1) < 0.03, name
        assert found.length_m[index] == found.length_m[other]
    score[:, BODY_INDEX["left_wrist"]] = 0.0
    one_side = measure_bones(noisy, score)
    left, right = BONE_NAMES.index("left_forearm"), BONE_NAMES.index("right_forearm")
    assert one_side.length_m[left] == one_side.length_m[right]
    assert abs(one_side.length_m[left] / length[right] - 1) < 0.03


def well_seen(length):
    return BoneLengths(np.asarray(length, np.float64), np.ones(len(BONES)))


def test_a_taller_person_with_the_same_proportions_scales_every_bone():
    length = np.random.default_rng(5).uniform(0.1, 0.5, len(BONES))
    ratio, overall = compare_bones(well_seen(1.17 * length), well_seen(length))
    assert np.allclose(ratio, 1.17) and abs(overall - 1.17) < 1e-12


def test_longer_legs_are_followed_as_far_as_the_measurement_deserves():
    length = np.full(len(BONES), 0.3)
    longer = length.copy()
    legs = [BONE_NAMES.index(name) for name in LEG_BONES]
    longer[legs] *= 1.15
    ratio, overall = compare_bones(well_seen(longer), well_seen(length))
    exact, _ = compare_bones(well_seen(longer), well_seen(length), spread=0.001)
    assert overall == 1.0
    assert 1.04 < ratio[legs[0]] < 1.15
    assert abs(exact[legs[0]] - 1.15) < 1e-3
    assert abs(group_ratio(exact, well_seen(length), LEG_BONES) - 1.15) < 1e-3


@pytest.mark.parametrize("unseen", ["legs", "everything"])
def test_bones_not_seen_in_the_reference_do_no_harm(unseen):
    length = np.full(len(BONES), 0.3)
    trust = np.ones(len(BONES))
    legs = [BONE_NAMES.index(name) for name in LEG_BONES]
    wild = 1.1 * length
    wild[legs] = 9.0
    trust[legs] = 0.0
    if unseen == "everything":
        trust[:] = 0.0
    ratio, overall = compare_bones(BoneLengths(wild, trust), well_seen(length))
    expected = 1.1 if unseen == "legs" else 1.0
    assert np.allclose(ratio, expected) and abs(overall - expected) < 1e-12


def test_flat_lengths_do_not_depend_on_the_size_of_the_picture():
    rng = np.random.default_rng(6)
    joints = rng.uniform(0, 500, (25, 2))
    score = np.ones(25)
    small, large = flat_lengths(joints, score), flat_lengths(joints * 3.0 + 40.0, score)
    assert np.allclose(small.length_m, large.length_m)
    nobody = flat_lengths(np.full((25, 2), np.nan), np.zeros(25))
    assert np.isnan(nobody.length_m).all() and not nobody.trust_01.any()


def a_walk(frames=96, stride_m=0.5, period=24):
    """A person who walks to the image right, two steps a period; one foot is always still on the floor y = 1.0."""
    points = np.full((frames, 25, 3), np.nan)
    time = np.arange(frames)
    thigh, shin = 0.45, 0.43
    pelvis = np.stack([stride_m * time / period * 2 / 2 - 1.0, np.full(frames, 1.0 - 0.82), np.full(frames, 5.0)], -1)
    points[:, BODY_INDEX["pelvis"]] = pelvis
    points[:, BODY_INDEX["neck"]] = pelvis + [0.0, -0.5, 0.0]
    for side, sign, phase in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        turn = (time / period + phase) % 1.0
        stands = turn < 0.55
        step = np.floor(time / period + phase)
        start = (step - phase) * stride_m - 1.0 + 0.27 * stride_m
        swing = np.clip((turn - 0.55) / 0.45, 0, 1)
        x = start + stride_m * (3 * swing**2 - 2 * swing**3)
        y = 1.0 - 0.15 * np.sin(np.pi * swing) * ~stands
        ankle = np.stack([x, y, np.full(frames, 5.0 - 0.1 * sign)], -1)
        hip = pelvis + [0.0, 0.0, -0.1 * sign]
        reach = np.linalg.norm(ankle - hip, axis=1)
        middle = (thigh**2 - shin**2 + reach**2) / (2 * reach)
        bend = np.sqrt(np.maximum(thigh**2 - middle**2, 0.0))
        along = (ankle - hip) / reach[:, None]
        forward = np.cross(along, [0.0, 0.0, 1.0])
        forward = forward * np.sign(forward[:, :1]) / np.linalg.norm(forward, axis=1, keepdims=True)
        points[:, BODY_INDEX[f"{side}_hip"]] = hip
        points[:, BODY_INDEX[f"{side}_knee"]] = hip + middle[:, None] * along + bend[:, None] * forward
        points[:, BODY_INDEX[f"{side}_ankle"]] = ankle
    return points


def test_the_walk_keeps_its_feet_on_the_ground_with_other_legs():
    walk = a_walk()
    contact = ground_contact(walk, FPS)
    ankles = [BODY_INDEX["left_ankle"], BODY_INDEX["right_ankle"]]
    still = np.linalg.norm(np.diff(walk[:, ankles], axis=0), axis=-1) < 1e-9
    planted = np.vstack([still[:1], still]) & np.vstack([still, still[-1:]])
    assert contact[planted].min() > 0.5, "a foot that stands still on the floor is a contact"
    high = walk[:, ankles, 1] < 0.88
    assert contact[high].max() == 0.0, "a foot in the air is not"
    length = lengths_of(walk)[0]
    target = length.copy()
    target[[BONE_NAMES.index("left_thigh"), BONE_NAMES.index("right_thigh")]] *= 1.25
    target[[BONE_NAMES.index("left_shin"), BONE_NAMES.index("right_shin")]] *= 1.05
    scale = (1.25 * 0.45 + 1.05 * 0.43) / 0.88
    moved = retarget_skeleton(walk, target)
    pelvis = BODY_INDEX["pelvis"]
    moved = moved + (scale - 1.0) * walk[:, pelvis, None]
    free = moved[:, ankles] - scale * walk[:, ankles]
    moved = moved + plant_feet(walk, moved, scale, contact, FPS)[:, None]
    height = (moved[:, ankles, 1] - scale * 1.0)[planted]
    slip = np.linalg.norm(np.diff(moved[:, ankles], axis=0), axis=-1)[still & planted[1:] & planted[:-1]]
    print("without planting", np.abs(free[planted]).max(), "with", np.abs(height).max(), slip.max())
    assert np.abs(height).max() < 0.01, f"height: max {np.abs(height).max():.4f} m, tolerance 0.01"
    assert slip.max() < 0.01, f"slip a frame: max {slip.max():.4f}, mean {slip.mean():.4f} m, tolerance 0.01"
    assert np.abs(lengths_of(moved) - target)[:, np.isfinite(target)].max() < 1e-5


def test_without_legs_nothing_is_shifted():
    walk = a_walk()
    walk[:, [BODY_INDEX[f"{s}_{j}"] for s in ("left", "right") for j in ("knee", "ankle")]] = np.nan
    contact = ground_contact(walk, FPS)
    assert not contact.any()
    assert not plant_feet(walk, walk * 1.1, 1.0, contact, FPS).any()
