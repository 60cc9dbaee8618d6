"""What the bench of long clips says about joints and kills, on films and runs of known kind."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from bench_long import SEGMENT, change, joints, kill_moments, memory, trend


def film(joint_step, latent_step=4, segments=20):
    """Grey pictures uint8 [T, 8, 8, 3] that change by 1 a frame, more where latents and segments begin."""
    steps = np.ones(SEGMENT * segments, int)
    steps[4::4] = latent_step
    steps[SEGMENT::SEGMENT] = joint_step
    levels = [128]
    for step in steps:
        levels.append(levels[-1] + (step if levels[-1] <= 128 else -step))
    return np.broadcast_to(np.array(levels)[:, None, None, None], (len(levels), 8, 8, 3)).astype(np.uint8)


@pytest.mark.parametrize("step", [4, 6])
def test_a_seam_of_known_size_is_found(step):
    found = joints(film(step))
    assert found["grey_levels"] == {"joint": step, "latent": 4, "all": 1}
    assert found["to_latent_starts"] == found["to_neighbours"] == pytest.approx(step / 4)
    assert found["interval"] == pytest.approx([step / 4] * 2)
    assert found["above_p99"] == (step > 4)


def watched(segments=30, a_segment_s=2.0, film_s=20.0):
    """A run that holds 500 MB, then 600 MB while pictures are written, read ten times a second."""
    moments = np.arange(0, segments * a_segment_s + film_s, 0.1)
    done = np.minimum(moments // a_segment_s, segments).astype(int)
    return [(t, 500.0 if d < segments else 600.0, int(d), 80.0) for t, d in zip(moments, done, strict=True)]


def test_kills_fall_into_both_parts_of_a_run():
    rows = watched()
    moments = kill_moments(5, rows, seed=1)
    assert len(moments) == 5 and moments != kill_moments(5, rows, seed=2)
    assert all(1 <= done < 29 and 0 <= late <= 2 for done, late in moments[:-1])
    assert moments[-1][0] == 30 and 2 <= moments[-1][1] <= 14


def test_memory_is_told_apart_by_what_is_done():
    found = memory(watched())
    assert found["sampling_most"] == 500 and found["film_most"] == 600 and found["encoder"] == 80
    assert found["growth"] == pytest.approx(0.2) and found["film_growth"] == 0


def test_change_compares_last_with_second():
    found = change([9.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0])
    assert found["last_over_second"] == pytest.approx(0.5)


def test_a_trend_is_told_from_none():
    noise = np.random.default_rng(0).normal(0, 0.05, 93)
    flat, falling = trend(0.5 + 0.5 * noise), trend(np.linspace(0.5, 0.25, 93))
    assert flat["interval"][0] < 0 < flat["interval"][1] and abs(flat["whole_clip"]) < 0.1
    assert falling["whole_clip"] == pytest.approx(-0.5) and falling["interval"] == pytest.approx([-0.5, -0.5])
