"""Other aspects and scales, references from elsewhere, hidden joints: made right, and learned from."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from stages.core.skeleton import BODY_INDEX
from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
from stages.model.config import PRESETS
from stages.model.dit import DiT
from stages.model.sampler import SamplerConfig
from stages.training import data
from stages.training.compositor_loop import Rehearsals
from stages.training.data import PreparedClips
from stages.training.drawn import control_maps
from stages.training.objective import ObjectiveConfig, training_loss, without_maps
from stages.training.pool import REFERENCE_FRAMES, Pool, fill_pool
from stages.training.prepare import prepare_clips
from stages.training.rehearse import rehearse
from stages.training.variety import (
    PLAIN,
    SIDE_STRIDE,
    Variety,
    choose_window,
    half_body_window,
    hide_joints,
    reframed,
    view_window,
)
from stages.training.warps import truth_performance
from tests.training.fake_people import FakePeople, never

VARIED = Variety(reframed=0.7, hiding=1.0)


@pytest.fixture(scope="module")
def varied_pool(tmp_path_factory) -> Pool:
    folder = tmp_path_factory.mktemp("varied_pool")
    assert fill_pool(folder, FakePeople(framing="full", views=2), 6, workers=1, stop=never)
    return Pool(folder, 6)


@pytest.fixture(scope="module")
def varied(varied_pool, vae, tmp_path_factory):
    folder = tmp_path_factory.mktemp("varied")
    assert prepare_clips(varied_pool, vae, folder, stop=never, autocast=nullcontext, variety=VARIED)
    return folder


def head_at(x: float, y: float, radius: float = 1.0) -> dict:
    return {"head_center_px": np.tile([x, y], (12, 1)), "head_radius_px": np.full(12, radius)}


def test_windows_have_other_sides_and_stay_on_the_picture():
    rng, sizes, scales, found = np.random.default_rng(0), set(), [], 0
    for _ in range(400):
        truth = head_at(*rng.uniform(20, 108, 2))
        window = choose_window(truth, 128, rng, Variety())
        if window is None:
            continue
        found += 1
        sizes.add((window.height, window.width))
        scales.append(window.scale)
        corners = (np.array([[-0.5, -0.5], [window.width - 0.5, window.height - 0.5]]) - window.shift_px) / window.scale
        assert corners.min() >= -0.5 - 1e-6 and corners.max() <= 127.5 + 1e-6
        head = window.points(truth["head_center_px"][0])
        assert (head > 0).all() and head[0] < window.width and head[1] < window.height
    assert 0.28 < found / 400 < 0.42
    assert sizes == {(128, 128), (128, 96), (96, 128), (128, 80), (80, 128)}
    assert all(side % SIDE_STRIDE == 0 for size in sizes for side in size)
    assert min(scales) >= 1.0 and 1.25 < max(scales) <= 1.35
    assert choose_window(head_at(64, 64), 128, rng, PLAIN) is None


def test_a_large_head_gets_no_slim_window():
    rng = np.random.default_rng(0)
    windows = [choose_window(head_at(64, 64, 38.0), 128, rng, Variety(reframed=1.0)) for _ in range(200)]
    sizes = {(window.height, window.width) for window in windows if window is not None}
    assert sizes == {(128, 128), (128, 96), (96, 128)} and None in windows
    assert all(2.4 * 38 * window.scale <= min(window.height, window.width) + 1e-6 for window in windows if window)


def test_points_go_where_the_picture_goes():
    frames = np.zeros((12, 128, 128, 3), np.uint8)
    frames[:, 49:52, 69:72] = 255  # a dot of 3 x 3 px about (70, 50)
    joints = np.zeros((12, 25, 2)) + [70.0, 50.0]
    truth = {
        **head_at(70, 50),
        "joints_px": joints,
        "hands_px": np.zeros((12, 2, 21, 2)),
        "face_px": np.zeros((12, 68, 2)) + [70.0, 50.0],
    }
    window = choose_window(truth, 128, np.random.default_rng(3), Variety(reframed=1.0, sides=((1.0, 0.625),)))
    pictures, moved = reframed(frames, truth, window)
    assert pictures.shape == (12, 128, 80, 3)
    y, x = np.nonzero(pictures[4, ..., 0] > 128)
    assert np.abs(moved["joints_px"][4, 7] - [x.mean(), y.mean()]).max() < 0.5
    assert np.array_equal(moved["face_px"][0, 0], moved["joints_px"][0, 0])
    assert moved["head_radius_px"][0] == window.scale and np.array_equal(joints[0, 0], [70, 50])


def test_a_half_body_crop_shows_head_and_hips_and_no_feet():
    joints = np.zeros((1, 25, 2)) + [64.0, 60.0]
    for name, y in {"neck": 34, "left_shoulder": 36, "right_shoulder": 36, "left_hip": 66, "right_hip": 66,
                    "left_elbow": 50, "right_elbow": 50, "left_wrist": 62, "right_wrist": 62,
                    "left_ankle": 118, "right_ankle": 118}.items():  # fmt: skip
        joints[0, BODY_INDEX[name], 1] = y
    hands, head = np.zeros((1, 2, 21, 2)) + [64, 64], np.array([[64.0, 20.0]])
    truth = {"joints_px": joints, "hands_px": hands, "head_center_px": head, "head_radius_px": np.array([8.0])}
    window = half_body_window(truth, 0, (128, 96))
    head, hip, ankle = (window.points(p)[1] for p in ([64, 20], [64, 66], [64, 118]))
    assert (window.height, window.width) == (128, 96) and window.scale > 1.5
    assert 0 < head - 8 * window.scale and hip < 128 < ankle


def test_hidden_joints_are_hidden_as_often_as_said():
    count = 17 + REFERENCE_FRAMES
    truth = {"joints_px": np.zeros((count, 25, 2)), "joint_visible": np.ones((count, 25), bool)}
    truth["joint_visible"][3:9, BODY_INDEX["right_hip"]] = False
    rng, knees, noses, hips, hands, behind = np.random.default_rng(0), [], [], [], [], []
    for _ in range(400):
        made = hide_joints(truth, rng, Variety())
        drawn = made["joints_drawn"]
        noses.append(not drawn[:, BODY_INDEX["nose"]].any())
        knees.append(1 - drawn[:17, BODY_INDEX["left_knee"]].mean())
        hips.append(not drawn[3:9, BODY_INDEX["right_hip"]].any())
        behind.append(1 - drawn[17:, BODY_INDEX["left_knee"]].mean())
        hands.append((~drawn[:, BODY_INDEX["left_wrist"]] & made["hands_drawn"][:, 0]).any())
    assert 0.005 < np.mean(noses) < 0.04  # half of the clips, 0.04
    assert 0.02 < np.mean(behind) < np.mean(knees) < 0.08  # a while of a limb comes on top, but not in references
    assert 0.18 < np.mean(hips) < 0.35  # half of the clips, half of the unseen joints
    assert not any(hands)
    assert hide_joints(truth, rng, PLAIN)["joints_drawn"].all()


def test_hidden_joints_are_missing_in_maps_and_in_what_is_carried():
    truth = FakePeople().clip(1)
    truth["joints_drawn"] = np.ones((len(truth["joints_px"]), 25), bool)
    truth["hands_drawn"] = np.ones((len(truth["joints_px"]), 2), bool)
    every = control_maps(truth, 64, 64)
    assert np.array_equal(every, control_maps(FakePeople().clip(1), 64, 64))
    truth["joints_drawn"][4, BODY_INDEX["left_elbow"]] = False
    truth["hands_drawn"][4] = False
    less = control_maps(truth, 64, 64)
    assert (less[4, ..., :3] > 0).sum() < (every[4, ..., :3] > 0).sum()
    assert np.array_equal(np.delete(less, 4, 0), np.delete(every, 4, 0))
    performance, _ = truth_performance(truth, slice(3, 6))
    assert not performance.drawn[1, BODY_INDEX["left_elbow"]] and performance.drawn.sum() == 74
    assert performance.hands_drawn.tolist() == [[True] * 2, [False] * 2, [True] * 2]


def test_prepared_clips_differ_in_size_and_have_extra_references(varied, varied_pool):
    sizes = {np.load(clip / "maps.npy").shape[1:3] for clip in PreparedClips(varied).clips}
    assert len(sizes) >= 2 and (64, 64) in sizes
    for clip in PreparedClips(varied).clips:
        height, width = np.load(clip / "frames.npy").shape[1:3]
        extra, maps = np.load(clip / "extra_latents.npy"), np.load(clip / "extra_maps.npy")
        assert extra.shape == (3, 16, height // 8, width // 8)  # two views and a half-body crop
        assert maps.shape == (3, height, width, 6) and (maps[..., 3:].max((1, 2, 3)) > 0).all()
        assert np.load(clip / "warp_kind.npy").shape == (2, 14, height, width)


def test_a_view_is_cut_about_the_head():
    truth = FakePeople(views=1).clip(5)
    about = {"head_center_px": truth["view_head_center_px"]}
    window = view_window(about, 0, 64, (64, 48))
    head = window.points(about["head_center_px"][0])
    assert window.scale == 1.0 and 0 < head[0] < 48 and 0 < head[1] < 64


def test_extra_references_stand_behind_the_first_and_old_clips_have_none(varied, prepared, monkeypatch):
    monkeypatch.setattr(data, "EXTRA_SHARE", 1.0)
    clips = PreparedClips(varied)
    assert clips.batch(np.random.default_rng(0), 4, 5, 1).ref_latents.shape[1] == 1
    for seed in range(6):
        made = clips._item(clips.clips[seed], np.random.default_rng(seed), 5, 3)
        own = np.load(clips.clips[seed] / "latents.npy").astype(np.float32)
        extra = np.load(clips.clips[seed] / "extra_latents.npy").astype(np.float32)
        first = np.load(clips.clips[seed] / "warp.npz")["refs"]
        assert any(np.array_equal(made[2][0], own[ref]) for ref in first)
        assert all(any(np.array_equal(ref, one) for one in extra) for ref in made[2][1:])
        assert not np.array_equal(made[2][1], made[2][2])
    assert PreparedClips(prepared).batch(np.random.default_rng(0), 3, 5, 3).ref_latents.shape[:2] == (3, 3)


def test_batches_are_of_one_size_and_every_size_is_learned_from(varied):
    torch.manual_seed(0)
    clips, shapes = PreparedClips(varied), set()
    dit, face = DiT(PRESETS["tiny"].dit), FaceMotionNet(FaceEncoderConfig())
    for seed in range(12):
        batch = clips.batch(np.random.default_rng(seed), 2, 5, 2)
        shape = tuple(batch.maps.shape[-2:])
        assert tuple(batch.data.shape[-2:]) == (shape[0] // 8, shape[1] // 8) == tuple(batch.ref_latents.shape[-2:])
        if shape not in shapes:
            shapes.add(shape)
            loss = training_loss(
                dit, face, batch, torch.ones(1, 16, 1, 1, 1), 3, ObjectiveConfig(), torch.Generator().manual_seed(0)
            )
            loss.backward()
            assert torch.isfinite(loss)
    assert len(shapes) >= 2


def test_the_compositor_takes_batches_of_one_size(varied, vae, tmp_path):
    torch.manual_seed(0)
    clips = PreparedClips(varied)
    networks = DiT(PRESETS["tiny"].dit).eval(), FaceMotionNet(FaceEncoderConfig()).eval()
    options = {"stop": never, "autocast": nullcontext, "sampler": SamplerConfig(1)}
    assert rehearse(clips, *networks, vae, tmp_path / "r", 12, **options)
    rehearsals = Rehearsals(tmp_path / "r", varied)
    shapes = {rehearsals.batch(np.random.default_rng(seed), 8).made.shape for seed in range(12)}
    assert len(shapes) >= 2 and {shape[0] for shape in shapes} == {8}


def test_each_map_is_dropped_alone(prepared):
    batch = PreparedClips(prepared).batch(np.random.default_rng(0), 3, 5, 2)
    made = without_maps(batch, torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0]))
    for name, axis in (("maps", 1), ("ref_maps", 2)):
        before, after = getattr(batch, name).movedim(axis, 1), getattr(made, name).movedim(axis, 1)
        assert torch.equal(after[0], before[0])
        assert not after[1, :3].any() and torch.equal(after[1, 3:], before[1, 3:]) and after[1, 3:].any()
        assert not after[2, 3:].any() and torch.equal(after[2, :3], before[2, :3]) and after[2, :3].any()


@pytest.mark.parametrize("drop", ["drop_skeleton", "drop_sphere"])
def test_a_dropped_map_is_not_seen(prepared, drop):
    """With the chance 1, other colours in the maps change nothing; with 0 they do."""
    torch.manual_seed(0)
    dit, face = DiT(PRESETS["tiny"].dit), FaceMotionNet(FaceEncoderConfig())
    for parameter in dit.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    batch = PreparedClips(prepared).batch(np.random.default_rng(1), 2, 5, 2)
    part = slice(0, 3) if drop == "drop_skeleton" else slice(3, 6)
    dimmed = [getattr(batch, name).clone() for name in ("maps", "ref_maps")]
    dimmed[0][:, part], dimmed[1][:, :, part] = dimmed[0][:, part] * 0.7, dimmed[1][:, :, part] * 0.7
    other = type(batch)(**{**vars(batch), "maps": dimmed[0], "ref_maps": dimmed[1]})
    base = {"drop_motion": 0, "drop_skeleton": 0, "drop_sphere": 0, "figure_weight": 0, "head_weight": 0}
    base["face_weight"] = 0

    def loss(made, **options):
        config = ObjectiveConfig(**{**base, **options})
        with torch.no_grad():
            weight = torch.ones(1, 16, 1, 1, 1)
            return training_loss(dit, face, made, weight, 1, config, torch.Generator().manual_seed(0)).item()

    assert loss(batch, **{drop: 1.0}) == loss(other, **{drop: 1.0})
    assert loss(batch) != loss(other)


def test_errors_in_the_head_count_more(prepared):
    """An untrained network predicts zero, so the loss is the weighted mean square of the latents."""
    torch.manual_seed(0)
    dit, face = DiT(PRESETS["tiny"].dit), FaceMotionNet(FaceEncoderConfig())
    batch = PreparedClips(prepared).batch(np.random.default_rng(1), 2, 1, 1)
    maps = torch.zeros_like(batch.maps)
    maps[:, 3, :, 16:24, 16:24] = 1.0  # exactly cell (2, 2)
    options = {"figure_weight": 0, "face_weight": 0, "keep_weight": 0, "drop_refs": 1.0}

    def loss(head_weight, inside, outside):
        value = torch.full_like(batch.data, outside)
        value[..., 2, 2] = inside
        made = type(batch)(**{**vars(batch), "maps": maps, "data": value})
        config = ObjectiveConfig(head_weight=head_weight, **options)
        with torch.no_grad():
            weight = torch.ones(1, 16, 1, 1, 1)
            return training_loss(dit, face, made, weight, 1, config, torch.Generator().manual_seed(0)).item()

    assert loss(0.0, 1.0, 0.0) == pytest.approx(1 / 64, rel=1e-3)
    assert loss(3.0, 1.0, 0.0) == pytest.approx(4 / 67, rel=1e-3)
    assert loss(3.0, 1.0, 1.0) == pytest.approx(1.0, rel=1e-3)
