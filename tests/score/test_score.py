"""`dreamactor score` as a user meets it: the numbers, what is written, and that nothing but the films decides it."""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from stages.bundle import open_bundle, validate
from stages.core.records import Record
from stages.media import write_png, write_video
from stages.metrics import registry
from stages.metrics.results import read_run
from tests.process import DREAMACTOR, ROOT
from tests.score import fake_measure
from tests.score.films import film_set, frames, score, worse, write_protocols


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with a set of three clips and tiny.toml."""
    monkeypatch.chdir(film_set(tmp_path))
    write_protocols(tmp_path)
    return tmp_path


@pytest.fixture
def fake(here, monkeypatch):
    """fake.toml with the measurement of fake_measure.py."""
    monkeypatch.setitem(registry.MEASURES, "fake", "tests.score.fake_measure")
    monkeypatch.setattr(fake_measure, "SEEN", [])
    monkeypatch.setattr(fake_measure, "CONTEXTS", [])
    (here / "fake.toml").write_text(
        'name = "fake"\n[measure.fake]\nleast = 1\n[[metric]]\nname = "mean"\nmeasure = "fake"\n'
    )
    return monkeypatch


def scores_of(path):
    """scores.json without when and with what it was made."""
    values = json.loads((path / "scores.json").read_text())
    del values["env"], values["command"]
    return values


def same_run(a, b):
    """True when two runs say the same in all files."""
    files = [(path / name).read_bytes() for name in ("clips.csv", "manifest.json") for path in (a, b)]
    return scores_of(a) == scores_of(b) and files[0] == files[1] and files[2] == files[3]


def expected_psnr(here, names="abc", without=None):
    """Mean over clips of the mean over frames, in numpy."""
    means = []
    for name in names:
        real, made = (np.load(here / side / f"{name}.npy").astype(float) for side in ("real", "gen"))
        values = 10 * np.log10(255**2 / ((real - made) ** 2).mean((1, 2, 3)))
        means.append(np.delete(values, without).mean() if without is not None else values.mean())
    return float(np.mean(means))


def test_the_numbers_and_the_files(here, capfd):
    done = score(capfd, "gen", "--real", "real", "-o", "run", "--protocol", "plain.toml,tiny.toml", "--seed", "3")
    assert (done.code, done.out) == (0, "run/scores.json\n")
    assert "PSNR" in done.err and "bug-compatible" in done.err and "N=3" in done.err
    run = read_run("run")
    assert (run.name, run.seed, [clip["name"] for clip in run.clips]) == ("run", 3, ["a", "b", "c"])
    for number in run.scores:
        if number.name == "psnr":
            assert number.value == pytest.approx(expected_psnr(here), rel=1e-12)
            assert number.n_clips == 3 and number.n_samples == 6 + 7 + 8
            assert number.signature.startswith("decode:rgb24|")
    assert run.clips[0]["generated"] == "../gen/a.npy" and run.clips[0]["real"] == "../real/a.npy"
    assert run.command[:2] == ("dreamactor", "score") and run.command[-1] == "gen"
    rows = list(csv.DictReader(open("run/clips.csv")))
    of_b = [float(r["value"]) for r in rows if r["clip"] == "b" and r["protocol"] == "tiny" and r["frame"]]
    assert len(of_b) == 7
    summary = next(r for r in rows if r["clip"] == "b" and r["protocol"] == "tiny" and not r["frame"])
    assert np.mean(of_b) == pytest.approx(float(summary["value"]), rel=1e-12)
    manifest = json.loads((here / "run/manifest.json").read_text())
    assert len(manifest["frames"]) == 21
    frame = np.load("real/b.npy")[4].tobytes()
    assert manifest["frames"][6 + 4][:3] == ["b", 4, hashlib.sha256(frame).hexdigest()]
    for path in (here / "run/clips").iterdir():
        assert validate(path) == []


def test_the_reference_frame_is_left_out(here, capfd):
    assert (
        score(capfd, "gen", "--real", "real", "-o", "run", "--reference", "frame:2", "--protocol", "plain.toml").code
        == 0
    )
    run = read_run("run")
    number = next(s for s in run.scores if s.name == "psnr")
    assert number.value == pytest.approx(expected_psnr(here, without=2), rel=1e-12)
    assert number.n_samples == 5 + 6 + 7 and run.clips[0]["reference"] == "frame:2"


def test_again_is_skipped_without_reading_a_frame(here, capfd, monkeypatch):
    words = ("gen", "--real", "real", "-o", "run", "--floors", "codec,static", "--protocol", "tiny.toml", "--json")
    assert Record.from_json(score(capfd, *words).out).status == "written"
    before = (here / "run/scores.json").read_bytes()

    def refuse(*_):
        raise AssertionError("a film was opened")

    monkeypatch.setattr("stages.scoring.clips.open_source", refuse)
    monkeypatch.setattr("stages.scoring.source.open_film", refuse)
    monkeypatch.setattr("stages.weights.checkpoint.file_sha256", refuse)
    again = score(capfd, *words)
    assert (again.code, Record.from_json(again.out).status) == (0, "skipped"), again.err
    assert (here / "run/scores.json").read_bytes() == before


def test_a_protocol_added_later_measures_only_what_is_missing(here, capfd, fake):
    assert score(capfd, "gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml").code == 0
    key = open_bundle("run/clips/a.zarr").key("frames")
    at = {path: path.stat().st_mtime_ns for path in (here / "run/clips").glob("*/score_psnr_*/zarr.json")}
    assert score(capfd, "gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml,fake.toml").code == 0
    assert fake_measure.SEEN and open_bundle("run/clips/a.zarr").key("frames") == key
    assert at == {path: path.stat().st_mtime_ns for path in (here / "run/clips").glob("*/score_psnr_*/zarr.json")}
    assert {s.protocol for s in read_run("run").scores} == {"tiny", "fake"}


def test_other_films_conflict_and_overwrite_replaces(here, capfd):
    words = ("gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml")
    assert score(capfd, *words).code == 0
    value = read_run("run").scores[0].value
    np.save("gen/b.npy", worse(np.load("real/b.npy"), 60))
    blocked = score(capfd, *words)
    assert blocked.code == 4 and len(blocked.lines()) == 1 and "--overwrite" in blocked.err and blocked.out == ""
    assert score(capfd, *words, "--overwrite").code == 0 and read_run("run").scores[0].value < value
    assert score(capfd, *words, "--name", "another").code == 4
    (here / "gen/b.npy").touch()  # the same bytes with another time: read, not measured again
    assert score(capfd, *words).code == 0


def test_workers_and_shards_change_nothing(here, capfd):
    common = ("--protocol", "plain.toml,tiny.toml", "--reference", "first", "--floors", "static,halves")
    films = ("gen", "--real", "real", *common)
    assert score(capfd, *films, "-o", "whole", "--name", "m").code == 0
    assert score(capfd, *films, "-o", "workers", "--name", "m", "--workers", "2").code == 0
    assert same_run(here / "whole", here / "workers")
    for shard in ("2/2", "1/2", "4/4"):  # the last one is empty
        assert score(capfd, *films, "-o", "shards", "--features-only", "--shard", shard).code == 0
    assert score(capfd, "--merge", "shards", "-o", "merged", "--name", "m", *common[:2], *common[4:]).code == 0
    assert same_run(here / "whole", here / "merged")
    bundles = sorted(map(str, (here / "shards/clips").iterdir()), reverse=True)
    assert score(capfd, "--merge", *bundles, "-o", "backwards", "--name", "m", *common[:2], *common[4:]).code == 0
    assert same_run(here / "whole", here / "backwards")


def test_merge_notices_what_is_missing_or_double(here, capfd):
    films = ("gen", "--real", "real", "--protocol", "tiny.toml", "--features-only")
    assert score(capfd, *films, "-o", "s", "--shard", "1/2").code == 0
    part = score(capfd, "--merge", "s", "-o", "m", "--protocol", "tiny.toml")
    assert part.code == 3 and "1 of 3 clips" in part.err and "'b'" in part.err
    assert score(capfd, *films, "-o", "s").code == 0 and score(capfd, *films, "-o", "t").code == 0
    double = score(capfd, "--merge", "s", "t", "-o", "m", "--protocol", "tiny.toml")
    assert double.code == 3 and "twice" in double.err and len(double.lines()) == 1
    other = score(capfd, "--merge", "s", "-o", "m", "--protocol", "plain.toml")
    assert other.code == 3 and "is not measured" in other.err
    floor = score(capfd, "--merge", "s", "-o", "m", "--protocol", "tiny.toml", "--floors", "codec")
    assert floor.code == 3 and "--floors codec" in floor.err
    assert not (here / "m").exists()


def test_merge_refuses_arrays_of_other_frames(here, capfd):
    """A bundle whose frames were replaced keeps no numbers of the old ones alive."""
    one, two = ("--protocol", "tiny.toml"), ("--protocol", "plain.toml")
    films = ("gen", "--real", "real", "-o", "run", "--features-only")
    assert score(capfd, *films, "--protocol", "tiny.toml,plain.toml").code == 0
    np.save("gen/b.npy", worse(np.load("real/b.npy"), 60))
    assert score(capfd, *films, *one, "--overwrite").code == 0
    assert score(capfd, "--merge", "run", "-o", "m", *one).code == 0
    stale = score(capfd, "--merge", "run", "-o", "m2", *two)
    assert stale.code == 3 and "other frames" in stale.err


def test_requirements(here, capfd):
    words = ("gen", "--real", "real", "-o", "run", "--protocol", "plain.toml,tiny.toml")
    assert score(capfd, *words, "--require", "tiny:psnr>1", "--require", "plain:psnr>=1").code == 0
    no = score(capfd, *words, "--require", "tiny:psnr>99")
    assert no.code == 8 and "psnr>99" in no.err and "found" in no.err and no.out == "run/scores.json\n"
    assert "PSNR (dB)" in no.err  # the table is shown all the same
    assert score(capfd, *words, "--require", "psnr>1").code == 2  # two protocols have one
    assert score(capfd, *words, "--require", "tiny:nothing<1").code == 2
    assert score(capfd, *words, "--require", "psnr about 3").code == 2


def test_floors_are_rows_of_the_real_films(here, capfd):
    words = ("gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml", "--floors", "codec,static")
    assert score(capfd, *words).code == 0
    codec, static = read_run("run").floors
    assert "x264 core" in codec.name and "crf 23" in codec.name and "first real frame" in static.name
    real = np.load("real/a.npy").astype(float)
    errors = ((real - real[:1]) ** 2).mean((1, 2, 3))
    psnr = [100.0 if error == 0 else 10 * np.log10(255**2 / error) for error in errors]
    assert static.scores[0].per_clip["a"] == pytest.approx(np.mean(psnr), rel=1e-12)
    assert 25 < codec.scores[0].value < 60
    assert score(capfd, "gen", "-o", "r2", "--floors", "codec").code == 2
    write_png("photo.png", np.load("real/a.npy")[3])
    assert score(capfd, *words[:4], "r3", *words[5:], "--reference", "photo.png").code == 0
    assert read_run("r3").floors[1].name == "reference picture held still"


def test_what_cannot_be_measured_is_said(here, capfd, fake):
    fake.setattr(fake_measure, "NEEDS", frozenset({"reference", "real"}))
    done = score(capfd, "gen", "-o", "run", "--protocol", "tiny.toml,fake.toml")
    assert done.code == 0, done.err
    by_name = {s.name: s for s in read_run("run").scores}
    assert by_name["psnr"].value is None and "--real" in by_name["psnr"].why
    assert "--real" in by_name["mean"].why and "--reference" in by_name["mean"].why
    assert "not measured" in done.err and "needs a real film" in done.err
    assert score(capfd, "gen", "-o", "run", "--protocol", "tiny.toml", "--require", "psnr>1").code == 8


def test_measurements_are_told_of_driver_reference_and_sources(here, capfd, fake):
    (here / "drv").mkdir()
    (here / "photos").mkdir()
    for index, name in enumerate("abc"):
        np.save(here / "drv" / f"{name}.npy", np.full((6 + index, 40, 30, 3), 10 + index, np.uint8))
        write_png(here / "photos" / f"{name}.png", np.full((50, 60, 3), 20 + index, np.uint8))
    words = ("--driving", "drv", "--reference", "photos", "--protocol", "fake.toml", "--fps", "30000/1001")
    assert score(capfd, "gen", *words, "-o", "cross").code == 0
    assert [driver for _, _, driver in fake_measure.SEEN] == [10, 11, 12]  # clips of 6, 7, 8 frames: a block each
    context = fake_measure.CONTEXTS[1]
    assert context.real_size is None and context.reference_frame == -1 and float(context.fps) == 30000 / 1001
    assert (context.reference_u8 == 21).all() and context.reference_u8.shape == (50, 60, 3)
    assert context.sources == {
        role: str(here / path) for role, path in (("generated", "gen/b.npy"), ("driving", "drv/b.npy"))
    }
    cross = read_run("cross")
    assert cross.clips[0]["real"] == "" and cross.clips[0]["driving"] == "../drv/a.npy"
    np.save(here / "drv/b.npy", np.full((7, 40, 30, 3), 99, np.uint8))
    assert score(capfd, "gen", *words, "-o", "other").code == 0
    assert read_run("other").test_set["sha256"] != cross.test_set["sha256"]  # another driver is another test
    assert read_run("other").generated == cross.generated


def test_a_missing_network_is_6_or_said_when_optional(here, capfd, fake):
    fake.setattr(fake_measure, "WEIGHTS", ("pose_landmark",))
    fake.setenv("DREAMACTOR_CACHE", str(here / "cache"))
    from stages.core.errors import WeightsError

    def cannot(name):
        raise WeightsError(f"weights '{name}': cannot be fetched")

    fake.setattr("stages.weights.resolve", cannot)
    words = ("gen", "--real", "real", "-o", "run", "--protocol", "fake.toml,tiny.toml")
    done = score(capfd, *words)
    assert done.code == 6 and len(done.lines()) == 1 and not (here / "run/clips").exists()
    fake.setattr(fake_measure, "OPTIONAL", True)
    assert score(capfd, *words).code == 0
    mean = next(s for s in read_run("run").scores if s.name == "mean")
    assert mean.value is None and "cannot be fetched" in mean.why
    assert Record.from_json(score(capfd, *words, "--json").out).status == "skipped"
    fake.setattr("stages.weights.resolve", lambda name: None)  # now it can be had
    assert score(capfd, *words).code == 0
    assert next(s for s in read_run("run").scores if s.name == "mean").value is not None


def test_every_kind_of_input_gives_the_same_numbers(here, capfd, monkeypatch):
    for side in ("gen", "real"):
        for name in "abc":
            folder = here / f"{side}-png" / name
            folder.mkdir(parents=True)
            for index, frame in enumerate(np.load(f"{side}/{name}.npy")):
                write_png(folder / f"frame_{index}.png", frame)
    (here / "gen.txt").write_text("gen/a.npy\ngen/b.npy\n\ngen/c.npy\n")
    (here / "real.csv").write_text("name,path\na,real/a.npy\nb,real/b.npy\nc,real/c.npy\n")
    records = [Record("animate", f"gen/{name}.npy", "written") for name in "abc"]
    (here / "gen.jsonl").write_text("".join(f"{record.to_json()}\n" for record in records))
    lines = ["name,generated,real", *(f"{n},gen/{n}.npy,real-png/{n}" for n in "cab")]
    (here / "pairs.csv").write_text("\n".join(lines))
    calls = [
        ("gen", "--real", "real"),
        ("gen-png", "--real", "real"),
        ("gen/a.npy", "gen/c.npy", "gen-png/b", "--real", "real-png"),
        ("gen.txt", "--real", "real.csv"),
        ("gen.jsonl", "--real", "real"),
        ("--pairs", "pairs.csv"),
    ]
    runs = []
    for index, words in enumerate(calls):
        done = score(capfd, *words, "-o", f"r{index}", "--protocol", "tiny.toml", "--name", "m")
        assert done.code == 0, done.err
        runs.append(read_run(f"r{index}"))
    for run in runs[1:]:
        assert run.scores == runs[0].scores
        assert run.test_set == runs[0].test_set and run.generated == runs[0].generated
    assert "25 assumed" in score(capfd, *calls[0], "-o", "r0", "--protocol", "tiny.toml", "--name", "m").err


def test_one_clip_and_one_other_belong_together(here, capfd):
    assert score(capfd, "gen/a.npy", "--real", "real/a.npy", "-o", "r1", "--protocol", "tiny.toml").code == 0
    (here / "real/a.npy").rename(here / "other.npy")
    assert score(capfd, "gen/a.npy", "--real", "other.npy", "-o", "r2", "--protocol", "tiny.toml").code == 0
    assert read_run("r1").test_set == read_run("r2").test_set


def test_names_and_records_from_stdin(here, dreamactor):
    names = "".join(f"gen/{name}.npy\n" for name in "abc")
    done = dreamactor("score", "-", "--real", "real", "-o", "run", "--protocol", "tiny.toml", stdin=names)
    assert (done.returncode, done.stdout) == (0, "run/scores.json\n"), done.stderr
    records = [Record("animate", f"gen/{name}.npy", "written") for name in "ab"]
    records.append(Record("animate", "c.zarr", "failed", error="c.zarr: no face", exit=3))
    lines = "".join(f"{record.to_json()}\n" for record in records)
    carried = dreamactor("score", "-", "--real", "real", "-o", "run2", "--protocol", "tiny.toml", "--json", stdin=lines)
    assert carried.returncode == 3 and "failed before, in animate: c.zarr: no face" in carried.stderr
    assert [Record.from_json(line).stage for line in carried.stdout.splitlines()] == ["animate"]
    words = ("score", "-", "--pairs", "x.csv", "-o", "run3")
    assert dreamactor(*words, stdin=names).returncode == 2


def test_dry_run_says_what_would_be_done(here, capfd):
    words = ("gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml")
    done = score(capfd, *words, "-n")
    assert done.code == 0 and "would write run/clips/a.zarr" in done.err and not (here / "run").exists()
    assert score(capfd, *words).code == 0
    assert "would skip" in score(capfd, *words, "-n").err


def test_a_killed_run_goes_on(here, environment):
    """kill -9 while the last clip is measured; then the same command; the finished clips are not touched."""
    for side, amount in (("gen", 9), ("real", 0)):
        np.save(here / side / "z.npy", np.tile(worse(frames(9, 40), amount), (1, 20, 20, 1)))
    words = [*DREAMACTOR, "score", "gen", "--real", "real", "-o", "run", "--protocol", "tiny.toml"]
    with subprocess.Popen(words, cwd=here, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while not (here / "run/clips/c.zarr").exists() and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (here / "run/scores.json").exists() and not (here / "run/clips/z.zarr").exists()
    at = (here / "run/clips/a.zarr/frames/zarr.json").stat().st_mtime_ns
    done = subprocess.run(words, cwd=here, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert (here / "run/clips/a.zarr/frames/zarr.json").stat().st_mtime_ns == at
    assert [clip["name"] for clip in read_run(here / "run").clips] == ["a", "b", "c", "z"]
    assert not [name for name in os.listdir(here / "run/clips") if name.startswith(".") and not name.endswith(".lock")]


def test_a_bundle_serves_as_its_film(here, capfd):
    """extract-pose's bundle stands for the film it was made from, checked by its sha256."""
    from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance
    from stages.weights.checkpoint import file_sha256

    real = frames(0, 6)
    write_video("film.mp4", iter(real), 25)
    attrs = {
        "source": {"path": "film.mp4", "sha256": file_sha256(here / "film.mp4"), "kind": "video"},
        "fps": "25/1",
        "size": [24, 32],
        "frame_count": 6,
    }
    key = layer_key("extract-pose", 1, {}, {})
    provenance = make_provenance("extract-pose", 1, {}, {})
    with LayerWriter("film.zarr", "clip", key=key, attrs=attrs, provenance=provenance) as writer:
        writer.put("media", np.zeros(3, np.uint8), ArraySpec("uint8", ("byte",)))
        writer.commit()
    words = ("gen/a.npy", "-o", "run", "--protocol", "tiny.toml")
    assert score(capfd, *words, "--real", "film.zarr").code == 0
    assert score(capfd, "gen/a.npy", "-o", "run2", "--protocol", "tiny.toml", "--real", "film.mp4").code == 0
    assert read_run("run").scores == read_run("run2").scores
    write_video("film.mp4", iter(frames(1, 6)), 25)
    with LayerWriter("made.zarr", "clip", key=key, attrs=attrs, provenance=provenance) as writer:
        writer.put("media", np.zeros(3, np.uint8), ArraySpec("uint8", ("byte",)))
        writer.commit()
    with LayerWriter("made.zarr", "truth", key=key, attrs={}, provenance=provenance) as writer:
        writer.put("frames", np.load("real/a.npy"), ArraySpec("uint8", ("T", "H", "W", "rgb")))
        writer.commit()  # a synthetic clip keeps its exact frames
    assert score(capfd, "gen/a.npy", "-o", "run5", "--protocol", "tiny.toml", "--real", "made.zarr").code == 0
    assert score(capfd, "gen/a.npy", "-o", "run6", "--protocol", "tiny.toml", "--real", "real/a.npy").code == 0
    assert read_run("run5").scores == read_run("run6").scores
    changed = score(capfd, *words[:2], "run3", *words[3:], "--real", "film.zarr")
    assert changed.code == 3 and "sha256" in changed.err
    (here / "film.mp4").unlink()
    gone = score(capfd, *words[:2], "run4", *words[3:], "--real", "film.zarr")
    assert gone.code == 3 and "is not there" in gone.err


