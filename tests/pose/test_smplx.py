"""SMPL-X parameters: names and shapes of the files, the camera, and the forward pass on a made-up model.

The forward pass runs where the optional package smplx is installed; its model file is made here, in the real layout,
with random numbers: no model data of anybody is needed.
"""

import pickle

import numpy as np
import pytest

from stages.core.errors import InputError, WeightsError
from stages.core.geometry import default_K_px, project_px, rotvec_to_matrix
from stages.core.skeleton import BODY_INDEX, BODY_JOINTS, HAND_INDEX
from stages.pose.smplx_import import LICENCE, _stage, as_track, check_model, import_smplx
from stages.pose.smplx_params import read_params

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def random_poses(frames, seed=0):
    rng = np.random.default_rng(seed)
    widths = {"global_orient": 3, "body_pose": 63, "left_hand_pose": 45, "right_hand_pose": 45, "jaw_pose": 3}
    return {name: rng.normal(0, 0.2, (frames, width)).astype(np.float32) for name, width in widths.items()}


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_amass_and_plain_files_say_the_same(tmp_path):
    poses, rng = random_poses(5), np.random.default_rng(1)
    trans, betas = rng.normal(size=(5, 3)), rng.normal(size=16)
    eyes = np.zeros((5, 6), np.float32)
    parts = [
        poses["global_orient"],
        poses["body_pose"],
        poses["jaw_pose"],
        eyes,
        poses["left_hand_pose"],
        poses["right_hand_pose"],
    ]
    amass = read_params(
        save(
            tmp_path / "a.npz",
            poses=np.concatenate(parts, 1),
            trans=trans,
            betas=betas,
            mocap_frame_rate=120.0,
            gender="neutral",
        )
    )
    assert amass.axes == "z-up" and amass.flat_hands and amass.fps == 120 and amass.betas.shape == (5, 16)
    shaped = {
        "body_pose": poses["body_pose"].reshape(5, 21, 3),
        "left_hand_pose": poses["left_hand_pose"].reshape(5, 15, 3),
    }
    plain = read_params(save(tmp_path / "p.npz", **{**poses, **shaped}, transl=trans, betas=betas[None]))
    assert plain.axes == "camera" and not plain.flat_hands and plain.fps is None
    smplest = {
        "smplx_root_pose": poses["global_orient"],
        "smplx_body_pose": poses["body_pose"],
        "cam_trans": trans,
        "smplx_lhand_pose": poses["left_hand_pose"],
        "smplx_rhand_pose": poses["right_hand_pose"],
        "smplx_jaw_pose": poses["jaw_pose"],
        "smplx_shape": np.tile(betas, (5, 1)),
        "focal": [900.0, 901.0],
        "princpt": [300.0, 200.0],
    }
    other = read_params(save(tmp_path / "s.npz", **smplest))
    np.testing.assert_allclose(other.K_px, [[900, 0, 300], [0, 901, 200], [0, 0, 1]])
    for params in (plain, other):
        for name, value in amass.poses.items():
            np.testing.assert_array_equal(params.poses[name], value)
        np.testing.assert_array_equal(params.transl, amass.transl)
        np.testing.assert_array_equal(params.betas, amass.betas)
        assert params.transl.dtype == np.float32


def test_folder_of_one_frame_files(tmp_path):
    poses = random_poses(3)
    for t in range(3):
        save(tmp_path / f"{t:05d}_0.npz", **{n: v[t : t + 1] for n, v in poses.items()}, betas=np.zeros((1, 10)))
    params = read_params(tmp_path)
    assert len(params) == 3 and params.transl is None
    np.testing.assert_array_equal(params.poses["body_pose"], poses["body_pose"])


def test_smplh_poses_and_two_axes(tmp_path):
    params = read_params(
        save(tmp_path / "h.npz", poses=np.zeros((4, 156)), trans=np.zeros((4, 3))), axes="y-up", hands="mean"
    )
    assert params.axes == "y-up" and not params.flat_hands and not params.poses["jaw_pose"].any()
    for axes, up in (("camera", [0, -1, 0]), ("y-up", [0, 1, 0]), ("z-up", [0, 0, 1])):
        turn = read_params(tmp_path / "h.npz", axes=axes).turn
        np.testing.assert_allclose(turn @ np.array(up), [0, -1, 0])
        assert np.linalg.det(turn) == pytest.approx(1)


def test_wrong_files_are_one_clear_line(tmp_path):
    poses = random_poses(3)
    cases = {
        "no body_pose": {"global_orient": poses["global_orient"]},
        "expected 3 frames": {**poses, "transl": np.zeros((2, 3))},
        "has 4 values": {**poses, "transl": np.zeros((3, 4))},
        "finite": {**poses, "transl": np.full((3, 3), np.nan)},
        r"expected \[T, 63\]": {**poses, "body_pose": np.zeros((3, 50))},
        r"expected \[T, 165\]": {"poses": np.zeros((3, 72))},
    }
    for message, arrays in cases.items():
        with pytest.raises(InputError, match=message):
            read_params(save(tmp_path / "x.npz", **arrays))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InputError, match=r"broken\.npz"):
        read_params(tmp_path / "broken.npz")
    with pytest.raises(InputError, match="Pickles"):
        read_params(tmp_path / "model.pkl")
    with pytest.raises(InputError):
        read_params(tmp_path / "gone.npz")


