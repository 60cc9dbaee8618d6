"""The tables say what was measured, rank only what was shown, and refuse what does not compare."""

from __future__ import annotations

import csv
import io
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stages import report as stage
from stages.core.errors import CheckFailed, ConflictError, InputError, UsageError
from stages.core.records import Record
from stages.metrics.results import write_run
from stages.report import Params
from stages.reporting import latex, markdown, terminal, wording
from stages.reporting.collect import collect, signature_difference
from stages.reporting.commas import render as render_csv
from stages.reporting.published import read_published
from tests.reporting.fake import CLIPS, METRICS, fake_run, write_fake_runs

PSNR, LPIPS, CSIM, FVD = (("dreamactor-v1", name) for name in ("psnr", "lpips_alex", "csim", "fvd"))


def runs():
    return [
        fake_run("ours", 2.0, 0),
        fake_run("ours", 2.0, 1),
        fake_run("warp", 1.7, missing_faces=3),
        fake_run("still", 0.0),
    ]


def changed(run, name: str, protocol: str = "dreamactor-v1", **values):
    """The run with fields of one score replaced."""
    scores = [replace(s, **values) if (s.protocol, s.name) == (protocol, name) else s for s in run.scores]
    return replace(run, scores=tuple(scores))


def line(report, name: str):
    return next(line for line in report.methods if line.name == name)


def test_seeds_of_one_name_are_one_method_with_their_spread():
    report = collect(runs())
    cell = line(report, "ours").cells[PSNR]
    a, b = (next(s for s in run.scores if s.name == "psnr") for run in runs()[:2])
    assert cell.value == pytest.approx((a.value + b.value) / 2, abs=1e-12)
    assert cell.seed_sd == pytest.approx(abs(a.value - b.value) / 2**0.5, abs=1e-12)  # closed form for two
    assert cell.interval == pytest.approx(((a.interval[0] + b.interval[0]) / 2, (a.interval[1] + b.interval[1]) / 2))
    assert cell.per_clip["clip_03"] == pytest.approx((a.per_clip["clip_03"] + b.per_clip["clip_03"]) / 2)
    assert [entry.name for entry in report.methods] == ["ours", "warp", "still"]
    assert line(report, "warp").cells[PSNR].seed_sd is None


def test_bold_needs_the_paired_interval_against_every_other_method():
    per_clip = {name: 20.0 + number for number, name in enumerate(CLIPS)}  # clips differ far more than methods
    better = {name: value + 0.1 + 0.01 * (number % 3) for number, (name, value) in enumerate(per_clip.items())}
    mixed = {name: value + (0.5 if number % 2 else -0.4) for number, (name, value) in enumerate(per_clip.items())}

    def best_of(*tables):
        made = []
        for number, table in enumerate(tables):
            run = fake_run(f"m{number}", 0.0)
            made.append(changed(run, "psnr", value=sum(table.values()) / 12, per_clip=table))
        return [PSNR in line.best for line in collect(made, metrics=["psnr"]).methods]

    assert best_of(per_clip, better) == [False, True]  # intervals of the means overlap, the paired one excludes zero
    assert best_of(per_clip, mixed) == [False, False]  # a larger mean alone is not enough
    assert best_of(per_clip, better, mixed) == [False, False, False]  # better than one, not shown against the other
    assert best_of(better) == [False]


def test_a_number_of_the_whole_set_is_bold_only_with_disjoint_intervals_at_equal_n():
    a, b = fake_run("a", 0.0), fake_run("b", 0.0)

    def best(low_a, high_a, low_b, high_b, samples_b=24):
        one = changed(a, "fvd", value=(low_a + high_a) / 2, interval=(low_a, high_a))
        two = changed(b, "fvd", value=(low_b + high_b) / 2, interval=(low_b, high_b), n_samples=samples_b)
        return FVD in collect([one, two]).methods[0].best

    assert best(90, 100, 101, 110)
    assert not best(90, 100, 99, 110)
    assert not best(90, 100, 101, 110, samples_b=23)  # fewer samples alone raise a Frechet distance


