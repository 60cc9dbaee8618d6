"""Import of 2D key points: every layout against the same made-up people, and the lifting against a known skeleton."""

import json

import numpy as np
import pytest

from stages.core.errors import InputError
from stages.core.geometry import rotation_angle_deg, yaw_pitch_roll_to_matrix
from stages.core.headpose import HEAD_POINTS_M, head_from_body
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS
from stages.pose.lifting import lift, place_in_metres, px_per_metre_of_bones
from stages.pose.openpose_import import import_openpose

SIZE = (480, 640)
FPS = 25.0
# The public layouts, written out by name so that the table under test is not its own witness.
BODY_25 = """nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist pelvis right_hip
right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe
left_heel right_big_toe right_small_toe right_heel""".split()
COCO_18 = """nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee
right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear""".split()


def stick_figure(facing=1.0):
    """Metres, pelvis = 0, standard proportions, upright, arms down and a little out, all in the picture plane."""
    x = facing  # the person's left is on the image right when facing the camera
    points = {"pelvis": (0, 0), "neck": (0, -0.5), "left_shoulder": (0.18 * x, -0.5), "left_hip": (0.1 * x, 0)}
    points |= {"left_elbow": (0.18 * x, -0.22), "left_wrist": (0.18 * x, 0.03)}
    points |= {"left_knee": (0.1 * x, 0.41), "left_ankle": (0.1 * x, 0.82), "left_heel": (0.1 * x, 0.9)}
    points |= {"left_big_toe": (0.12 * x, 0.9), "left_small_toe": (0.16 * x, 0.9)}
    points |= {f"right{n[4:]}": (-px, y) for n, (px, y) in list(points.items()) if n.startswith("left")}
    out = np.zeros((25, 3))
    for name, (px, y) in points.items():
        out[BODY_INDEX[name], :2] = px, y
    R = yaw_pitch_roll_to_matrix(np.array([0.0 if facing > 0 else np.pi, 0, 0]))
    for name, point in HEAD_POINTS_M.items():
        out[BODY_INDEX[name]] = R @ np.array(point) + [0, -0.72, -0.02]
    return out


def figure_px(scale=200.0, place=(320, 240), facing=1.0):
    return stick_figure(facing)[:, :2] * scale + np.array(place)


def named(joints_px, names, score=0.9):
    return np.array([[*joints_px[BODY_INDEX[n]], score] for n in names])


def person_json(joints_px, names=BODY_25, hands=True, face=True):
    rng = np.random.default_rng(0)
    out = {"person_id": [-1], "pose_keypoints_2d": named(joints_px, names).ravel().tolist()}
    hand = np.concatenate([rng.uniform(100, 200, (21, 2)), np.full((21, 1), 0.8)], 1)
    out["hand_left_keypoints_2d"] = hand.ravel().tolist() if hands else []
    out["hand_right_keypoints_2d"] = (hand + [10, 10, 0]).ravel().tolist() if hands else None
    if face:
        out["face_keypoints_2d"] = np.column_stack([rng.uniform(300, 400, (70, 2)), np.full(70, 0.7)]).ravel().tolist()
    return out


def write_folder(folder, frames, first=0):
    folder.mkdir()
    for i, people in enumerate(frames):
        if people is not None:
            name = f"clip_{first + i:012d}_keypoints.json"
            (folder / name).write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def test_folder_of_body_25(tmp_path):
    joints_px = figure_px()
    folder = write_folder(tmp_path / "json", [[person_json(joints_px)], [], [person_json(joints_px + 2)]], first=7)
    track = import_openpose(folder, FPS, SIZE)
    assert track.present.tolist() == [True, False, True] and track.face_layout == "ibug68"
    np.testing.assert_allclose(track.joints_px[0], joints_px, atol=1e-3)
    np.testing.assert_allclose(track.joint_score[0], 0.9, atol=1e-6)
    person = person_json(joints_px)
    hand = np.reshape(person["hand_left_keypoints_2d"], (21, 3))
    face = np.reshape(person["face_keypoints_2d"], (70, 3))
    np.testing.assert_allclose(track.hands_px[0, 0], hand[:, :2], rtol=1e-6)
    np.testing.assert_allclose(track.face_px[0, :, :2], face[:68, :2], rtol=1e-6)
    assert np.isnan(track.joints_px[1]).all() and track.person_id.tolist() == [0, -1, 0]
    assert track.hand_valid[0].all() and track.face_valid[0] and np.isfinite(track.joints_m[0]).all()


