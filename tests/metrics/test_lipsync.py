"""Lip sync without its trained network: exact parts, and the whole with random weights in the original's format."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.core.errors import UsageError, WeightsError
from stages.media import write_video
from stages.media.sound import read_sound
from stages.metrics import lipsync
from stages.metrics.nets.syncnet import LipReader, SyncNet, sync_distances
from tests.metrics.collecting import assert_blocks_change_nothing, assert_fits_specs, collect
from tests.metrics.people import need, person_clip

OPTIONS = lipsync.Options(shift=3)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Random weights, saved as the original is: a state dict, without the counters of later torch versions."""
    torch.manual_seed(3)
    state = SyncNet().state_dict()  # an ordered dict that carries `_metadata` of its own
    for name in [name for name in state if "num_batches" in name]:
        del state[name]
    path = tmp_path_factory.mktemp("syncnet") / "syncnet_v2.model"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture
def at_hand(weights, monkeypatch):
    monkeypatch.setenv("DREAMACTOR_SYNCNET", str(weights))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """(frames, path of a film with 0.48 s of a humming sound, path of a silent one)."""
    frames = person_clip(600_012, "portrait").frames_u8.repeat(2, axis=0)
    folder = tmp_path_factory.mktemp("film")
    times = np.arange(int(0.48 * 16000)) / 16000
    wav = folder / "hum.wav"
    samples = (8000 * np.sin(2 * np.pi * 220 * times) * np.sin(40 * times)).astype("<i2")
    size = samples.nbytes
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (
        np.array([1, 1], "<u2").tobytes()
        + np.array([16000, 32000], "<u4").tobytes()
        + np.array([2, 16], "<u2").tobytes()
    )
    wav.write_bytes(head + form + b"data" + size.to_bytes(4, "little") + samples.tobytes())
    for name, sound in (("loud.mp4", wav), ("silent.mp4", None)):
        write_video(folder / name, iter(frames), Fraction(25), audio_from=sound)
    return frames, str(folder / "loud.mp4"), str(folder / "silent.mp4")


@pytest.mark.parametrize("late", [-7, 0, 3, 12])
def test_a_planted_offset_is_found(late):
    """Sound that comes `late` frames after the mouth it belongs to."""
    rng = np.random.default_rng(0)
    both = rng.normal(size=(120, 32))
    lips, sounds = both[20:100], both[20 - late : 100 - late] + 0.1 * rng.normal(size=(80, 32))
    found = lipsync.summary(sync_distances(lips, sounds, 15))
    assert found["offset"] == -late
    outside = abs(late) / 80 * np.linalg.norm(lips, axis=1).mean()  # mouths that meet no sound are compared with zero
    assert found["lse_d"] == pytest.approx(outside + (80 - abs(late)) / 80 * 0.1 * np.sqrt(32), rel=0.05)
    assert found["lse_c"] > 3


def test_distances_are_those_of_torch():
    rng = np.random.default_rng(1)
    lips, sounds = rng.normal(size=(2, 9, 16)).astype(np.float32)
    padded = torch.nn.functional.pad(torch.from_numpy(sounds), (0, 0, 2, 2))
    expected = torch.stack(
        [
            torch.nn.functional.pairwise_distance(torch.from_numpy(lips[[i]]).repeat(5, 1), padded[i : i + 5])
            for i in range(9)
        ]
    ).numpy()
    difference = np.abs(sync_distances(lips, sounds, 2) - expected)
    assert difference.max() < 1e-5, difference.max()


def test_windows_without_a_face_do_not_count():
    distances = np.array([[1.0, 4.0, 5.0], [np.nan] * 3, [3.0, 4.0, 5.0]])
    found = lipsync.summary(distances)
    assert found["lse_d"] == 2 and found["lse_c"] == 2 and found["offset"] == 1