class Trap:
    """Unpickling this would be noticed."""

    def __reduce__(self):
        return (pytest.fail, ("a pickle from a file was run",))


def test_objects_inside_a_file_are_never_unpickled(tmp_path):
    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    np.savez(tmp_path / "trap.npz", **random_poses(2), joint2num=trap)
    assert len(read_params(tmp_path / "trap.npz")) == 2
    np.savez(tmp_path / "only.npz", smplx=trap)
    with pytest.raises(InputError, match="no global_orient"):
        read_params(tmp_path / "only.npz")


def test_missing_model_shows_remedy_and_licence(tmp_path):
    for model in (tmp_path / "gone.npz", tmp_path / "SMPLX_NEUTRAL.pkl", save(tmp_path / "other.npz", a=np.zeros(3))):
        if model.suffix == ".pkl":
            model.write_bytes(pickle.dumps({}))
        with pytest.raises(WeightsError) as caught:
            check_model(model)
        assert "SMPL" in str(caught.value) and LICENCE in str(caught.value)


def test_missing_package_shows_remedy_and_licence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "smplx", None)
    file = save(tmp_path / "p.npz", **random_poses(2))
    with pytest.raises(WeightsError, match=r"dreamactor\[smplx\]") as caught:
        import_smplx(file, tmp_path / "SMPLX_NEUTRAL.npz")
    assert "non-commercial" in str(caught.value)


def named_points(frames=4, seed=0, contour=True):
    """Random points in front of the camera, and names as smplx gives them, as far as we use them."""
    names = list(BODY_JOINTS[:23])
    for side in ("left", "right"):
        names += [f"{side}_{f}{k}" for f in FINGERS for k in (1, 2, 3)] + [f"{side}_{f}" for f in FINGERS]
    names += ["right_eye_brow1", *(f"inner{i}" for i in range(50))]
    if contour:
        names += ["right_contour_1", *(f"c{i}" for i in range(7)), "contour_middle", *(f"d{i}" for i in range(8))]
    points = np.random.default_rng(seed).uniform(-0.6, 0.6, (frames, len(names), 3)) + [0, 0, 4]
    return points, {n: i for i, n in enumerate(names)}


@pytest.mark.parametrize("contour", [True, False])
def test_points_become_joints_hands_and_face(contour):
    points, names = named_points(contour=contour)
    K_px = default_K_px(720, 1280)
    track = as_track(points, names, K_px, (720, 1280), 25.0, {})
    px = project_px(points, K_px)
    for joint in BODY_JOINTS[:23]:
        np.testing.assert_allclose(track.joints_px[:, BODY_INDEX[joint]], px[:, names[joint]], rtol=1e-5)
    pelvis = (points[:, names["left_hip"]] + points[:, names["right_hip"]]) / 2
    np.testing.assert_allclose(track.joints_m[:, 9], points[:, names["left_wrist"]] - pelvis, atol=1e-5)
    for hand, side in enumerate(("left", "right")):
        for joint, source in (("wrist", "wrist"), ("thumb1", "thumb1"), ("index4", "index"), ("pinky3", "pinky3")):
            np.testing.assert_allclose(
                track.hands_px[:, hand, HAND_INDEX[joint]], px[:, names[f"{side}_{source}"]], rtol=1e-5
            )
    np.testing.assert_allclose(track.face_px[:, 17, :2], px[:, names["right_eye_brow1"]], rtol=1e-5)
    np.testing.assert_allclose(track.face_px[:, 67, :2], px[:, names["inner49"]], rtol=1e-5)
    if contour:
        np.testing.assert_allclose(track.face_px[:, 8, :2], px[:, names["contour_middle"]], rtol=1e-5)
    else:
        assert np.isnan(track.face_px[:, :17]).all() and np.isfinite(track.face_px[:, 17:]).all()
    assert track.present.all() and track.joint_valid.all()


def test_outside_the_picture_is_not_valid():
    points, names = named_points()
    points[0, names["nose"]] = [9, 0, 4]
    points[1] += [100, 0, 0]
    track = as_track(points, names, default_K_px(720, 1280), (720, 1280), 25.0, {})
    assert not track.joint_valid[0, BODY_INDEX["nose"]] and track.present.tolist() == [True, False, True, True]
    assert np.isnan(track.box_px[1]).all() and track.person_id[1] == -1


