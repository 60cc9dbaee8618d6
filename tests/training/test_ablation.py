"""Each ablation changes what it says, and nothing else."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.face.encoder import FaceEncoderConfig, FaceMotionNet
from stages.model.config import PRESETS, DitConfig
from stages.model.dit import DiT
from stages.model.flow import along, interpolate, velocity
from stages.training.ablation import ABLATIONS, BASE, MARKED_MAPS, Ablation
from stages.training.course import Course
from stages.training.data import GROUP, HEAD, PreparedClips
from stages.training.loop import Phase, Trainer
from stages.training.objective import ObjectiveConfig, conditions, training_loss, without_maps
from stages.weights.checkpoint import load_checkpoint
from tests.training.fake_people import After, never

TINY = PRESETS["tiny"]
PHASES = (Phase(1, 0.4, (1,), (2,)), Phase(2, 0.2, (1,), (2,)), Phase(3, 0.4, (1, 5), (2, 1)))
WEIGHT = torch.ones(1, 16, 1, 1, 1)
GIVEN = ObjectiveConfig(drop_refs=0, drop_motion=0, drop_face=0, drop_sphere=0, drop_skeleton=0)  # nothing dropped


@pytest.fixture(scope="module")
def marked(prepared, tmp_path_factory):
    """The prepared clips with other maps beside their own: 255 minus them."""
    folder = tmp_path_factory.mktemp("marked")
    for clip in prepared.iterdir():
        shutil.copytree(clip, folder / clip.name)
        np.save(folder / clip.name / MARKED_MAPS, 255 - np.load(clip / "maps.npy"))
    return folder


def batch_of(folder, name="base"):
    return ABLATIONS.get(name, BASE).clips(folder).batch(np.random.default_rng(4), 3, 5, 2)


def seen_by(monkeypatch, folder, name):
    """(noisy latents, Conditions) of the network in one training step."""
    dit, seen = DiT(TINY.dit), []
    told = DiT.predict

    def predict(self, z, t, given):
        seen.append((z, given))
        return told(self, z, t, given)

    monkeypatch.setattr(DiT, "predict", predict)
    torch.manual_seed(0)
    face, config = FaceMotionNet(FaceEncoderConfig()), ABLATIONS.get(name, BASE).objective(GIVEN)
    with torch.no_grad():
        training_loss(dit, face, batch_of(folder, name), WEIGHT, 3, config, torch.Generator().manual_seed(0))
    return seen[0]


@pytest.mark.parametrize("name", list(ABLATIONS))
def test_an_ablation_withholds_what_it_says_and_nothing_else(monkeypatch, marked, name):
    (z, base), (other_z, other) = (seen_by(monkeypatch, marked, which) for which in ("base", name))
    changed = {field for field, value in vars(base).items() if not torch.equal(value, getattr(other, field))}
    wanted = {"no-sphere": {"maps", "ref_maps"}, "no-face": {"face_valid"}, "velocity": set(), "at-once": set(),
              "landmarks": {"maps", "ref_maps", "face_valid"}}[name]  # fmt: skip
    assert changed == wanted and torch.equal(z, other_z)


def test_without_sphere_the_network_sees_black_there_and_the_skeleton(monkeypatch, marked):
    (_, base), (_, other) = (seen_by(monkeypatch, marked, name) for name in ("base", "no-sphere"))
    assert base.maps[:, 3:].max() > 0.5 and base.ref_maps[:, :, 3:].max() > 0.5
    sampled = ABLATIONS["no-sphere"].shown(base)
    for made in (other, sampled):
        assert made.maps[:, 3:].abs().max() == 0 and made.ref_maps[:, :, 3:].abs().max() == 0
        assert torch.equal(base.maps[:, :3], made.maps[:, :3])
        assert torch.equal(base.ref_maps[:, :, :3], made.ref_maps[:, :, :3])


@pytest.mark.parametrize("name", ["no-face", "landmarks"])
def test_without_tokens_no_face_counts(monkeypatch, marked, name):
    base = seen_by(monkeypatch, marked, "base")[1]
    assert base.face_valid.any()
    assert not seen_by(monkeypatch, marked, name)[1].face_valid.any()
    assert not ABLATIONS[name].shown(base).face_valid.any()
    assert BASE.shown(base) is base


def test_landmarks_come_from_the_other_maps(monkeypatch, marked):
    (_, base), (_, drawn) = (seen_by(monkeypatch, marked, name) for name in ("base", "landmarks"))
    assert torch.allclose(base.maps + drawn.maps, torch.ones(()), atol=1e-6)
    assert torch.allclose(base.ref_maps + drawn.ref_maps, torch.ones(()), atol=1e-6)


def test_what_is_withheld_still_weighs_the_loss(marked):
    """The head counts in the loss of a run that never sees the sphere."""
    batch, face = batch_of(marked), FaceMotionNet(FaceEncoderConfig())
    config = replace(ABLATIONS["no-sphere"].objective(GIVEN), keep_weight=0)

    def loss(weight):
        with torch.no_grad():
            made = replace(config, head_weight=weight)
            return training_loss(DiT(TINY.dit), face, batch, WEIGHT, 3, made, torch.Generator().manual_seed(0)).item()

    assert loss(0.0) != loss(3.0)


def test_phases_keep_their_steps():
    stages = {name: [phase.stage for phase in ABLATIONS[name].phases(PHASES)] for name in ABLATIONS}
    assert stages["at-once"] == [3, 3, 3] and stages["velocity"] == stages["no-sphere"] == [1, 2, 3]
    assert stages["no-face"] == stages["landmarks"] == [1, 3, 3]
    for ablation in (BASE, *ABLATIONS.values()):
        assert [replace(p, stage=0) for p in ablation.phases(PHASES)] == [replace(p, stage=0) for p in PHASES]


def flowing():
    """data, noise [2, 16, 2, 4, 4], times of which one is 1, and the state between them."""
    data, noise = torch.randn(2, 2, 16, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([[0.1, 0.1], [1.0, 0.9]])
    return data, noise, t, interpolate(data, noise, t)


def test_velocity_and_data_are_the_same_flow():
    """z + (1 - t) v is the data, and the velocity read off from it is v wherever there is a way left to go."""
    data, noise, t, z = flowing()
    assert (along(z, data - noise, t) - data).abs().max() < 1e-5
    gap = (velocity(data, z, t) - (data - noise)).abs().amax((1, 3, 4))  # [B, t]
    assert gap[0].max() < 1e-5 and gap[1, 1] < 1e-5


def test_the_last_layer_gives_the_velocity_when_the_model_says_so(marked):
    """With a last layer that says v everywhere, what comes back is z + (1 - t) v; of the base it is v itself."""
    given = batch_of(marked, "base")
    z, t = torch.randn(given.data.shape, generator=torch.Generator().manual_seed(1)), torch.full((3, 2), 0.3)
    t[1, 0] = 1.0
    for name in ("base", "velocity"):
        dit = DiT(ABLATIONS.get(name, BASE).model(TINY).dit)
        torch.nn.init.constant_(dit.head.bias, 0.7)  # weights of the last layers start at 0
        one, tokens = torch.ones(3), torch.zeros(3, 5, 4, 32)
        with torch.no_grad():
            made = dit(z, t, conditions(given, tokens, 0 * one, one, given.face_valid))
        wanted = along(z, torch.full_like(z, 0.7), t) if name == "velocity" else torch.full_like(z, 0.7)
        assert (made - wanted).abs().max() < 1e-5, name
    assert torch.equal(wanted[1, :, 0], z[1, :, 0])  # given clean: nothing left to go


@pytest.mark.parametrize("name", ["base", "velocity"])
def test_an_oracle_has_no_loss(marked, name):
    batch = batch_of(marked, name)
    config = ABLATIONS.get(name, BASE).objective(ObjectiveConfig(keep_weight=0))

    class Oracle:
        config, off = TINY.dit, 0.0

        def predict(self, noisy, t_01, given):
            side = noisy.shape[-1]
            return batch.data + self.off, torch.zeros(3, 2 * 4 * self.config.keep_detail**2, 2, side, side)

    def loss(oracle):
        with torch.no_grad():
            face = FaceMotionNet(FaceEncoderConfig())
            return training_loss(oracle, face, batch, WEIGHT, 3, config, torch.Generator().manual_seed(0)).item()

    wrong = Oracle()
    wrong.off = 0.1
    assert loss(Oracle()) == 0.0
    assert loss(wrong) > 0.0099  # 0.1^2, or more where the loss is on the velocity


def test_the_paper_s_loss_weighs_by_time(marked):
    """The loss on the velocity is that on the data over (1 - t)^2."""
    batch, dit, face = batch_of(marked, "base"), DiT(TINY.dit), FaceMotionNet(FaceEncoderConfig())

    def loss(**options):
        config = ObjectiveConfig(time_std=0.0, pure_noise=0, keep_weight=0, first_given=0, **options)
        with torch.no_grad():
            return training_loss(dit, face, batch, WEIGHT, 3, config, torch.Generator().manual_seed(0)).item()

    t = torch.sigmoid(torch.tensor(-0.8)).item()
    assert loss(loss_on="velocity") == pytest.approx(loss() / (1 - t) ** 2, rel=1e-3)


def test_a_velocity_run_resumes_and_its_checkpoint_says_what_it_predicts(marked, tmp_path):
    ablation = ABLATIONS["velocity"]

    def run(folder, stop):
        torch.manual_seed(5)
        (tmp_path / folder).mkdir(exist_ok=True)
        made = Trainer(
            tmp_path / folder, ablation.model(TINY), WEIGHT, FaceMotionNet(FaceEncoderConfig()).state_dict(),
            phases=ablation.phases(PHASES), objective=ablation.objective(ObjectiveConfig()),
        )  # fmt: skip
        return made.run(ablation.clips(marked), 1.0, stop, courses=[Course(1)] * 3)

    assert run("whole", never)
    while not run("parts", After(1)):
        pass
    (whole, meta), (parts, _) = (load_checkpoint(tmp_path / n / "model.safetensors") for n in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert meta["dit"]["predicts"] == "velocity"


def test_unknown_choices_are_refused():
    with pytest.raises(ValueError, match="faces"):
        Ablation("x", "x", face="faces")
    with pytest.raises(ValueError, match="noise"):
        DitConfig(predicts="noise")
    with pytest.raises(ValueError, match="noise"):
        ObjectiveConfig(loss_on="noise")


def test_other_maps_are_read_only_when_asked_for(marked):
    plain, other = (PreparedClips(marked, *name) for name in ((), (MARKED_MAPS,)))
    first, second = (clips.batch(np.random.default_rng(0), 1, 1, 1) for clips in (plain, other))
    assert not torch.equal(first.maps, second.maps) and torch.equal(first.data, second.data)


@pytest.mark.parametrize("frames, size", [(1, 1), (HEAD, GROUP), (5, 2)])
def test_other_maps_change_neither_the_batch_nor_where_the_loss_counts(marked, frames, size):
    """Lines over the sphere cover the colours that find the face: heads were cut elsewhere and faces weighed less."""
    plain, other = (
        PreparedClips(marked, *name).batch(np.random.default_rng(2), size, frames, 1) for name in ((), (MARKED_MAPS,))
    )
    assert torch.equal(plain.data, other.data) and torch.equal(plain.warp_state, other.warp_state)
    assert torch.equal(other.weighing_maps, plain.maps) and not torch.equal(other.maps, plain.maps)
    hidden = without_maps(other, torch.ones(size), torch.zeros(size))
    assert torch.equal(hidden.weighing_maps, plain.maps) and not hidden.maps[:, 3:].any()