def test_missing_frame_numbers_are_empty_frames_and_missing_points_invalid(tmp_path):
    joints_px = figure_px()
    person = person_json(joints_px, hands=False, face=False)
    flat = np.reshape(person["pose_keypoints_2d"], (25, 3))
    flat[BODY_25.index("left_wrist")] = 0
    person["pose_keypoints_2d"] = flat.ravel().tolist()
    track = import_openpose(write_folder(tmp_path / "json", [[person], None, None, [person]]), FPS, SIZE)
    assert track.present.tolist() == [True, False, False, True]
    wrist = BODY_INDEX["left_wrist"]
    assert (
        np.isnan(track.joints_px[0, wrist]).all()
        and not track.joint_valid[0, wrist]
        and track.joint_score[0, wrist] == 0
    )
    assert not track.hand_valid.any() and not track.face_valid.any()
    assert np.isnan(track.joints_m[0, wrist]).all() and track.joint_valid[0].sum() == 24


def test_controlnet_file_with_18_points_normalised_to_the_canvas(tmp_path):
    joints_px = figure_px()
    share = (joints_px + 0.5) / [SIZE[1], SIZE[0]]
    frame = {
        "people": [person_json(share, COCO_18, hands=False, face=False)],
        "canvas_height": 480,
        "canvas_width": 640,
    }
    (tmp_path / "poses.json").write_text(json.dumps([frame, frame]))
    track = import_openpose(tmp_path / "poses.json", FPS)
    assert track.size == SIZE and len(track) == 2
    for name in COCO_18:
        np.testing.assert_allclose(track.joints_px[1, BODY_INDEX[name]], joints_px[BODY_INDEX[name]], atol=1e-3)
    assert not track.joint_valid[0, BODY_INDEX["left_heel"]]


@pytest.mark.parametrize("count", [17, 18, 25, 133, 134])
@pytest.mark.parametrize("people_axis", [False, True])
def test_npy_layouts(tmp_path, count, people_axis):
    rng = np.random.default_rng(count)
    joints_px = figure_px()
    whole = np.column_stack([rng.uniform(200, 300, (133, 2)), np.full(133, 0.6)])
    whole[:23, :2] = joints_px[:23]
    neck = np.array([[*joints_px[BODY_INDEX["neck"]], 0.6]])
    by_name = {n: named(joints_px, [n], 0.6) for n in BODY_JOINTS}
    points = {
        17: whole[:17],
        18: np.concatenate([by_name[n] for n in COCO_18]),
        25: np.concatenate([by_name[n] for n in BODY_25]),
        133: whole,
        134: np.concatenate([*(neck if n == "neck" else by_name[n] for n in COCO_18), whole[17:]]),
    }[count]
    array = np.stack([points] * 4)
    np.save(tmp_path / "points.npy", array[:, None] if people_axis else array)
    track = import_openpose(tmp_path / "points.npy", FPS, SIZE, frames=4)
    for name in COCO_18:
        np.testing.assert_allclose(track.joints_px[3, BODY_INDEX[name]], joints_px[BODY_INDEX[name]], atol=1e-3)
    if count >= 133:
        np.testing.assert_allclose(track.hands_px[0, 1], whole[112:, :2], rtol=1e-6)
        np.testing.assert_allclose(track.face_px[0, :, :2], whole[23:91, :2], rtol=1e-6)


def test_person_is_followed_and_picked(tmp_path):
    a, b = figure_px(150, (150, 240)), figure_px(180, (480, 240))
    people = [[person_json(a), person_json(b)], [person_json(b), person_json(a)]] * 3
    folder = write_folder(tmp_path / "json", people)
    for which, joints_px in (("left", a), ("largest", b), ("right", b)):
        track = import_openpose(folder, FPS, SIZE, person=which)
        np.testing.assert_allclose(track.joints_px, np.broadcast_to(joints_px, (6, 25, 2)), atol=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not readable JSON"),
        ("[]", "no frames"),
        ('{"a": 1}', "no list 'people'"),
        ('{"people": [3]}', "a person is int"),
        ('{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}', "has 3 numbers"),
        ('{"people": [{"pose_keypoints_2d": ["a"]}]}', "something else than numbers"),
        ('{"people": [], "canvas_height": -1, "canvas_width": 5}', "expected positive"),
    ],
)
def test_damaged_json_is_one_clear_line(tmp_path, content, message):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        import_openpose(tmp_path / "x.json", FPS, SIZE)
    assert "\n" not in str(caught.value) and "x.json" in str(caught.value)


