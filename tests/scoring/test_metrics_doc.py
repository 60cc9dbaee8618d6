"""docs/metrics.md says what the code does: every protocol, column, measurement and known answer stands in it."""

from __future__ import annotations

import re

import pytest

from stages.metrics.protocol import SHIPPED, load_protocol
from stages.metrics.registry import MEASURES, REDUCTIONS
from stages.scoring.known_answers import fixtures
from stages.scoring.known_conventions import GRID
from tests.process import ROOT

TEXT = (ROOT / "docs" / "metrics.md").read_text("utf-8")


@pytest.mark.parametrize(
    "name", [*SHIPPED, *MEASURES, *REDUCTIONS, *(m.name for m in load_protocol(SHIPPED[0]).metrics)]
)
def test_every_name_is_explained(name):
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("fixture", fixtures(), ids=lambda fixture: fixture.name)
def test_every_known_answer_is_the_table_s(fixture):
    (row,) = re.findall(rf"^\| {re.escape(fixture.name)} \| (\S+) \|", TEXT, re.MULTILINE)
    assert abs(float(row) - fixture.expected) <= max(1e-6 * abs(fixture.expected), 1e-9), row


def test_the_words_of_the_audit_are_listed():
    assert f"(`{' '.join(GRID)}`)" in TEXT


def test_its_own_protocol_loads(tmp_path):
    (body,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "mine.toml").write_text(body)
    assert [metric.name for metric in load_protocol(str(tmp_path / "mine.toml")).metrics] == ["psnr", "fvd"]


def test_the_parity_table_has_the_goldens():
    from tests.parity import test_protocols_of_others as parity

    printed = [float(number) for number in re.findall(r"\d+\.\d+", TEXT)]
    for key, (golden, _, _) in (parity.CHEAP | parity.NETWORKS).items():
        assert min(abs(number / golden - 1) for number in printed if number) < 2e-7, (key, golden)