def test_numbers_of_the_whole_set_are_paired_by_jackknife_groups():
    groups = {f"leave_out_{n:02d}": 100.0 + 9 * (-1) ** n + n for n in range(12)}  # both swing far, and together
    less = {name: value - 5.0 + 0.1 * (n % 3) for n, (name, value) in enumerate(groups.items())}

    def runs(other, samples=24):
        a = changed(fake_run("a", 0.0), "fvd", value=100.0, interval=(80.0, 120.0), extra=groups)
        values = {"value": 95.1, "interval": (75.1, 115.1), "extra": other, "n_samples": samples}
        return [a, changed(fake_run("b", 0.0), "fvd", **values)]

    report = collect(runs(less), baseline="a")
    assert FVD in line(report, "b").best, "intervals overlap, but the difference is the same without any group"
    difference = next(d for d in report.differences if d.key == FVD)
    assert (difference.verdict, difference.n, difference.win_rate) == ("better", 0, None)
    assert difference.mean == pytest.approx(-4.9) and difference.low < -4.9 < difference.high < -4
    swung = {name: 195.1 - value for name, value in groups.items()}
    assert FVD not in line(collect(runs(swung)), "b").best
    assert FVD not in line(collect(runs(less, samples=23)), "b").best  # fewer samples alone change the number


def test_showing_no_face_gains_nothing():
    honest, hiding = fake_run("honest", 0.0), fake_run("hiding", 2.0, missing_faces=6)
    report = collect([honest, hiding])
    assert line(report, "hiding").cells[CSIM].value > line(report, "honest").cells[CSIM].value
    assert CSIM not in line(report, "hiding").best
    assert CSIM in line(collect([honest, fake_run("hiding", 2.0)]), "hiding").best


def test_a_diagnosis_is_never_ranked():
    assert all(key[1] != "flicker" for entry in collect(runs()).methods for key in entry.best)


def test_another_test_set_is_refused_and_allow_mixed_ranks_nothing():
    a, b = replace(fake_run("ours", 2.0), path="r/a"), replace(fake_run("warp", 0.0, test_set="two"), path="r/b")
    with pytest.raises(CheckFailed, match=r"r/a \(ours\).*r/b \(warp\).*not comparable.*--allow-mixed") as error:
        collect([a, b])
    assert error.value.exit_code == 8 and "\n" not in str(error.value)
    report = collect([a, b], allow_mixed=True)
    assert report.mixed and not any(line.best for line in report.methods)
    text = markdown.render(report)
    assert "ours (test set A)" in text and "warp (test set B)" in text and "**" not in text
    with pytest.raises(CheckFailed, match="baseline"):
        collect([a, b], allow_mixed=True, baseline="ours")


def test_another_signature_is_refused_naming_what_differs():
    other = changed(fake_run("warp", 0.0), "lpips_alex", signature="lpips|alex|range:pm1|res:256|v:1")
    with pytest.raises(CheckFailed, match=r"lpips_alex.*\(ours\) has res:native.*\(warp\) has res:256"):
        collect([*runs()[:1], other])
    assert len(collect([*runs()[:1], other], metrics=["psnr"]).methods) == 2  # what is not shown need not compare
    report = collect([*runs()[:1], other], allow_mixed=True)
    best = {key for line in report.methods for key in line.best}
    assert LPIPS not in best and PSNR in best  # only the column that is mixed goes unranked
    assert "signature A" in markdown.render(report) and "signature B" in markdown.render(report)


def test_seeds_with_other_signatures_are_never_averaged():
    other = changed(fake_run("ours", 0.0, 1), "psnr", signature="psnr|align:none|float64|v:1")
    report = collect([fake_run("ours", 0.0, 0), other], allow_mixed=True)
    assert len(report.methods) == 2 and all(len(line.cells[PSNR].seeds) == 1 for line in report.methods)


def test_one_method_and_seed_twice_must_be_the_same_frames():
    run = fake_run("ours", 1.0)
    with pytest.raises(InputError, match="different generated frames"):
        collect([run, replace(run, generated={"sha256": "f" * 64})])
    split = [replace(run, scores=run.scores[:3]), replace(run, scores=run.scores[3:])]  # protocols scored one by one
    assert collect(split).methods == collect([run]).methods
    with pytest.raises(InputError, match="out of date"):
        collect([run, changed(run, "psnr", value=1.0)])


def test_unknown_names_are_usage_errors_that_list_the_known():
    for words in ({"metrics": ["psn"]}, {"protocols": ["v2"]}, {"baseline": "nobody"}):
        with pytest.raises(UsageError, match=r"psnr|dreamactor-v1|still"):
            collect(runs(), **words)


def test_columns_come_in_the_order_asked_for():
    columns = collect(runs(), metrics=["fvd", "psnr"], protocols=["disco-2023-legacy", "dreamactor-v1"]).columns
    assert [c.key for c in columns] == [("disco-2023-legacy", "psnr"), FVD, PSNR]


