"""Errors, records, seeds and devices."""

import errno
import json

import numpy as np
import pytest

from stages.core import errors, rng
from stages.core.device import fast_bfloat16, mixed_precision, pick_device
from stages.core.records import Record


def test_errors_are_one_line_and_carry_their_exit_code():
    codes = {
        errors.UsageError: 2, errors.InputError: 3, errors.ConflictError: 4, errors.PartialFailure: 5,
        errors.WeightsError: 6, errors.ResourceError: 7, errors.CheckFailed: 8, errors.Checkpointed: 75,
    }  # fmt: skip
    for kind, code in codes.items():
        error = kind("a.zarr: found\n  two\tlines")
        assert (str(error), error.exit_code) == ("a.zarr: found two lines", code)


def test_running_out_is_recognised_through_the_chain():
    assert errors.is_out_of_resources(MemoryError())
    assert errors.is_out_of_resources(OSError(errno.ENOSPC, "full"))
    try:
        try:
            raise OSError(errno.ENOSPC, "full")
        except OSError as cause:
            raise ValueError("codec") from cause
    except ValueError as error:
        assert errors.is_out_of_resources(error)
    assert not errors.is_out_of_resources(OSError(errno.ENOENT, "gone"))
    assert not errors.is_out_of_resources(ValueError("x"))


def test_record_round_trip_is_one_line():
    record = Record("animate", "out/ä.mp4", "failed", error="a: b", exit=3, data={"frames": 4})
    line = record.to_json()
    assert "\n" not in line and Record.from_json(line) == record
    newer = {**json.loads(line), "new_field": 1}
    assert Record.from_json(json.dumps(newer)) == record


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"stage":"a","path":"b","status":"done"}', '{"path": 3}', "{"])
def test_a_line_that_is_no_record_is_an_input_error(line):
    with pytest.raises(errors.InputError):
        Record.from_json(line)


def test_seeds_differ_by_every_part_and_have_63_bits():
    base = rng.seed_for(0, "animate", "clip", "noise")
    others = {
        rng.seed_for(1, "animate", "clip", "noise"), rng.seed_for(0, "synth", "clip", "noise"),
        rng.seed_for(0, "animate", "clip2", "noise"), rng.seed_for(0, "animate", "clip", "augment"),
        rng.seed_for(0, "animatec", "lip", "noise"),
    }  # fmt: skip
    assert len(others | {base}) == 6
    assert all(0 <= seed < 2**63 for seed in others)
    assert base == 3838538947937027795  # written down 2026-11: noise must not change between versions


def test_generators_repeat():
    a = rng.numpy_rng(3, "s", "i", "p").normal(size=5)
    assert np.array_equal(a, rng.numpy_rng(3, "s", "i", "p").normal(size=5))
    torch = pytest.importorskip("torch")
    one = torch.randn(4, generator=rng.torch_generator(3, "s", "i", "p"))
    two = torch.randn(4, generator=rng.torch_generator(3, "s", "i", "p"))
    assert torch.equal(one, two)


def test_devices():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto").split(":")[0] in ("cpu", "cuda", "mps")
    with pytest.raises(errors.UsageError):
        pick_device("gpu")
    with pytest.raises(errors.ResourceError):
        pick_device("cuda:4711")


@pytest.mark.parametrize("fast", [True, False])
def test_bfloat16_only_where_it_is_fast(monkeypatch, fast):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("stages.core.device.fast_bfloat16", lambda device: fast)
    with mixed_precision("cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if fast else torch.float32)
    assert not fast_bfloat16("mps") and isinstance(fast_bfloat16("cpu"), bool)
