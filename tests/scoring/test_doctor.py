"""score doctor: all is well here, and each mistake it is for is found and named."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from stages.core.errors import CheckFailed, InputError, WeightsError
from stages.scoring import doctor, known_answers
from stages.scoring.known_answers import Fixture, fixtures

CHEAP = [fixture for fixture in fixtures() if not fixture.networks]


@pytest.mark.parametrize("fixture", CHEAP, ids=lambda fixture: fixture.name)
def test_the_answer_is_the_known_one(fixture):
    (check,) = doctor.examine("cpu", [fixture])
    assert check.verdict == "ok", f"{check.name}: {check.found!r}, expected {check.expected!r} +- {check.tolerance}"


@pytest.mark.slow
@pytest.mark.parametrize("fixture", [f for f in fixtures() if f.networks], ids=lambda fixture: fixture.name)
def test_the_networks_answer_is_the_known_one(fixture):
    (check,) = doctor.examine("cpu", [fixture])
    assert check.verdict == "ok", f"{check.name}: {check.found!r}, expected {check.expected!r} +- {check.tolerance}"


def named(word: str) -> Fixture:
    (fixture,) = [fixture for fixture in fixtures() if fixture.name == word]
    return fixture


def with_answer(fixture: Fixture, found: float) -> Fixture:
    return Fixture(**{**fixture.__dict__, "find": lambda device: found})


@pytest.mark.parametrize("fixture", [f for f in fixtures() if f.mistakes], ids=lambda fixture: fixture.name)
def test_each_known_mistake_is_off_and_named(fixture):
    for value, cause in fixture.mistakes:
        if abs(value - fixture.expected) <= fixture.tolerance:
            continue  # the mistake does not show in this question
        (check,) = doctor.examine("cpu", [with_answer(fixture, value)])
        assert check.verdict == "off" and check.cause == cause


def test_tf32_and_other_weights_are_told_apart():
    fvd = named("FVD of black and white, 30 frames")
    (near,) = doctor.examine("cpu", [with_answer(fvd, 151.2164)])  # convolutions rounded to TF32 on the CPU
    (far,) = doctor.examine("cpu", [with_answer(fvd, 97.0)])
    assert "TF32" in near.cause and far.cause == "other weights"


def test_reduced_precision_is_found_by_its_arithmetic(monkeypatch):
    """Products as a device with TF32 gives them: 10 bits of mantissa go in."""
    import torch

    def rounded(x):
        return (x.contiguous().view(torch.int32) & ~0x1FFF).view(torch.float32) if x.dtype is torch.float32 else x

    convolve = torch.nn.functional.conv2d
    monkeypatch.setattr(torch.nn.functional, "conv2d", lambda x, w: convolve(rounded(x), rounded(w)))
    (check,) = doctor.examine("cpu", [named("float32 arithmetic, relative error")])
    assert check.verdict == "off" and "TF32" in check.cause, check


def test_an_overflow_in_psnr_is_named(monkeypatch):
    from stages.metrics import psnr

    right = psnr.psnr
    wrapped = psnr.Options(overflow=True)
    monkeypatch.setattr(psnr, "psnr", lambda generated, real, options: right(generated, real, wrapped))
    (check,) = doctor.examine("cpu", [named("PSNR of 100 and 120")])
    assert check.verdict == "off" and "wrap" in check.cause


def test_a_decoder_that_ignores_the_matrix_is_named(monkeypatch):
    frames = np.full((3, 48, 64, 3), 0, np.uint8)
    frames[..., 0] = 157  # what BT.601 makes of it
    monkeypatch.setattr(known_answers, "_through_ffmpeg", lambda *words: frames)
    (check,) = doctor.examine("cpu", [named("BT.709 film, its red")])
    assert check.verdict == "off" and "BT.601" in check.cause


def test_nan_is_off():
    (check,) = doctor.examine("cpu", [with_answer(named("resize lanczos"), float("nan"))])
    assert check.verdict == "off"


def test_a_missing_network_is_exit_6_and_a_wrong_number_exit_8_before_it():
    def missing(device):
        raise WeightsError("lpips_alex: not here")

    def broken(device):
        raise InputError("ffmpeg: could not write a test film")

    lost = Fixture("a", 1.0, 0.1, missing, ("lpips_alex",))
    fine, wrong = Fixture("b", 1.0, 0.1, lambda device: 1.0), Fixture("c", 1.0, 0.1, broken)
    assert WeightsError.exit_code == 6 and CheckFailed.exit_code == 8
    doctor.raise_for(list(doctor.examine("cpu", [fine])))
    with pytest.raises(WeightsError, match="1 of 2.*lpips_alex"):
        doctor.raise_for(list(doctor.examine("cpu", [fine, lost])))
    with pytest.raises(CheckFailed, match="1 of 3.*ffmpeg"):
        doctor.raise_for(list(doctor.examine("cpu", [lost, fine, wrong])))


def test_the_table_has_a_row_for_each_question():
    wrong = Fixture("sky", 2.0, 0.1, lambda device: 3.0, otherwise="green cheese")
    rows = doctor.table(list(doctor.examine("cpu", [wrong])))
    assert rows[1].split() == ["sky", "2", "3", "1.0e+00", "off:", "green", "cheese"]


def test_the_command_says_json_and_exits_8(shell):
    program = (
        "import sys\nfrom stages.scoring import known_answers as k\n"
        "rows = (k.Fixture('sky', 2.0, 0.1, lambda device: 3.0, otherwise='green cheese'), k._closed_forms()[0])\n"
        "k.fixtures = lambda: rows\n"
        "from dreamactor_cli.main import main\nsys.argv = ['dreamactor', 'score', 'doctor', *sys.argv[1:]]\nmain()"
    )
    done = shell([sys.executable, "-c", program, "--device", "cpu", "--json", "--quiet"])
    checks = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 8 and [check["verdict"] for check in checks] == ["off", "ok"], done.stderr
    assert "sky: green cheese" in done.stderr and done.stderr.count("\n") == 1, done.stderr