def test_differences_to_a_baseline():
    report = collect(runs(), baseline="still")
    row = next(d for d in report.differences if (d.method, d.key) == ("ours", LPIPS))
    mine, theirs = line(report, "ours").cells[LPIPS].per_clip, line(report, "still").cells[LPIPS].per_clip
    gaps = [mine[name] - theirs[name] for name in CLIPS]
    assert row.mean == pytest.approx(sum(gaps) / 12, abs=1e-12)
    assert (row.verdict, row.win_rate, row.n) == ("better", sum(gap < 0 for gap in gaps) / 12, 12)  # lower is better
    assert next(d for d in report.differences if (d.method, d.key) == ("warp", CSIM)).n == 9  # clips with a face
    fvd = next(d for d in report.differences if (d.method, d.key) == ("ours", FVD))
    assert (fvd.low, fvd.p, fvd.verdict) == (None, None, "no paired interval")  # these runs hold no jackknife groups
    assert not [d for d in report.differences if d.method == "still"]


@pytest.mark.parametrize("render", [markdown.render, latex.render, terminal.render])
def test_every_text_says_n_coverage_protocol_hash_and_bug_compatible(render):
    report = collect(runs(), baseline="still", published=read_published(Path("examples/published.csv")))
    text = " ".join(render(report).replace("\\", "").split())
    assert text.count("N=24, 12 clips") >= 3, "N stands beside every Frechet number"
    assert "75 % covered" in text and "at worst 0.526" in text and "2 seeds, SD" in text
    assert text.count("bug-compatible") >= 2 and "real, own codec round trip" in text
    assert report.test_sets[0]["sha256"][:16] in text and "a" * 16 in text
    assert "Reported elsewhere, not comparable" in text and "122.0" in text and "Table 1" in text
    assert "89.8" in text, "the value extrapolated to infinitely many samples"


def test_signatures_stand_in_full():
    report = collect(runs())
    for render in (markdown.render, latex.render):
        assert all(metric[-1] in render(report) for metric in METRICS)


def test_why_a_number_is_missing_is_said():
    why = "needs a real video, found none"
    run = changed(fake_run("cross", 0.0), "psnr", value=None, per_clip=None, why=why)
    assert f"– PSNR (dreamactor-v1), cross: {why}." in wording.footnotes(collect([*runs(), run]))
    alone = collect([changed(run, "ssim", value=None, per_clip=None, why=why)])
    assert f"– PSNR, SSIM (dreamactor-v1), cross: {why}." in wording.footnotes(alone)
    assert "SSIM ↑" not in markdown.render(alone)  # a column without any number is said once, not drawn


def test_csv_holds_every_number_exactly():
    report = collect(runs(), published=read_published(Path("examples/published.csv")))
    rows = list(csv.DictReader(io.StringIO(render_csv(report))))
    assert len(rows) == 3 * len(METRICS) + (5 + 4 + 1) + 10  # methods, floors, reported
    ours = next(row for row in rows if (row["method"], row["metric"]) == ("ours", "psnr"))
    assert float(ours["value"]) == line(report, "ours").cells[PSNR].value and ours["best"] == "yes"
    assert {row["kind"] for row in rows} == {"method", "floor", "reported"}


def test_names_cannot_break_a_table():
    name = r"a|b*c_d[x](y)<b>&$%\{}#~^`z"
    report = collect([fake_run(name, 1.0), fake_run("still", 0.0)], title="<script>|")
    text = markdown.render(report)
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (4, 8) for row in rows), rows
    assert "<script>" not in text and "<b>" not in re.sub(r"`[^`]*`|\\<", "", text)
    tex = latex.render(report)
    assert r"a\textbar{}b*c\_d[x](y)\textless{}b\textgreater{}\&\$\%\textbackslash{}\{\}\#" in tex


def test_latex_writes_signs_and_powers():
    assert latex.escape("[-3.86e-06, +2.8e+07] disco-2024 3-5") == (
        r"[$-$3.86$\cdot10^{-6}$, +2.8$\cdot10^{7}$] disco-2024 3-5"
    )


def test_digits_follow_the_interval():
    from stages.reporting.table import Cell

    def digits(*cells):
        return wording.digits_for([Cell(value, interval) for value, interval in cells])

    assert digits((23.934, (23.2, 24.6))).write(23.934) == "23.93"
    assert digits((32.4879, (31.8, 33.2)), (30.0519, (30.047, 30.057))).write(32.4879) == "32.49"  # not 32.4879
    assert digits((122.0, (112.9, 131.1))).write(122.04) == "122.0"
    assert digits((0.206, None)).write(0.206) == "0.2060"
    assert digits((3.8e-5, (3.6e-5, 4.0e-5))).write(3.8e-5) == "3.80e-05"
    assert digits((0.0, None)).write(0.0) == "0.00"
    assert wording.percent(0.9999) == "99.9 %"


