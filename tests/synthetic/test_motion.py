"""Motion: feet that stand stay, knees bend forward, hands stay out of the body, and what training never shows."""

import json
import time

import numpy as np
import pytest

from stages.core.errors import InputError
from stages.synthetic.body_motion import STYLES, Motion
from stages.synthetic.clip import Studio
from stages.synthetic.holdout import HELD_OUT, choose_motion, mocap_split
from stages.synthetic.identity import identity
from stages.synthetic.mocap import MocapLibrary, MocapMotion, stands_by_itself
from stages.synthetic.rotation import turn, turn_angles_deg, two_bone
from stages.synthetic.tracks import RATE_HZ, keyed

FOOT = (("foot", False), ("toe2-1", False), ("toe2-2", True))  # ankle, ball, toe tip


@pytest.fixture(scope="module")
def person(full):
    return identity(full, 600_005)


def make(person, seed, style, **options):
    return Motion(person, np.random.default_rng(seed), 4.0, style, **options)


def slip(motion):
    """Largest way of a standing foot's pivot (ball, or ankle while flat) as a share of the body's height."""
    worst = 0.0
    for index, side in enumerate("LR"):
        ankle, ball = motion.joints_dm([(f"{name}.{side}", tail) for name, tail in FOOT[:2]]).swapaxes(0, 1)
        stands, pitch = motion.plan.planted[:, index], motion.plan.foot_pitch_deg[:, index]
        for first, end in runs(stands):
            for points, held in ((ball, pitch[first:end] >= 0), (ankle, pitch[first:end] == 0)):
                place = points[first:end][held]
                if len(place):
                    worst = max(worst, float(np.linalg.norm(place - np.median(place, axis=0), axis=1).max()))
    return worst / motion.character.height_dm


def runs(flags):
    return np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]]))).reshape(-1, 2)


def test_standing_feet_do_not_slip_in_walking(person):
    slips = [slip(make(person, seed, "walk", split="test" if seed % 2 else "train")) for seed in range(20)]
    assert max(slips) < 0.002, (
        f"largest slip {max(slips):.5f} of the height (mean {np.mean(slips):.5f}), tolerance 0.002"
    )


@pytest.mark.parametrize("style", STYLES)
def test_standing_feet_do_not_slip_and_stay_on_the_floor(person, style):
    for seed in range(6):
        motion = make(person, 100 + seed, style, split="test" if seed % 2 else "train")
        assert slip(motion) < 0.002, f"seed {seed}: {slip(motion):.5f} of the height, tolerance 0.002"
        points = motion.joints_dm([(f"{name}.{side}", tail) for side in "LR" for name, tail in FOOT])
        lowest = float(points[..., 1].min()) - motion.body.floor
        assert lowest > -0.1, f"seed {seed}: a foot is {-lowest:.2f} dm below the floor, tolerance 0.1"


def test_feet_stand_between_the_samples_of_the_table(person):
    motion = make(person, 3, "walk")
    stands = motion.plan.planted[:, 0] & (motion.plan.foot_pitch_deg[:, 0] == 0)
    first, end = max(runs(stands), key=lambda run: run[1] - run[0])
    moments = motion.plan.time_s[0] + np.linspace(first, end - 1, 23) / RATE_HZ
    bone = person.assets.bone_index["foot.L"]
    places = []
    for moment in moments:
        frame = motion.frame(float(moment))
        transform = person.transforms(frame.rotations, frame.root_shift_dm)[bone]
        places.append(transform[:, :3] @ person.head_dm[bone] + transform[:, 3])
    spread = np.ptp(np.array(places), axis=0).max() / person.height_dm
    assert spread < 0.002, f"{spread:.5f} of the height, tolerance 0.002"


def test_walks_travel_and_keep_within_reach(person):
    ways = []
    for seed in range(20):
        motion = make(person, seed, "walk", split="test")
        ways.append(np.linalg.norm(np.ptp(motion.plan.hip_xz, axis=0)) * motion.body.leg)
        root = motion.joints_dm([("root", False)])[:, 0]
        assert np.hypot(root[:, 0], root[:, 2]).max() < motion.reach_dm + 1.5 and motion.reach_dm < 25
    assert np.median(ways) > 15, f"median way {np.median(ways):.1f} dm"


def test_a_turn_goes_all_the_way_round(person):
    turned = [float(np.ptp(make(person, seed, "turn").plan.heading_deg)) for seed in range(8)]
    assert min(turned) >= 300 and np.median(turned) >= 350, turned


