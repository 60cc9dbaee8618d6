"""Protocol files: what is shipped loads, and every mistake in one is said in one line."""

from __future__ import annotations

import hashlib
from importlib import resources

import pytest

from stages.core.errors import UsageError
from stages.metrics.protocol import SHIPPED, load_protocol

GOOD = """
name = "mine"
title = "a test"

[measure.psnr]
align = "none"

[measure.wrapped]
kind = "psnr"
overflow = true

[[metric]]
name = "psnr"
label = "PSNR"
unit = "dB"
direction = "higher"
measure = "psnr"

[[metric]]
name = "wrapped"
measure = "wrapped"
worst = 0
"""


@pytest.fixture
def load(tmp_path):
    """The protocol of a text."""

    def of(text: str):
        path = tmp_path / "mine.toml"
        path.write_text(text, "utf-8")
        return load_protocol(str(path))

    return of


def test_the_shipped_files_are_the_shipped_names():
    folder = resources.files("stages.metrics") / "protocols"
    assert {entry.name for entry in folder.iterdir() if entry.name.endswith(".toml")} == {f"{n}.toml" for n in SHIPPED}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_protocol_loads_and_names_itself(name):
    protocol = load_protocol(name)
    assert protocol.name == name and protocol.title and protocol.metrics
    assert protocol.faithful == (name == "dreamactor-v1")
    assert len(protocol.sha256) == 64
    for metric in protocol.metrics:
        assert metric.label and "|" in metric.signature


def test_repeated_code_knows_no_reference_frame_and_pools_all_frames():
    for name in set(SHIPPED) - {"dreamactor-v1"}:
        for metric in load_protocol(name).metrics:
            assert not metric.options.exclude_reference, (name, metric.name)
            assert getattr(metric.options, "pool", "frames") == "frames", (name, metric.name)


def test_only_arrays_of_frames_leave_a_frame_out():
    """The reference is a frame's number: taken from windows, pairs or segments it would hit another moment."""
    for name in SHIPPED:
        for metric in load_protocol(name).metrics:
            if metric.reduction == "mean" and metric.options.exclude_reference:
                spec = metric.measure.module.arrays(metric.measure.options)[metric.options.array]
                assert spec.axes == ("T",), (name, metric.name, spec.axes)


def test_what_a_detector_may_miss_has_a_worst_case():
    for metric in load_protocol("dreamactor-v1").metrics:
        if metric.measure.kind in ("tracks", "identity") and metric.direction != "none":
            assert metric.options.worst == metric.options.worst, f"{metric.name}: no worst case"
            assert metric.options.among, f"{metric.name}: among which frames?"


def test_equal_choices_are_one_layer_in_every_protocol():
    fid = [
        m.measure.layer for n in ("dreamactor-v1", "disco-2024") for m in load_protocol(n).metrics if m.name == "fid"
    ]
    assert fid[0] == fid[1]


def test_a_file_is_what_it_says(load, tmp_path):
    protocol = load(GOOD)
    assert [metric.name for metric in protocol.metrics] == ["psnr", "wrapped"]
    plain, wrapped = protocol.metrics
    assert plain.measure.options.align == "none" and wrapped.measure.options.overflow
    assert wrapped.options.worst == 0.0 and isinstance(wrapped.options.worst, float)
    assert plain.label == "PSNR" and wrapped.label == "wrapped" and wrapped.direction == "none"
    assert protocol.sha256 == hashlib.sha256((tmp_path / "mine.toml").read_bytes()).hexdigest()
    assert load(GOOD + "\n# another comment\n").sha256 != protocol.sha256


MISTAKES = {
    "an unknown key": (GOOD + '\ncolour = "blue"\n', "'colour'"),
    "an unknown key on top": ('colour = "blue"\n' + GOOD, "'colour'"),
    "no name": (GOOD.replace('name = "mine"', ""), "'name'"),
    "a metric without a name": (GOOD.replace('name = "psnr"\n', ""), "'name'"),
    "a metric without a measure": (GOOD.replace('measure = "psnr"\n', ""), "'measure'"),
    "an unknown kind": (GOOD.replace('kind = "psnr"', 'kind = "psmr"'), "'psmr'"),
    "an unknown measure": (GOOD.replace('measure = "psnr"', 'measure = "ssim"'), "'ssim'"),
    "an unknown reduction": (GOOD.replace('measure = "psnr"', 'measure = "psnr"\nreduce = "median"'), "'median'"),
    "an unknown option": (GOOD.replace('align = "none"', 'aline = "none"'), "'aline'"),
    "an unknown option of a reduction": (GOOD.replace("worst = 0", "wurst = 0"), "'wurst'"),
    "an unknown value": (GOOD.replace('align = "none"', 'align = "nearest"'), "'nearest'"),
    "an unknown direction": (GOOD.replace('"higher"', '"up"'), "'up'"),
    "an array that is not there": (GOOD.replace("worst = 0", 'array = "values"'), "'values'"),
    "text for a switch": (GOOD.replace("overflow = true", 'overflow = "yes"'), "'yes'"),
    "a switch for a number": (GOOD.replace("worst = 0", "worst = true"), "True"),
    "a number for text": (GOOD.replace('align = "none"', "align = 3"), "3"),
    "a doubled metric": (GOOD.replace('name = "wrapped"', 'name = "psnr"'), "'psnr' twice"),
    "no metric": ('name = "mine"', "none"),
    "an idle measure": (GOOD + "\n[measure.ssim]\n", "'ssim'"),
    "a metric that is no table": ('name = "mine"\nmetric = [1]', "a table"),
    "no TOML": ("name = mine", "TOML"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(load, mistake):
    text, word = MISTAKES[mistake]
    with pytest.raises(UsageError) as caught:
        load(text)
    message = str(caught.value)
    assert word in message and "\n" not in message and "mine.toml" in message, message


def test_an_unknown_name_says_the_known_ones():
    with pytest.raises(UsageError, match="disco-2024"):
        load_protocol("disco-2025")
