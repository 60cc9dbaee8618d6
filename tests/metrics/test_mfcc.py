import numpy as np
import pytest

from stages.metrics.mfcc import mfcc

# python_speech_features 0.6, mfcc(sound, 16000), frames 0, 14 and 23 of `sound()`, numpy 2, rounded to 6 digits.
EXPECTED = {
    0: [18.03907, 19.75282, 3.017856, -12.756381, -25.755385, -32.234897, -28.508535, -17.591007, -2.536195, 10.413022,
        17.945785, 17.353785, 10.810887],
    14: [15.817712, 14.325605, -3.287562, -13.651309, -21.776804, -26.083961, -23.003097, -13.857219, -4.760354,
         -2.347497, -3.08761, -3.380093, -2.777682],
    23: [17.378518, 18.07667, -5.555396, -2.323697, -14.096752, -46.47005, -30.609535, 4.907612, -4.238117, -7.402474,
         27.26786, 28.158583, -3.255219],
}  # fmt: skip


def sound() -> np.ndarray:
    t = np.arange(4000)
    out = np.round(3000 * np.sin(2 * np.pi * 440 * t / 16000) * (1 + np.sin(t / 300)) + 200 * np.sin(t * t / 9000))
    out[2000:2600] = 0
    return out.astype(np.int16)


def test_the_numbers_of_python_speech_features():
    found = mfcc(sound())
    assert found.shape == (24, 13)
    for frame, expected in EXPECTED.items():
        difference = np.abs(found[frame] - expected)
        assert difference.max() < 1e-6, (frame, difference.max(), difference.mean())


@pytest.mark.parametrize("samples, frames", [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (16000, 99)])
def test_a_hundred_frames_a_second_less_what_a_whole_frame_needs(samples, frames):
    assert mfcc(np.zeros(samples, np.int16)).shape == (frames, 13)


def test_louder_by_a_factor_changes_the_energy_by_its_logarithm_and_the_shape_not():
    quiet, loud = mfcc(sound()[:1900]), mfcc(4 * sound()[:1900].astype(np.int32))
    assert np.abs(loud[:, 0] - quiet[:, 0] - 2 * np.log(4)).max() < 1e-9
    assert np.abs(loud[:, 1:] - quiet[:, 1:]).max() < 1e-9