def test_knees_bend_forward_and_legs_are_not_twisted(person):
    """Once the hinge of the legs had the wrong sign: thighs were turned half round and looked swollen."""
    for style in ("walk", "sit", "exercise", "idle"):
        motion = make(person, 1, style)
        names = [("upperleg01.L", False), ("lowerleg01.L", False), ("foot.L", False)]
        hip, knee, ankle = motion.joints_dm(names).swapaxes(0, 1)
        line = (hip + ankle) / 2
        yaw = np.radians((motion.plan.heading_deg + motion.plan.foot_yaw_deg[:, 0]) / 2)
        ahead = np.stack([np.sin(yaw), 0 * yaw, np.cos(yaw)], axis=-1)
        assert (np.sum((knee - line) * ahead, axis=1) > -0.2).all(), style
        thigh = motion._solved.local[:, motion._solved.bones.index("upperleg01.L")]
        assert (thigh[:, 0, 0] > 0.3).all(), f"{style}: the thigh's own left points elsewhere"


def test_hands_stay_out_of_the_trunk(person):
    for style in STYLES:
        motion = make(person, 7, style)
        names = [(f"{name}.{side}", False) for side in "LR" for name in ("wrist", "finger3-1")]
        hands = motion.joints_dm(names, every=6)
        chest = [person.assets.bone_index["spine01"]]
        for at, moment in enumerate(motion.plan.time_s[::6]):
            frame = motion.frame(float(moment))
            transform = person.transforms(frame.rotations, frame.root_shift_dm)[chest[0]]
            local = (hands[at] - transform[:, 3]) @ transform[:, :3]
            depth = motion.body.torso.depth(local, 0.0)
            assert depth.max() < 0.15, f"{style} at {moment:.2f} s: {depth.max():.2f} of the trunk deep"


def test_plans_do_not_depend_on_the_body(full, person):
    other = identity(full, 77)
    for style in STYLES:
        first, second = make(person, 5, style), make(other, 5, style)
        for name in ("hip_xz", "heading_deg", "foot_xz", "head_deg", "reach", "fingers"):
            assert np.array_equal(getattr(first.plan, name), getattr(second.plan, name)), (style, name)


def test_training_never_shows_what_is_held_out():
    rng = np.random.default_rng(0)
    for family, held in HELD_OUT.items():
        shares = {**{name: 1.0 for name in held}, "other": 1.0, "another": 2.0}
        train = {choose_motion(rng, family, shares, split) for _ in range(200) for split in ("train", "val")}
        test = [choose_motion(rng, family, shares, "test") in held for _ in range(400)]
        assert train == {"other", "another"} and 0.4 < np.mean(test) < 0.6


def test_frames_are_cheap(person):
    start = time.process_time()
    motion = make(person, 0, "talk")
    made_ms = (time.process_time() - start) * 1e3
    start = time.process_time()
    for moment in np.linspace(0, 4, 200):
        motion.frame(float(moment))
    frame_ms = (time.process_time() - start) * 1e3 / 200
    assert frame_ms < 1.0 and made_ms < 100, f"{frame_ms:.2f} ms a frame, {made_ms:.0f} ms to make it"


def test_seats_stand_under_the_person_and_are_not_kept(full, person):
    motion = make(person, 2, "sit")
    (seat,) = motion.furniture()
    hips = (motion.joints_dm([("upperleg01.L", False), ("upperleg01.R", False)]).mean(1))[:, 1].min()
    points = seat.offset
    top = points[:, 1]
    assert points[:, 1].min() == pytest.approx(motion.body.floor, abs=1e-4)
    assert 0.4 < hips - top[top < hips].max() < 1.6
    assert make(person, 2, "talk").furniture() == []
    studio = Studio(full, 64)
    studio.clip(600_002, frames=1, framing="full", style="sit")
    assert all(part.name != "seat" for part in studio._person.parts)


def test_a_jump_leaves_the_floor_as_gravity_has_it(person):
    """In the air the hips move on a parabola of 9.81 m/s2 for a leg of 0.87 m."""
    motion = next(m for m in (make(person, seed, "exercise") for seed in range(60)) if m.plan.rise.max() > 0.04)
    rise = motion.plan.rise
    top = int(np.argmax(rise))
    bend = (rise[top - 2] - 2 * rise[top] + rise[top + 2]) * (RATE_HZ / 2) ** 2
    assert bend == pytest.approx(-9.81 / 0.87, rel=0.02)
    assert not motion.plan.planted[top].any()


def test_keyed_curves_reach_and_hold_their_values():
    times = np.linspace(0, 3, 301)
    curve = keyed(times, np.array([-1.0, 1.0, 2.0]), np.array([0.5, 0.5, 0.5]), np.array([[0.0], [2.0], [-1.0]]))
    assert curve[40] == 0 and curve[100] == 2 and curve[140] == 2 and curve[250] == -1
    assert curve[75, 0] == pytest.approx(1.0)


def test_two_bones_reach_their_target_and_bend_about_the_hinge():
    rng = np.random.default_rng(0)
    target, pole = rng.normal(0, 1.2, (50, 3)), rng.normal(0, 1, (50, 3))
    upper, lower, hinge = two_bone(target, 2.0, 1.5, pole)
    reach = np.linalg.norm(target, axis=1)
    fits = (reach > 0.7) & (reach < 3.4)
    assert np.allclose((2 * upper + 1.5 * lower)[fits], target[fits], atol=1e-9)
    across = np.cross(upper, lower)
    assert (np.sum(across * hinge, axis=1) > 0).all() and np.allclose(np.sum(upper * hinge, axis=1), 0, atol=1e-9)