def test_without_the_network_one_line_says_what_to_give(monkeypatch, film):
    monkeypatch.delenv("DREAMACTOR_SYNCNET", raising=False)
    with pytest.raises(WeightsError, match="syncnet_v2: weights not at hand, .* Set DREAMACTOR_SYNCNET to") as caught:
        collect(lipsync, OPTIONS, film[0], film[0])
    assert "\n" not in str(caught.value)
    assert "@absent" in lipsync.signature(OPTIONS)
    monkeypatch.setenv("DREAMACTOR_SYNCNET", "/nowhere/syncnet_v2.model")
    with pytest.raises(WeightsError, match="/nowhere/syncnet_v2.model is not a file"):
        LipReader()


def test_a_cut_off_or_foreign_file_is_not_used(weights, tmp_path, monkeypatch):
    cut = tmp_path / "cut.model"
    cut.write_bytes(weights.read_bytes()[:824_000])  # the length of the copy that one package ships
    foreign = tmp_path / "foreign.model"
    torch.save({"layer.weight": torch.zeros(2, 2)}, foreign)
    for path in (cut, foreign):
        monkeypatch.setenv("DREAMACTOR_SYNCNET", str(path))
        with pytest.raises(WeightsError, match="Not used"):
            LipReader()


def test_the_signature_holds_the_checksum_of_the_file(at_hand, weights):
    import hashlib

    assert hashlib.sha256(weights.read_bytes()).hexdigest()[:8] in lipsync.signature(OPTIONS)


def test_shapes_and_threads(at_hand):
    rng = np.random.default_rng(2)
    mouth = rng.integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    cepstra = rng.normal(size=(3, 20, 13))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            reader = LipReader()
            found.append((reader.see(mouth), reader.hear(list(cepstra))))
    finally:
        torch.set_num_threads(before)
    assert found[0][0].shape == (1024,) and found[0][1].shape == (3, 1024)
    assert np.array_equal(found[0][0], found[1][0]) and np.array_equal(found[0][1], found[1][1])


def test_a_film_with_sound_is_measured_beside_the_real_one(at_hand, film):
    need("yunet")
    frames, loud, silent = film
    sources = {"generated": silent, "real": loud}
    arrays = collect(lipsync, OPTIONS, frames, frames, sources=sources)
    assert_fits_specs(lipsync, OPTIONS, arrays)
    assert arrays["found"].all() and len(arrays["found"]) == 12
    assert np.isfinite(arrays["distance"]).all() and arrays["lse_c"] >= 0
    assert arrays["lse_d"] == arrays["real_lse_d"]  # a silent film is given the real sound
    assert arrays["lse_d"] == arrays["distance"].min()


def test_without_any_sound_nothing_is_measured(at_hand, film):
    need("yunet")
    frames, _, silent = film
    arrays = collect(lipsync, OPTIONS, frames, sources={"generated": silent})
    assert np.isnan(arrays["lse_d"]) and np.isnan(arrays["real_lse_d"]) and np.isnan(arrays["distance"]).all()
    nobody = collect(lipsync, OPTIONS, np.full_like(frames, 90), sources={"generated": film[1]})
    assert np.isnan(nobody["lse_d"]) and not nobody["found"].any()


@pytest.mark.parametrize(
    "length", [pytest.param(1, marks=pytest.mark.slow), 5, pytest.param(8, marks=pytest.mark.slow)]
)
def test_blocks_change_nothing(at_hand, film, length):
    need("yunet")
    assert_blocks_change_nothing(lipsync, OPTIONS, film[0], lengths=(length,), sources={"generated": film[1]})


def test_sound_is_read_as_it_was_written(film):
    loud, silent = read_sound(film[1]), read_sound(film[2])
    assert silent is None and read_sound(Path(film[1]).parent) is None
    assert loud.dtype == np.int16 and abs(len(loud) - 0.48 * 16000) < 1100
    spectrum = np.abs(np.fft.rfft(loud[:4096]))
    assert abs(np.argmax(spectrum) * 16000 / 4096 - 220) < 12


def test_wrong_options_in_one_line():
    with pytest.raises(UsageError, match="sound is 'theirs', expected one of own, real, driving"):
        lipsync.Options(sound="theirs")
