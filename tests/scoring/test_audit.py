"""score audit: each convention's own number is found again, and what nobody computes is said."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stages.core.errors import CheckFailed, InputError, UsageError
from stages.scoring import audit
from stages.scoring.known_conventions import GRID
from stages.scoring.pairs import Pair
from tests.parity.shapes import moving_shapes


@pytest.fixture
def pair(tmp_path) -> Pair:
    real, generated = moving_shapes(1, 6)
    np.save(tmp_path / "real.npy", real)
    np.save(tmp_path / "generated.npy", generated)
    return Pair("clip", str(tmp_path / "generated.npy"), str(tmp_path / "real.npy"))


def test_a_number_is_read_with_its_printed_precision():
    numbers = audit.parse_published("fvd=1183, psnr=29.70,l1=3.78E-04,lpips=.206")
    assert [(n.word, n.value) for n in numbers] == [("fvd", 1183), ("psnr", 29.7), ("l1", 3.78e-4), ("lpips", 0.206)]
    assert [n.slack for n in numbers] == pytest.approx([0.5, 0.005, 5e-7, 5e-4])


@pytest.mark.parametrize("text", ["", "fvd", "fvd=", "fvd=abc", "fvd=nan", "vmaf=3", "fvd=1,fvd=2", "=3"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UsageError):
        audit.parse_published(text)


@pytest.mark.parametrize("word", ["psnr", "l1"])
def test_every_convention_is_found_by_its_own_number(pair, word):
    """Whatever way a number was computed, the audit of that number names this way among those that match."""
    every = audit.audit([pair], audit.parse_published(f"{word}=0"), "cpu")
    assert len({f"{row.found:.6g}" for row in every}) > 1
    for row in every:
        again = audit.audit([pair], audit.parse_published(f"{word}={row.found:.9g}"), "cpu")
        assert row.signature in [found.signature for found in again if found.matches]


def test_disco_s_overflow_is_the_convention_behind_a_high_psnr(pair):
    real, generated = np.load(pair.real), np.load(pair.generated)
    wrapped = [10 * np.log10(255**2 / np.mean((r - g) ** 2)) for r, g in zip(real, generated, strict=True)]
    rows = audit.audit([pair], audit.parse_published(f"psnr={np.mean(wrapped):.2f}"), "cpu")
    matching = [row for row in rows if row.matches]
    assert matching == rows[: len(matching)] and matching
    assert all("overflow" in row.convention or "uint8 bug" in row.convention for row in matching)
    assert any("disco-2023-legacy" in row.convention for row in matching)
    lines = audit.table(rows, rows=2)
    assert lines[0].startswith("psnr = ") and lines[1].lstrip().startswith("*") and len(lines) == 3


def test_a_number_nobody_computes_is_exit_8_with_the_nearest(pair):
    rows = audit.audit([pair], audit.parse_published("psnr=7.7"), "cpu")
    with pytest.raises(CheckFailed, match=r"psnr = 7\.7, the nearest is \d+"):
        audit.raise_for(rows)


def test_sizes_that_differ_try_every_way_of_resizing(tmp_path, pair):
    np.save(tmp_path / "small.npy", np.load(pair.generated)[:, ::2, ::2])
    small = Pair("clip", str(tmp_path / "small.npy"), pair.real)
    rows = audit.audit([small], audit.parse_published("psnr=20"), "cpu")
    assert len({f"{row.found:.9g}" for row in rows if row.found is not None}) > 4
    refused = [row for row in rows if row.found is None]
    assert refused and all("equal sizes" in row.why for row in refused)  # common_metrics does not resize


def test_without_a_real_film_there_is_nothing_to_audit(pair):
    with pytest.raises(InputError, match="--real"):
        audit.audit([Pair("clip", pair.generated)], audit.parse_published("psnr=20"), "cpu")


@pytest.mark.parametrize("word", list(GRID))
def test_every_variant_of_the_grid_can_be_made(word):
    found = audit.conventions([word], same_sizes=True)
    assert len(found) > 3 and all(signature == metric.signature for signature, (_, metric) in found.items())
    assert any(":" in names for names, _ in found.values()), "no protocol has this word"


def test_the_command_prints_json(shell, pair):
    from tests.process import DREAMACTOR

    words = [
        "score",
        "audit",
        pair.generated,
        "--real",
        pair.real,
        "--published",
        "psnr=7.7",
        "--json",
        "--device",
        "cpu",
    ]
    done = shell([*DREAMACTOR, *words])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 8 and rows and {row["word"] for row in rows} == {"psnr"}, done.stderr
    assert "no convention gives psnr = 7.7" in done.stderr


def test_a_clip_too_short_for_a_window_says_so(pair):
    rows = audit.audit([pair], audit.parse_published("fvd=100"), "cpu")  # 6 frames
    assert rows and all(row.found is None for row in rows)
    with pytest.raises(CheckFailed, match=r"nothing could be measured \(.*6 frames"):
        audit.raise_for(rows)
