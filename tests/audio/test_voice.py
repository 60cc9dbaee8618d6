"""Who is heard speaking: the detector on streams, and the gate that lets a mouth rest without cutting speech."""

import numpy as np
import pytest
import torch

from stages.audio.network import UNITS, SpeechFaceNet, SpeechNetConfig, load_speech_face
from stages.audio.predict import hear
from stages.audio.voice import CHUNK, MEMORY, VoiceListener, VoiceNet, gate_01, load_voice_net
from stages.core.errors import WeightsError
from tests.audio.test_shipped_network import RATE, say

JAW = UNITS.index("jawOpen")


@pytest.fixture(scope="module")
def tiny() -> VoiceNet:
    torch.manual_seed(5)
    return VoiceNet().eval()


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    rng = np.random.default_rng(2)
    swelling = np.interp(np.arange(20 * RATE), np.linspace(0, 20 * RATE, 70), rng.uniform(0, 1, 70))
    return (6000 * swelling * rng.normal(size=20 * RATE)).clip(-32768, 32767).astype(np.int16)


def heard(network: VoiceNet, *blocks: np.ndarray) -> np.ndarray:
    listener = VoiceListener(network)
    for block in blocks:
        listener.listen(block)
    return listener.end()


def test_how_a_sound_is_cut_into_blocks_changes_nothing(tiny, sound):
    whole = heard(tiny, sound)
    assert whole.dtype == np.float32 and whole.shape == (-(-len(sound) // CHUNK),)
    assert np.array_equal(whole, heard(tiny, *np.split(sound, [1, 511, 7000, 70_001, 200_333])))


def test_nothing_is_remembered_beyond_eight_seconds_and_nothing_known_ahead(tiny, sound):
    whole, changed = heard(tiny, sound), sound.copy()
    at = 2 * MEMORY + 17
    changed[at * CHUNK :] = 0
    other = heard(tiny, changed)
    assert np.array_equal(whole[:at], other[:at]) and not np.array_equal(whole[at:], other[at:])
    changed = sound.copy()
    changed[: MEMORY * CHUNK - 64] = 0
    other = heard(tiny, changed)
    assert np.array_equal(whole[2 * MEMORY :], other[2 * MEMORY :])
    assert not np.array_equal(whole[MEMORY : 2 * MEMORY], other[MEMORY : 2 * MEMORY])


def test_a_sound_without_samples_has_no_voice_and_a_short_one_is_filled_up(tiny):
    assert heard(tiny).shape == (0,) and not gate_01(heard(tiny), 5).any()
    assert heard(tiny, np.ones(3, np.int16)).shape == (1,)


def test_the_gate_is_open_around_a_voice_and_ramps_without_a_jump():
    voice = np.zeros(400, np.float32)
    voice[200:210] = 0.9  # 6.40 to 6.72 s
    gate = gate_01(voice, 640)
    times = np.arange(640) / 50
    around = (times >= 6.40 - 0.69) & (times <= 6.72 + 0.88)
    far = (times < 6.40 - 0.92) | (times > 6.72 + 1.12)
    assert np.all(gate[around] == 1.0) and not gate[far].any()
    assert gate.dtype == np.float32 and np.abs(np.diff(gate)).max() <= 1 / 11 + 1e-6, np.abs(np.diff(gate)).max()


@pytest.mark.parametrize(("surely", "expected"), [(0.05, 0.0), (0.1, 0.0), (0.2, 0.5), (0.3, 1.0), (1.0, 1.0)])
def test_the_gate_opens_the_further_the_surer_a_voice_is(surely, expected):
    gate = gate_01(np.full(100, surely, np.float32), 160)
    assert np.abs(gate - expected).max() < 1e-6


def test_a_gate_multiplies_what_the_mouth_does_and_an_open_one_changes_no_bit(tiny, sound):
    torch.manual_seed(1)
    network = SpeechFaceNet(SpeechNetConfig(width=8)).eval()
    plain = hear(network, [sound])
    gated = hear(network, [sound], tiny)
    assert plain.gate is None and gated.gate.shape == (len(plain.units),)
    assert np.array_equal(gated.units, plain.units * gated.gate[:, None])
    sure = VoiceNet().eval()
    torch.nn.init.zeros_(sure.voice.weight)
    torch.nn.init.constant_(sure.voice.bias, 9.0)
    assert np.array_equal(hear(network, [sound], sure).units, plain.units)


@pytest.fixture(scope="module")
def detector() -> VoiceNet:
    try:
        return load_voice_net()
    except WeightsError as error:
        pytest.skip(f"the voice detector is not to be had here: {error}")


def tune() -> np.ndarray:
    """int16 [12 s]: short bright chords on every beat; nobody sings, and yet the speech network opens the mouth."""
    rng, out = np.random.default_rng(3), np.zeros(12 * RATE)
    for beat in range(46):
        at = round(beat * 0.25 * RATE)
        times = np.arange(min(RATE, len(out) - at)) / RATE
        shape = np.exp(-12 * times) * np.minimum(times * 50, 1)
        for semitone in rng.choice([0, 4, 7, 12, 16, 19], 3, replace=False):
            hz = 220 * 2 ** (semitone / 12)
            partials = (np.sin(2 * np.pi * hz * k * times) / k**0.7 for k in range(1, 20) if hz * k < 7000)
            out[at : at + len(times)] += sum(partials) * shape
    return (8000 * out / np.abs(out).max()).astype(np.int16)


def test_music_that_moves_the_mouth_leaves_it_at_rest_behind_the_gate(detector):
    network = load_speech_face().network
    free, gated = hear(network, [tune()]).units, hear(network, [tune()], detector).units
    assert free[:, JAW].max() > 0.1, "the tune has to be one that moves the mouth"
    assert not gated.any(), np.abs(gated).max()


@pytest.mark.parametrize("kind", ["silence", "faint", "white", "hum"])
def test_where_nobody_speaks_the_gate_is_shut(detector, kind):
    rng, count = np.random.default_rng(0), 6 * RATE
    sound = {
        "silence": np.zeros(count), "faint": rng.normal(0, 3, count), "white": rng.normal(0, 2000, count),
        "hum": 3000 * np.sign(np.sin(2 * np.pi * 50 * np.arange(count) / RATE)),
    }[kind]  # fmt: skip
    assert not gate_01(heard(detector, sound.astype(np.int16)), 300).any()


@pytest.mark.parametrize("quieter_db", [0, 10])
def test_speech_after_a_minute_of_music_is_heard_from_its_first_sound(detector, quieter_db):
    rows = [("a", 0.24), ("m", 0.14), ("i", 0.2), ("m", 0.1)] * 4
    speech = (say(rows) * 10 ** (-quieter_db / 20)).astype(np.int16)
    lead = np.tile(tune(), 5)
    gate = gate_01(heard(detector, lead, speech), (len(lead) + len(speech)) // 320)
    assert gate[len(lead) // 320 :].min() > 0.99, gate[len(lead) // 320 :].min()


def test_the_detector_is_what_its_authors_package_says_of_the_same_sound(detector):
    """Golden: silero-vad 6.2.3, its TorchScript file run by torch on this sound, chunks 10, 20, ... 60."""
    found = heard(detector, say([("sil", 0.3), ("a", 0.3), ("m", 0.2), ("i", 0.4), ("sil", 0.3), ("a", 0.5)]))[10:62:10]
    expected = np.array([0.882339, 0.948180, 0.928064, 0.056232, 0.884342, 0.300426])
    off = np.abs(found - expected)
    assert off.max() < 1e-4, f"off by {off.max():.2e} at most, {off.mean():.2e} on average"