def test_the_example_of_a_job_array_runs_without_slurm(here, environment, capfd):
    """examples/score_array.sh gives what one call gives where there is no sbatch; with a fake one, the jobs."""
    (here / "bin").mkdir()
    program = here / "bin/dreamactor"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from dreamactor_cli.main import main; main()" "$@"\n')
    program.chmod(0o755)
    path = f"{here / 'bin'}:/usr/bin:/bin"
    words = ["bash", str(ROOT / "examples/score_array.sh"), "2"]
    films = ["gen", "--real", "real", "--protocol", "tiny.toml", "--name", "m"]
    options = {"cwd": here, "env": {**environment, "PATH": path}, "capture_output": True, "text": True, "timeout": 100}
    done = subprocess.run([*words, "array", *films], check=False, **options)
    assert done.returncode == 0, done.stderr
    assert "array/scores.json" in done.stdout and "PSNR" in done.stdout
    assert score(capfd, *films, "-o", "whole").code == 0 and same_run(here / "whole", here / "array")
    (here / "bin/sbatch").write_text('#!/bin/sh\nfor word in "$@"; do echo "$word" >> jobs; done\necho 7\n')
    (here / "bin/sbatch").chmod(0o755)
    assert subprocess.run([*words, "two", *films], check=False, **options).returncode == 0
    jobs = (here / "jobs").read_text().splitlines()
    assert "--array=1-2" in jobs and "--dependency=afterok:7" in jobs
    assert any(line.endswith("--features-only --shard $SLURM_ARRAY_TASK_ID/2") for line in jobs)
    assert any("score --merge two -o two --protocol tiny.toml --name m" in line for line in jobs)
    (here / "bin/sbatch").unlink()
    wrong = subprocess.run([*words, "three", "gen", "--real", "nowhere"], check=False, **options)
    assert wrong.returncode == 3 and "nowhere" in wrong.stderr
