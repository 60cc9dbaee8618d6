from fractions import Fraction

import numpy as np
import pytest

from stages.metrics.mouths import MouthWindows, mouth_crop, square_of


class Finder:
    """Finds the face that is written into the frame: x and y of its box in the first two pixels, 0 = none."""

    def find(self, frame_u8):
        x, y = (float(v) for v in frame_u8[0, :2, 0])
        return np.array([[x, y, 20, 24, *[0] * 10, 0.9]], np.float32)[: int(x > 0)]


def frames(places) -> np.ndarray:
    out = np.full((len(places), 80, 100, 3), 50, np.uint8)
    for number, (x, y) in enumerate(places):
        out[number, 0, :2] = [[x], [y]]
        out[number, 40:, :, 2] = number
    return out


def windows_of(video, fps=25, block=None):
    seen = []
    mouths = MouthWindows(
        Finder(), lambda window: seen.append(window) or np.array([len(seen)], np.float32), Fraction(fps)
    )
    for frame in video:
        mouths.add(frame)
    return mouths.finish(), seen, mouths.found


@pytest.mark.parametrize(
    "fps, frames_in, expected", [(25, 10, 10), (50, 10, 5), (Fraction(25, 2), 5, 10), (30, 12, 10)]
)
def test_any_rate_becomes_twenty_five(fps, frames_in, expected):
    vectors, seen, found = windows_of(frames([(30, 20)] * frames_in), fps)
    assert len(found) == expected and len(vectors) == len(seen) == expected - 4


def test_fifty_frames_a_second_show_every_second_one():
    _, seen, _ = windows_of(frames([(30, 20)] * 12), 50)
    assert [int(window[4, -1, 100, 2]) for window in seen] == [8, 10]


def test_the_crop_is_the_face_with_its_margins():
    """A face of 20 x 24 at (30, 20): square of 24 around (40, 32), 0.4 x 12 px more at both sides, 0.8 x 12 below."""
    picture = np.zeros((80, 100, 3), np.uint8)
    picture[20:53, 24:56] = 200  # int(32 - 12), int(32 + 21.6), int(40 - 16.8), int(40 + 16.8), by the rounding inside
    square = square_of(np.array([30, 20, 20, 24, *[0] * 11], np.float32))
    assert square.tolist() == [40, 32, 12]
    crop = mouth_crop(picture, square)
    assert crop.shape == (224, 224, 3)
    assert (crop[:, 10:-10] == 200).mean() > 0.99 and crop[:, 0].max() == 0  # one column more on the left: 23


def test_outside_the_picture_is_grey():
    crop = mouth_crop(np.zeros((40, 40, 3), np.uint8), np.array([2.0, 20.0, 12.0]))
    assert (crop[:, 0] == 110).all() and (crop[:150, -1] == 0).all()
    assert (mouth_crop(np.zeros((40, 40, 3), np.uint8), np.array([900.0, 900.0, 12.0])) == 110).all()


def test_one_wild_box_does_not_move_the_crop():
    steady = frames([(30, 20)] * 14)
    wild = frames([(30, 20)] * 7 + [(42, 20)] + [(30, 20)] * 6)
    for a, b in zip(windows_of(steady)[1], windows_of(wild)[1], strict=True):
        assert np.array_equal(a[:, 60:], b[:, 60:])


def test_a_lost_face_is_held_for_a_second_and_then_missing():
    _, _, found = windows_of(frames([(30, 20)] * 3 + [(0, 0)] * 4 + [(30, 20)] * 3))
    assert found == [True] * 3 + [False] * 4 + [True] * 3
    vectors, seen, _ = windows_of(frames([(30, 20)] * 3 + [(0, 0)] * 30))
    assert len(vectors) == 29 and len(seen) == 3 + 25 - 4
    assert np.isnan(vectors[24:]).all() and np.isfinite(vectors[:24]).all()
    nobody, _, _ = windows_of(frames([(0, 0)] * 8))
    assert nobody.shape == (4, 0)