def test_signature_difference():
    assert signature_difference("a|b:1|c", "a|b:2|c") == ("b:1", "b:2")


def test_runs_marked_as_reported_stand_apart_and_are_never_ranked():
    printed = replace(fake_run("theirs", 9.0, test_set="theirs"), reported=True, path="r/theirs")
    report = collect([*runs(), printed])
    assert "theirs" not in {line.name for line in report.methods}
    assert {entry.method for entry in report.published} == {"theirs"} and report.published[0].source == "r/theirs"
    with pytest.raises(InputError, match="no run with scores of its own"):
        collect([printed])


def test_published_files_are_checked(tmp_path):
    file = tmp_path / "p.csv"
    file.write_text("method,paper,metric,value,source\nA,P,FVD,122.0,T1\n")
    entry = read_published(file)[0]
    assert (entry.method, entry.protocol, entry.value, entry.text) == ("A", "P", 122.0, "122.0")
    for text, message in (
        ("method,metric,value,source\n", "no column 'protocol'"),
        ("method,protocol,metric,value,source\nA,P,FVD,low,T1\n", "line 2: value is 'low'"),
        ("method,protocol,metric,value,source\nA,P,FVD\n", "line 2: value is empty"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            read_published(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_published(tmp_path / "none.csv")


def test_files_are_written_skipped_and_protected(tmp_path):
    folders = write_fake_runs(tmp_path / "runs")
    outputs = tuple(str(tmp_path / name) for name in ("t.md", "t.tex", "t.csv", "t.txt"))
    params = Params(output=outputs)
    assert [record.status for record in stage.run(folders, params)] == ["written"] * 4
    assert [record.status for record in stage.run(folders, params)] == ["skipped"] * 4
    with pytest.raises(ConflictError, match="--overwrite"):
        stage.run(folders, replace(params, metrics="psnr"))
    again = stage.run(folders, replace(params, metrics="psnr", overwrite=True))
    assert [record.status for record in again] == ["replaced"] * 4
    with pytest.raises(UsageError, match="does not say the format"):
        stage.run(folders, Params(output=(str(tmp_path / "t.doc"),)))
    with pytest.raises(InputError, match="does not exist"):
        stage.run(folders, Params(output=(str(tmp_path / "no" / "t.md"),)))


def test_the_command(tmp_path, dreamactor):
    folders = [str(path) for path in write_fake_runs(tmp_path / "runs")]
    shown = dreamactor("report", *folders, "--metrics", "psnr,fvd", "--no-floors", "--title", "My table")
    assert shown.returncode == 0 and shown.stdout.startswith("My table\n") and "25.7" in shown.stdout
    assert "codec" not in shown.stdout and "LPIPS" not in shown.stdout and "\x1b" not in shown.stdout
    written = dreamactor("report", "-", "-o", "t.md", "-o", "t.csv", stdin="\n".join(folders))
    assert (written.returncode, written.stdout) == (0, "t.md\nt.csv\n")
    planned = dreamactor("report", *folders, "-o", "t.tex", "-o", "t.md", "-n")
    assert planned.returncode == 0 and planned.stdout == "" and not (tmp_path / "t.tex").exists()
    assert "would write t.tex" in planned.stderr and "would skip t.md" in planned.stderr
    failed = Record("score", "runs/x", "failed", error="no", exit=3).to_json()
    assert dreamactor("report", "-", stdin=f"{failed}\n{folders[0]}\n").returncode == 3  # never a table that lacks one
    lines = dreamactor("report", *folders, "--json").stdout.splitlines()
    assert all(entry.startswith('{"kind": ') for entry in lines)
    with pytest.raises(UsageError, match="psn"):
        stage.run(folders, Params(metrics="psn"))
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InputError, match="not a scores file"):
        stage.run([tmp_path / "bad.json"], Params())
    (tmp_path / "other").mkdir()
    write_run(fake_run("else", 0.0, test_set="two"), tmp_path / "other" / "scores.json")
    refused = dreamactor("report", *folders, "other")
    assert refused.returncode == 8 and refused.stdout == "" and refused.stderr.count("\n") == 1


def test_latex_compiles_where_it_can(tmp_path):
    import shutil

    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    text = latex.render(collect(runs(), baseline="still"))
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs,graphicx,xcolor}\begin{document}"
    (tmp_path / "t.tex").write_text(head + text + r"\end{document}")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