@pytest.mark.parametrize("turned", [0.0, 1.0, 3.0, -2.0])
def test_staged_motion_faces_the_camera_and_fits(turned):
    points, names = named_points()
    points[:, names["left_hip"]], points[:, names["right_hip"]] = [0.1, 0, 4], [-0.1, 0, 4]
    points = points @ rotvec_to_matrix(np.array([0, turned, 0])).T
    K_px = default_K_px(720, 1280)
    out = _stage(points, names, (720, 1280), K_px)
    across = out[:, names["left_hip"]] - out[:, names["right_hip"]]
    np.testing.assert_allclose(across, [[0.2, 0, 0]] * 4, atol=1e-9)
    px = project_px(out, K_px)
    assert (px >= 0).all() and (px <= [1279, 719]).all() and np.ptp(px[..., 1]) > 0.5 * 720


# ---- the forward pass, with the package ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made_up_model(tmp_path_factory):
    pytest.importorskip("smplx", reason="the optional package smplx is not installed", exc_type=ImportError)
    rng = np.random.default_rng(0)
    vertices, joints = 10475, 55
    parents = np.array(
        [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
        + [
            p
            for side in (20, 21)
            for f in range(5)
            for p in (side, 25 + (side - 20) * 15 + 3 * f, 26 + (side - 20) * 15 + 3 * f)
        ]
    )
    v = rng.normal(0, 0.3, (vertices, 3))
    regressor = np.zeros((joints, vertices))
    regressor[np.arange(joints), rng.choice(vertices, joints, replace=False)] = 1.0
    weights = np.zeros((vertices, joints))
    weights[np.arange(vertices), rng.integers(0, joints, vertices)] = 1.0
    trap = np.empty(1, dtype=object)
    trap[0] = Trap()
    path = tmp_path_factory.mktemp("model") / "SMPLX_NEUTRAL.npz"
    np.savez(
        path,
        v_template=v,
        shapedirs=rng.normal(0, 0.01, (vertices, 3, 20)),
        posedirs=np.zeros((vertices, 3, 486), np.float32),
        J_regressor=regressor,
        weights=weights,
        kintree_table=np.stack([parents, np.arange(joints)]),
        f=rng.integers(0, vertices, (50, 3)),
        hands_componentsl=np.eye(45),
        hands_componentsr=np.eye(45),
        hands_meanl=np.full(45, 0.1),
        hands_meanr=np.full(45, 0.1),
        joint2num=trap,
        lmk_faces_idx=rng.integers(0, 50, 51),
        lmk_bary_coords=np.full((51, 3), 1 / 3),
        dynamic_lmk_faces_idx=rng.integers(0, 50, (79, 17)),
        dynamic_lmk_bary_coords=np.full((79, 17, 3), 1 / 3),
    )
    return path, v, regressor


def test_rest_pose_and_translation_through_the_package(tmp_path, made_up_model, capfd):
    path, v, regressor = made_up_model
    still = {n: np.zeros_like(x) for n, x in random_poses(40).items()}
    transl = np.tile([0.1, -0.2, 5.0], (40, 1))
    file = save(tmp_path / "rest.npz", **still, transl=transl, betas=np.zeros(10), K=default_K_px(1280, 720))
    track, K_px = import_smplx(file, path, hands="flat")
    rest = regressor @ v
    for name, place in (("left_hip", 1), ("right_knee", 5), ("left_shoulder", 16), ("right_wrist", 21)):
        np.testing.assert_allclose(
            track.joints_px[:, BODY_INDEX[name]], np.tile(project_px(rest[place] + transl[0], K_px), (40, 1)), rtol=1e-4
        )
    assert len(track) == 40 and track.backend == "smplx" and capfd.readouterr().out == ""
    assert "non-commercial" in track.weights["smplx"]["licence"]


def test_turned_root_turns_everything_about_the_root(tmp_path, made_up_model):
    path, v, regressor = made_up_model
    turn = np.array([0.0, 0.7, 0.0])
    still = {n: np.zeros_like(x) for n, x in random_poses(2).items()}
    still["global_orient"][1] = turn
    file = save(tmp_path / "turn.npz", **still, transl=np.tile([0, 0, 6.0], (2, 1)))
    track, _ = import_smplx(file, path, hands="flat")
    np.testing.assert_allclose(track.joints_m[1], track.joints_m[0] @ rotvec_to_matrix(turn).T, atol=1e-4)
    np.testing.assert_allclose(track.hands_m[1], track.hands_m[0] @ rotvec_to_matrix(turn).T, atol=1e-4)


def test_amass_file_is_staged_and_resampled(tmp_path, made_up_model):
    path, *_ = made_up_model
    file = save(
        tmp_path / "a.npz",
        poses=np.zeros((48, 165)),
        trans=np.zeros((48, 3)),
        betas=np.zeros(16),
        mocap_frame_rate=120.0,
    )
    track, K_px = import_smplx(file, path, fps=30.0, size=(640, 360))
    assert len(track) == 12 and track.fps == 30.0 and track.joint_valid.all() and K_px[0, 2] == 179.5