def test_turn_angles_undo_turn():
    angles = np.random.default_rng(0).uniform([-80, -170, -170], [80, 170, 170], (40, 3))
    assert np.allclose(turn_angles_deg(turn(*angles.T)), angles)


JOINTS = {  # name: parent, offset in a T-pose
    "hip": (-1, (0, 0, 0)), "abdomen": (0, (0, 10, 0)), "chest": (1, (0, 10, 0)), "neck": (2, (0, 22, 0)),
    "head": (3, (0, 8, 0)), "rCollar": (2, (-4, 18, 0)), "rShldr": (5, (-12, 0, 0)), "rForeArm": (6, (-26, 0, 0)),
    "rHand": (7, (-24, 0, 0)), "lCollar": (2, (4, 18, 0)), "lShldr": (9, (12, 0, 0)), "lForeArm": (10, (26, 0, 0)),
    "lHand": (11, (24, 0, 0)), "rButtock": (0, (-2, -3, 0)), "rThigh": (13, (-8, -2, 0)), "rShin": (14, (0, -40, 0)),
    "rFoot": (15, (0, -40, 0)), "lButtock": (0, (2, -3, 0)), "lThigh": (17, (8, -2, 0)), "lShin": (18, (0, -40, 0)),
    "lFoot": (19, (0, -40, 0)),
}  # fmt: skip


@pytest.fixture()
def library(tmp_path):
    """Clips of somebody who stands (with turned arms), floats for long, sits in the air, and a short one."""
    names = list(JOINTS)
    skeleton = {
        "joints": names,
        "parents": [parent for parent, _ in JOINTS.values()],
        "offsets": [list(offset) for _, offset in JOINTS.values()],
    }
    (tmp_path / "made_skeleton.json").write_text(json.dumps(skeleton))
    frames = 150
    still = np.zeros((frames, len(names), 3))
    still[:, [names.index("lShldr"), names.index("lForeArm"), names.index("lHand")], 2] = -1.2
    still[:, [names.index("rShldr"), names.index("rForeArm"), names.index("rHand")], 2] = 1.2
    root = np.tile([0.0, 93.0, 0.0], (frames, 1))
    floating, sitting = root.copy(), still.copy()
    floating[40:100, 1] += 40
    low = root.copy()
    sitting[40:120, [names.index("lThigh"), names.index("rThigh")], 0] = -np.pi / 2
    low[40:120, 1] -= 40
    clips = {f"stand{at}": (still, root) for at in range(12)}
    clips |= {"float": (still, floating), "sit": (sitting, low), "short": (still[:40], root[:40])}
    arrays = {name: np.round(turns * 1e4).astype(np.int16) for name, (turns, _) in clips.items()}
    arrays |= {name + "_r": place.astype(np.float16) for name, (_, place) in clips.items()}
    np.savez(tmp_path / "made.npz", **arrays)
    return MocapLibrary(tmp_path / "made.npz")


def test_captured_rotations_are_global(library):
    """The file holds rotations against the world; composing them along the skeleton bent every limb twice."""
    clip = library.clip("stand0")
    reach = clip.place("lHand")[0] - clip.place("lShldr")[0]
    assert np.allclose(reach, 50 * np.array([np.cos(-1.2), np.sin(-1.2), 0]), atol=0.02)


def test_captures_that_lack_a_thing_are_left_out(library):
    assert stands_by_itself(library.clip("stand0"))
    assert not any(stands_by_itself(library.clip(name)) for name in ("float", "sit", "short"))
    names = {split: set(library.names_for(split)) for split in ("train", "val", "test")}
    assert names["train"] == names["val"] and not names["train"] & names["test"]
    assert names["train"] | names["test"] == {f"stand{at}" for at in range(12)}
    assert names["test"] == {name for name in names["train"] | names["test"] if mocap_split(name) == "test"}


def test_captured_feet_stand_and_directions_are_kept(library, person):
    motion = MocapMotion(person, np.random.default_rng(0), 4.0, library.clip("stand0"), framing="full")
    assert motion.plan.planted.all() and slip(motion) < 0.002
    names = ("upperarm01.L", "wrist.L", "upperarm01.R", "wrist.R")
    left, left_hand, right, right_hand = motion.joints_dm([(name, False) for name in names])[60]
    for arm in (left_hand - left, right_hand - right):
        down = -arm[1] / np.linalg.norm(arm)
        assert down == pytest.approx(np.sin(1.2), abs=0.06)


def test_a_file_without_usable_clips_is_refused(library):
    library.names = ("float", "sit")
    with pytest.raises(InputError):
        library.names_for("train")
