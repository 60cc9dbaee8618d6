import cv2
import numpy as np
import pytest

from stages.core.errors import InputError, UsageError
from stages.metrics import optical_flow, warp_error
from tests.metrics.collecting import (
    assert_blocks_change_nothing,
    assert_fits_specs,
    blurred,
    collect,
    context_of,
    panned,
    texture,
)

REAL, OWN = warp_error.Options(), warp_error.Options(flow="own")


def grainy_pan(frames: int = 6, seed: int = 3) -> np.ndarray:
    """A panned texture with grain of its own in every frame, as cameras give."""
    noise = np.random.default_rng(seed).normal(0, 4, (frames, 64, 80, 3))
    return np.clip(panned(frames, 64, 80, 3, seed) + noise, 0, 255).astype(np.uint8)


def test_a_pan_by_whole_pixels_is_carried_along_without_error():
    video = panned(5, 64, 80, 3)
    arrays = collect(warp_error, REAL, video, video)
    moved = float(((video[1:].astype(float) - video[:-1]) ** 2).mean() / 255**2)
    assert arrays["real"].max() < 2e-3 * moved, (arrays["real"], moved)
    assert arrays["ratio"] == 1 and arrays["paired"].max() == 0
    assert 0.85 < arrays["visible"].min() and arrays["visible"].max() < 1  # what comes in at the side is left out


def test_the_flow_of_a_pan_is_its_step():
    video = panned(2, 64, 80, 3)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in video]
    flow = optical_flow.flow_px(grey[0], grey[1])
    assert np.abs(np.median(flow, axis=(0, 1)) - [-3, 0]).max() < 0.05, np.median(flow, axis=(0, 1))


def test_a_brightness_jump_gives_its_square():
    """A still scene: flow zero, so the residual of a grey that jumps by 51 of 255 is 0.2 squared."""
    still = np.repeat(texture(32, 40, 5, sigma=3)[None] // 2 + 20, 3, axis=0).astype(np.uint8)
    jumping = still.copy()
    jumping[1] += 51
    arrays = collect(warp_error, REAL, jumping, still)
    assert arrays["real"].max() == 0 and np.isnan(arrays["ratio"])
    assert np.abs(arrays["generated"] - 0.04).max() < 2e-8, arrays["generated"]
    assert np.abs(arrays["paired"] - 0.04).max() < 2e-8


@pytest.mark.parametrize("spoil", ["frozen", "blurred"])
def test_a_spoilt_video_wins_by_its_own_flow_and_loses_by_the_real_one(spoil):
    real = grainy_pan()
    worse = np.repeat(real[:1], len(real), axis=0) if spoil == "frozen" else blurred(real, 2.5)
    own = collect(warp_error, OWN, worse, real)
    assert own["generated"].mean() < 0.5 * own["real"].mean()  # the trap
    itself, spoilt = (collect(warp_error, REAL, video, real) for video in (real, worse))
    assert itself["paired"].max() == 0 and itself["departure"] == 0
    assert spoilt["paired"].min() > 0.5 * itself["real"].mean()
    assert spoilt["departure"] > 0.5


def test_what_does_not_come_back_or_leaves_the_picture_is_not_seen():
    """Everything moves by 3 px to the right, but the other flow says that columns 20 to 29 never moved."""
    there, back = np.zeros((2, 24, 40, 2), np.float32)
    there[..., 0], back[..., 0] = 3, -3
    back[:, 20:30] = 0
    expected = np.ones((24, 40), bool)
    expected[:, 17:27] = False  # they land where nothing came from
    expected[:, 37:] = False  # they leave the picture
    assert np.array_equal(optical_flow.seen_in_both(there, back), expected)


def test_threads_and_blocks_change_nothing():
    generated, real = grainy_pan(7, 1), grainy_pan(7, 2)
    assert_fits_specs(warp_error, REAL, collect(warp_error, REAL, generated, real))
    before, found = cv2.getNumThreads(), []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            assert_blocks_change_nothing(warp_error, REAL, generated, real)
            arrays = collect(warp_error, REAL, generated, real)
            assert cv2.getNumThreads() == threads  # given back as it was found
            found.append(arrays)
    finally:
        cv2.setNumThreads(before)
    assert all(np.array_equal(found[0][name], found[1][name]) for name in found[0])


def test_wrong_inputs_in_one_line():
    with pytest.raises(UsageError, match="flow is 'raft', expected one of real, own"):
        warp_error.Options(flow="raft")
    with pytest.raises(InputError, match="clip: frames are 8x12, the optical flow needs 16 px a side"):
        warp_error.check(REAL, context_of(panned(2, 8, 12, 1), panned(2, 8, 12, 1)))
    with pytest.raises(InputError, match="clip: found 1 frame, warp_error needs 2 or more"):
        warp_error.check(REAL, context_of(panned(1, 64, 64, 1)))
    with pytest.raises(InputError, match="optical flow: frames are 8x12, expected 16 px or more"):
        collect(warp_error, REAL, panned(2, 8, 12, 1), panned(2, 8, 12, 1))
