"""Segments on disk look like one row of latents, whichever part is asked for."""

import pytest
import torch

from stages.animation.sampling import SegmentStore
from stages.model.animator import segment_spans


@pytest.mark.parametrize(("total", "length"), [(1, 17), (5, 17), (17, 17), (21, 17), (65, 17), (37, 9)])
def test_every_stretch_of_the_clip_is_read_as_it_was_kept(tmp_path, total, length):
    spans, count = segment_spans(total, length), (total - 1) // 4 + 1
    store, whole, done = SegmentStore(tmp_path, spans, "key"), torch.arange(float(count)).view(1, 1, -1, 1, 1), 0
    for index, (start, stop) in enumerate(spans):
        fresh = (stop - 1 - start) // 4 + (index == 0)
        store.add(whole[:, :, done : done + fresh].clone())
        done += fresh
    assert store.latents == count == done
    for start in range(count):
        for stop in range(start + 1, count + 1):
            assert torch.equal(store.read(start, stop), whole[:, :, start:stop]), (start, stop)


def test_a_gap_ends_what_is_taken_as_done(tmp_path):
    spans = segment_spans(65, 17)
    store = SegmentStore(tmp_path, spans, "key")
    for _ in range(4):
        store.add(torch.zeros(1, 1, 4, 1, 1))
    (tmp_path / "00001.safetensors").unlink()
    assert len(SegmentStore(tmp_path, spans, "key")) == 1
    with pytest.raises(IndexError):
        SegmentStore(tmp_path, spans, "key")[1]