def test_other_wrong_inputs(tmp_path):
    np.save(tmp_path / "bad.npy", np.zeros((3, 20, 3)))
    with pytest.raises(InputError, match="20 points"):
        import_openpose(tmp_path / "bad.npy", FPS, SIZE)
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="Objects are not loaded"):
        import_openpose(tmp_path / "objects.npy", FPS, SIZE)
    np.save(tmp_path / "good.npy", np.full((3, 17, 3), 5.0))
    with pytest.raises(InputError, match="3 frames of points, the video has 4"):
        import_openpose(tmp_path / "good.npy", FPS, SIZE, frames=4)
    with pytest.raises(InputError, match="no canvas size"):
        import_openpose(tmp_path / "good.npy", FPS)
    with pytest.raises(InputError, match="no such file"):
        import_openpose(tmp_path / "gone", FPS, SIZE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no .json files"):
        import_openpose(tmp_path / "empty", FPS, SIZE)


# ---- lifting ------------------------------------------------------------------------------------------------------


def test_scale_of_a_figure_in_the_picture_plane():
    joints_px = np.broadcast_to(figure_px(230.0), (10, 25, 2))
    scale = px_per_metre_of_bones(joints_px, np.ones((10, 25), bool), FPS)
    np.testing.assert_allclose(scale, 230.0, rtol=0.02)
    metres = lift(joints_px, np.ones((10, 25), bool), FPS)[0]
    np.testing.assert_allclose(metres[0, :, :2], stick_figure()[:, :2], atol=0.02)
    assert np.abs(metres[0, BODY_INDEX["left_wrist"], 2]) < 0.12


@pytest.mark.parametrize("facing", [1.0, -1.0])
def test_a_shortened_thigh_comes_towards_the_side_that_knees_bend_to(facing):
    joints = stick_figure(facing)
    bend = 0.41 * np.sin(np.radians(60))
    joints[BODY_INDEX["left_knee"]] = joints[BODY_INDEX["left_hip"]] + [
        0,
        0.41 * np.cos(np.radians(60)),
        -facing * bend,
    ]
    joints[BODY_INDEX["left_ankle"]] = joints[BODY_INDEX["left_knee"]] + [0, 0.41, 0]
    joints_px = np.broadcast_to(joints[:, :2] * 200 + 300, (8, 25, 2))
    metres = lift(joints_px, np.ones((8, 25), bool), FPS)[0][0]
    error = metres[BODY_INDEX["left_knee"]] - joints[BODY_INDEX["left_knee"]]
    assert np.abs(error).max() < 0.05, f"knee off by {error}"


@pytest.mark.parametrize("yaw_deg", [-60, -30, 0, 30, 60])
def test_head_direction_survives_the_lifting(yaw_deg):
    joints = stick_figure()
    R = yaw_pitch_roll_to_matrix(np.radians([yaw_deg, 10.0, 5.0]))
    for name, point in HEAD_POINTS_M.items():
        joints[BODY_INDEX[name]] = R @ np.array(point) + [0, -0.72, -0.02]
    metres = lift(np.broadcast_to(joints[:, :2] * 200 + 300, (5, 25, 2)), np.ones((5, 25), bool), FPS)[0]
    error = rotation_angle_deg(head_from_body(metres)[0], R)
    assert error.max() < 6, f"{error.max():.1f} degrees"


def test_measured_depth_gives_the_scale_of_a_bent_body():
    rng = np.random.default_rng(0)
    joints = stick_figure()
    direction = rng.normal(size=3)
    for chain in (("left_shoulder", "left_elbow", "left_wrist"), ("right_hip", "right_knee", "right_ankle")):
        for a, b in zip(chain[:-1], chain[1:], strict=True):
            length = np.linalg.norm(stick_figure()[BODY_INDEX[b]] - stick_figure()[BODY_INDEX[a]])
            direction = rng.normal(size=3) * [1, 1, 0.5]
            joints[BODY_INDEX[b]] = joints[BODY_INDEX[a]] + length * direction / np.linalg.norm(direction)
    px = np.broadcast_to(joints[:, :2] * 180 + 300, (5, 25, 2))
    depth = np.broadcast_to(joints[:, 2], (5, 25))
    scale = px_per_metre_of_bones(px, np.ones((5, 25), bool), FPS, depth)
    np.testing.assert_allclose(scale, 180, rtol=0.02)
    np.testing.assert_allclose(place_in_metres(px, depth, scale)[0], joints, atol=0.03)


def test_upper_body_without_hips_gets_a_pelvis_below_the_neck():
    px = np.broadcast_to(figure_px(), (5, 25, 2)).copy()
    valid = np.ones((5, 25), bool)
    for name in BODY_JOINTS:
        if any(part in name for part in ("hip", "knee", "ankle", "toe", "heel", "pelvis")):
            px[:, BODY_INDEX[name]], valid[:, BODY_INDEX[name]] = np.nan, False
    metres = lift(px, valid, FPS)[0]
    np.testing.assert_allclose(metres[0, BODY_INDEX["neck"]], [0, -0.5, 0], atol=0.02)
    assert np.isnan(metres[0, BODY_INDEX["left_knee"]]).all() and np.isfinite(metres[0, BODY_INDEX["left_wrist"]]).all()
