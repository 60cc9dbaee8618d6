"""A canvas larger than the model's: averaged for VAE and transformer, whole for the compositor."""

import numpy as np
import pytest
import torch

from stages.core.carried import averaged_kind
from stages.core.pictures import averaged
from stages.model.animator import Animator
from stages.model.canvas import AveragedSignals, enlarged, shrink_of
from stages.model.compositor import Compositor
from stages.model.sampler import SamplerConfig
from stages.model.tracks import Tracks
from tests.model.test_animator import generators, tracks
from tests.model.tiny import TINY, tiny_compositor, tiny_dit, tiny_vae


@pytest.mark.parametrize(
    ("canvas", "times"),
    [((128, 128), 1), ((256, 256), 2), ((512, 512), 4), ((160, 160), 1), ((192, 192), 2), ((384, 256), 2),
     ((64, 64), 1), ((256, 160), 2), ((208, 208), 1), ((128, 96), 1)],
)  # fmt: skip
def test_a_canvas_is_made_smaller_to_what_the_model_knows(canvas, times):
    assert shrink_of(canvas, 128, 16) == times


def test_a_square_becomes_its_mean():
    picture = np.array([[[0], [255], [9], [9]], [[255], [255], [9], [8]]], np.uint8)
    assert averaged(picture, 2).tolist() == [[[191], [9]]]
    assert averaged(picture, 1) is picture


def test_kinds_are_what_half_of_a_square_is():
    kind = np.array([[3, 3, 0, 0], [0, 0, 1, 2], [2, 1, 3, 3], [0, 0, 3, 3]], np.uint8)
    assert averaged_kind(kind, 2).tolist() == [[3, 0], [0, 3]]


def large(frames: int) -> Tracks:
    """Tracks on twice the side, whose averages are those of `tracks`."""
    small = tracks(frames)
    grown = {name: getattr(small, name).repeat(2, -3).repeat(2, -2)
             for name in ("maps", "ref_frames", "ref_maps", "warp_frames")}  # fmt: skip
    return Tracks(**{**vars(small), **grown, "warp_kind": small.warp_kind.repeat(2, -2).repeat(2, -1)})


def test_signals_are_averaged_piece_by_piece():
    given, small = AveragedSignals(large(9), 2), tracks(9)
    assert len(given) == 9 and given.size == (64, 64) and given.token_shape == small.token_shape
    part, wanted = given.cut(3, 12), small.cut(3, 12)
    for name, array in vars(wanted).items():
        assert np.array_equal(getattr(part, name), array, equal_nan=array.dtype.kind == "f"), name
    assert np.array_equal(given.ref_maps, small.ref_maps)


@torch.no_grad()
def test_the_transformer_sees_the_same_and_the_film_is_as_large_as_the_canvas():
    animator = Animator(TINY, tiny_vae(), tiny_dit(), tiny_compositor())
    small, big = (
        torch.cat(list(animator.segments(given, SamplerConfig(2), generators(2))), 2)
        for given in (tracks(13), large(13))
    )
    assert torch.equal(small, big)
    film = np.concatenate(list(animator.decode(big, large(13))))
    assert film.shape == (13, 128, 128, 3) and film.dtype == np.uint8
    assert np.concatenate(list(animator.decode(big))).shape == (13, 64, 64, 3)


@torch.no_grad()
def test_carried_pixels_keep_the_sharpness_of_the_canvas(monkeypatch):
    """Told to keep the carried picture everywhere, the film shows single pixels of the large canvas."""
    monkeypatch.setattr("stages.core.device.fast_bfloat16", lambda device: False)
    animator = Animator(TINY, tiny_vae(), tiny_dit(), Compositor(TINY.compositor))
    given = large(9)
    given.warp_frames[:] = np.random.default_rng(1).integers(0, 256, given.warp_frames.shape, np.uint8)
    latents = torch.zeros(1, 16 + 128, 3, 8, 8)
    latents[:, 16:80], latents[:, 80:] = -20.0, 20.0
    film = np.concatenate(list(animator.decode(latents, given)))
    assert np.abs(film.astype(int) - given.warp_frames).mean() < 12
    assert np.abs(np.diff(film.astype(int), axis=2)).mean() > 60


def test_what_was_made_is_enlarged_without_a_shift():
    ramp = torch.linspace(-1, 1, 16)[None, None, None].repeat(1, 3, 16, 1)
    grown = enlarged(ramp, 2)
    assert grown.shape == (1, 3, 32, 32) and grown.abs().max() <= 1
    assert torch.allclose(torch.nn.functional.avg_pool2d(grown, 2)[..., 2:-2], ramp[..., 2:-2], atol=1e-3)
    assert enlarged(ramp, 1) is ramp
