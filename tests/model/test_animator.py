"""A model folder becomes frames; segments hand over their last latent; checkpoints load strictly or not at all."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch

from stages.core.errors import InputError, WeightsError
from stages.model.animator import Animator, Tracks, model_config, segment_spans
from stages.model.config import ModelConfig
from stages.model.files import model_files
from stages.model.sampler import SamplerConfig
from stages.weights.checkpoint import load_checkpoint, load_strictly, save_checkpoint
from tests.model.tiny import TINY, tiny_compositor, tiny_dit, tiny_vae

SIDE = 64


def tracks(frames: int, references: int = 1, seed: int = 0) -> Tracks:
    rng = np.random.default_rng(seed)
    tokens = rng.standard_normal((frames, TINY.dit.face_tokens, TINY.dit.face_channels)).astype(np.float32)
    valid = rng.random(frames) > 0.2
    tokens[~valid] = np.nan
    return Tracks(
        rng.integers(0, 256, (frames, SIDE, SIDE, 6), np.uint8), tokens, valid,
        rng.integers(0, 256, (references, SIDE, SIDE, 3), np.uint8),
        rng.integers(0, 256, (references, SIDE, SIDE, 6), np.uint8),
        rng.integers(0, 256, (frames, SIDE, SIDE, 3), np.uint8), rng.integers(0, 4, (frames, SIDE, SIDE), np.uint8),
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    save_checkpoint(path / "vae.safetensors", tiny_vae().state_dict(), {"size": SIDE})
    save_checkpoint(path / "dit.safetensors", tiny_dit().state_dict(), TINY.to_dict(), bfloat16=True)
    save_checkpoint(
        path / "compositor.safetensors", tiny_compositor().state_dict(), dataclasses.asdict(TINY.compositor)
    )
    return path


def generators(count):
    return [torch.Generator().manual_seed(index) for index in range(count)]


@pytest.mark.parametrize("frames", [1, 2, 9, 12, 26])
def test_a_clip_of_any_length_becomes_its_frames(folder, frames):
    animator = Animator.load(str(folder))
    padded = frames + -(frames - 1) % 4
    spans = segment_spans(padded, TINY.segment_frames)
    parts = list(animator.segments(tracks(frames, 2), SamplerConfig(2), generators(len(spans))))
    latents = torch.cat(parts, 2)
    assert latents.shape == (1, 16 + 128, (padded - 1) // 4 + 1, 8, 8)
    pictures = np.concatenate(list(animator.decode(latents)))
    assert pictures.shape == (padded, SIDE, SIDE, 3) and pictures.dtype == np.uint8


@pytest.mark.parametrize("made", [1, 2, 3, 4])
def test_segments_made_before_are_taken_as_given(folder, made):
    """Whatever a kill left, the rest is the same to the bit: nothing of a segment is needed that is not kept."""
    animator, given = Animator.load(str(folder)), tracks(29)
    whole = list(animator.segments(given, SamplerConfig(2), generators(4)))
    resumed = list(animator.segments(given, SamplerConfig(2), generators(4), done=whole[:made]))
    assert len(resumed) == 4 - made
    assert all(torch.equal(a, b) for a, b in zip(resumed, whole[made:], strict=True))


def test_the_hand_over_matters(folder):
    animator, given = Animator.load(str(folder)), tracks(25)
    whole = list(animator.segments(given, SamplerConfig(2), generators(3)))
    moved = list(animator.segments(given, SamplerConfig(2), generators(3), done=[whole[0], whole[1] + 1]))
    assert not torch.equal(moved[0], whole[2])


def test_both_segments_make_the_first_latent_behind_a_joint_from_one_noise(folder, monkeypatch):
    """With a sampler that returns its noise plus its number, the clip is the noise of each latent plus who made it."""
    numbers = iter(range(10))

    def numbered(predict, noise, config, *, first=None):
        predict(noise, torch.zeros(1, noise.shape[2]))
        return noise + next(numbers)

    monkeypatch.setattr("stages.model.animator.sample_segment", numbered)
    parts = list(Animator.load(str(folder)).segments(tracks(25), SamplerConfig(2), generators(3)))
    noise = [torch.randn(1, 16, len(owners), 8, 8, generator=one)
             for one, owners in zip(generators(3), ([0, 0, 0], [0.5, 1], [1.5, 2]), strict=True)]  # fmt: skip
    for part, drawn, owners in zip(parts, noise, ([0, 0, 0], [0.5, 1], [1.5, 2]), strict=True):
        off = part[:, :16] - drawn - torch.tensor(owners).view(1, 1, -1, 1, 1)
        assert off.abs().max() < 1e-5, off.abs().amax((0, 1, 3, 4))


def test_a_segment_knows_the_frames_of_the_latent_behind_it_and_none_beyond(folder):
    """Segments of the tiny model have 9 frames: the first looks at frames 0 to 12."""
    animator, given = Animator.load(str(folder)), tracks(25)

    def first(changed):
        maps = given.maps.copy()
        maps[changed] = 255 - maps[changed]
        return next(animator.segments(dataclasses.replace(given, maps=maps), SamplerConfig(2), generators(3)))

    plain = first(slice(0, 0))
    assert torch.equal(first(slice(13, None)), plain) and not torch.equal(first(slice(12, 13)), plain)


@pytest.mark.parametrize(("total", "length"), [(1, 17), (17, 17), (21, 17), (33, 17), (35 + 2, 9), (5, 5)])
def test_spans_cover_everything_and_share_one_frame(total, length):
    spans = segment_spans(total, length)
    assert spans[0][0] == 0 and spans[-1][1] == total
    assert all(before[1] - 1 == after[0] for before, after in pairwise(spans))
    assert all((stop - start) % 4 == 1 and stop - start <= length for start, stop in spans)


@pytest.mark.parametrize("length", [0, 1, 4, 16])
def test_segment_lengths_that_do_not_fit_are_refused(length):
    with pytest.raises(ValueError, match="segment"):
        segment_spans(17, length)


def test_wrong_tracks_are_refused(folder):
    animator, good = Animator.load(str(folder)), tracks(5)
    for bad, words in [
        (dataclasses.replace(good, maps=good.maps[:, :60]), "60x64"),
        (dataclasses.replace(good, face_tokens=good.face_tokens[..., :8]), "face encoder"),
        (dataclasses.replace(good, ref_frames=good.ref_frames[:0]), "0 references"),
    ]:
        with pytest.raises(InputError, match=words):
            next(iter(animator.segments(bad, SamplerConfig(1), generators(1))))


def test_the_configuration_travels_with_the_weights(folder):
    assert model_config(str(folder)) == TINY
    tensors, values = load_checkpoint(folder / "dit.safetensors")
    assert ModelConfig.from_dict(values) == TINY and all(v.dtype == torch.float32 for v in tensors.values())


def test_a_missing_model_is_one_clear_line(tmp_path):
    with pytest.raises(WeightsError, match="dreamactor train"):
        model_files(str(tmp_path / "nothing"))


def test_loading_is_strict(folder):
    network, tensors = tiny_dit(), load_checkpoint(folder / "dit.safetensors")[0]
    name = "head.weight"
    cases = {
        "missing": {key: value for key, value in tensors.items() if key != name},
        "unknown": {**tensors, "surplus": torch.zeros(1)},
        "other shape": {**tensors, name: torch.zeros(3, 3)},
    }
    for word, broken in cases.items():
        before = {key: value.clone() for key, value in network.state_dict().items()}
        with pytest.raises(WeightsError, match=word) as caught:
            load_strictly(network, broken, "model.safetensors")
        assert ("surplus" if word == "unknown" else name) in str(caught.value)
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    load_strictly(network, tensors, "model.safetensors")


def test_damaged_and_foreign_files_are_refused(tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "text.safetensors").write_text("not weights")
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    save_checkpoint(tmp_path / "cut.safetensors", {"a": torch.zeros(1000)}, {})
    data = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    for name, words in [
        ("gone", "no such checkpoint"), ("text", "not a readable"), ("foreign", "not one of dreamactor"),
        ("cut", "not a readable"),
    ]:  # fmt: skip
        with pytest.raises(WeightsError, match=words):
            load_checkpoint(tmp_path / f"{name}.safetensors")
