"""The table at the end of `dreamactor score`: everything needed to trust a number stands beside it."""

from rich.console import Console as RichConsole

from dreamactor_cli.score_table import cell, footnotes, rich_table, table_of
from stages.metrics.results import Row, Run, Score


def number(protocol="ours", name="psnr", value=23.0714, **more):
    label, unit = {"psnr": ("PSNR", "dB"), "fvd": ("FVD", "")}[name]
    return Score(protocol, name, label, unit, "higher", "s", value, **more)


def run(*scores, floors=()):
    protocols = {"ours": {"title": "a", "faithful": True}, "theirs": {"title": "b", "faithful": False}}
    test_set = {"sha256": "ab" * 32, "clips": 12, "frames": 400}
    return Run("method", test_set, {"sha256": "cd" * 32}, protocols, scores, floors)


def test_a_cell_says_interval_number_of_samples_and_coverage():
    full = number(interval=(22.0, 24.126), n_clips=12, n_samples=400, per_clip={"a": 1.0})
    assert cell(full) == "23.071 [22, 24.126] N=12"
    seen = number(n_clips=12, n_samples=9, per_clip={}, coverage=0.75, imputed=3.5)
    assert cell(seen) == "23.071 N=12 seen 75.0% worst case 3.5"
    assert cell(number(name="fvd", n_clips=12, n_samples=640)) == "23.071 N=640/12"
    assert cell(number(value=None, why="no")) == "- (*)"


def test_rows_are_metrics_and_columns_protocols():
    floor = Row("held still", (number(value=30.0, n_clips=2, per_clip={}),))
    scores = (number(per_clip={}), number("theirs", value=29.0, per_clip={}), number("theirs", "fvd"))
    table = run(*scores, floors=(floor,))
    heads, rows = table_of(table)
    assert heads == ["method", "ours", "theirs"]
    assert [row[0] for row in rows] == ["PSNR (dB)", "FVD", "held still:", "PSNR (dB)"]
    assert rows[0][1].startswith("23.071") and rows[0][2].startswith("29") and rows[1][1] == ""
    notes = footnotes(table)
    assert "12 clips, 400 frames" in notes[0] and "bug-compatible" in notes[2] and "bug-compatible" not in notes[1]


def test_what_is_not_measured_is_said_once_with_its_why():
    missing = {"value": None, "why": "needs a real film"}
    notes = footnotes(run(number(**missing), number(name="fvd", **missing)))
    assert notes[-1] == "(*) PSNR, FVD: not measured, needs a real film"


def test_the_terminal_table_keeps_every_word(capsys):
    floor = Row("held still", (number(value=30.0, n_clips=2, per_clip={}),))
    console = RichConsole(width=50, record=True)
    console.print(rich_table(*table_of(run(number(interval=(22.0, 24.0), n_clips=12, per_clip={}), floors=(floor,)))))
    text = console.export_text()
    for word in ("method", "ours", "PSNR", "23.071", "[22,", "24]", "N=12", "held", "still:", "30"):
        assert word in text, text
