"""Pipes, records and exit codes, with a toy stage behind the real runner."""

import json
import os
import signal
import subprocess
import time

import pytest

from stages.core.records import Record
from tests.process import TOY


def only_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, f"expected one line, found {lines}"
    return lines[0]


def test_stdout_holds_finished_names_and_nothing_else(toy):
    done = toy("a.mp4", "b.mp4")
    assert (done.returncode, done.stdout) == (0, "a.zarr\nb.zarr\n")
    assert "a library that prints" in done.stderr and "descriptor 1" in done.stderr
    again = toy("a.mp4", "b.mp4", "--json")
    assert [Record.from_json(line).status for line in again.stdout.splitlines()] == ["skipped", "skipped"]


def test_names_come_from_stdin_too(toy):
    done = toy("-", stdin="a.mp4\n\n b c.mp4\r\n")
    assert (done.returncode, done.stdout) == (0, "a.zarr\n b c.zarr\n")


def test_output_and_output_dir(toy, tmp_path):
    assert toy("a.mp4", "-o", "x/y.zarr").stdout == "x/y.zarr\n"
    assert toy("a.mp4", "b.mp4", "--output-dir", "out").stdout == "out/a.zarr\nout/b.zarr\n"
    assert toy("a.mp4", "b.mp4", "-o", "z.zarr").returncode == 5
    assert toy("a.mp4", "-o", "x.zarr", "--output-dir", "out").returncode == 2
    clash = toy("p/a.mp4", "q/a.mp4", "--output-dir", "o2", "--overwrite")
    assert clash.returncode == 5 and "Rename one of them" in clash.stderr


@pytest.mark.parametrize(("item", "code"), [("bad.mp4", 3), ("bug.mp4", 1), ("memory.mp4", 7), ("disk.mp4", 7)])
def test_one_failing_item_gives_its_own_code_and_one_line(toy, item, code):
    done = toy(item)
    assert (done.returncode, done.stdout) == (code, "")
    assert only_line(done.stderr).startswith("dreamactor: ") and "Traceback" not in done.stderr


def test_debug_shows_where(toy):
    assert "Traceback" in toy("bug.mp4", "--debug").stderr


def test_some_failures_are_5_and_the_rest_is_done(toy, tmp_path):
    done = toy("a.mp4", "bad.mp4", "c.mp4", "-q")
    assert (done.returncode, done.stdout) == (5, "a.zarr\nc.zarr\n")
    assert "1 of 3 items failed" in done.stderr
    assert toy("bad1.mp4", "bad2.mp4").returncode == 3


def test_failed_records_are_carried_on(toy):
    first = toy("a.mp4", "bad.mp4", "--json")
    assert first.returncode == 5
    second = toy("-", "--json", "--output-dir", "next", stdin=first.stdout)
    records = [Record.from_json(line) for line in second.stdout.splitlines()]
    assert [(r.status, r.path, r.exit) for r in records] == [("written", "next/a.zarr", 0), ("failed", "bad.mp4", 3)]
    assert second.returncode == 5 and "failed before, in toy" in second.stderr
    assert "\n" not in records[1].error


def test_nothing_on_stdin_is_an_error(toy):
    assert toy("-", stdin="").returncode == 3
    assert toy("-", "a.mp4", stdin="b").returncode == 2
    assert toy("-", stdin="{not json\n").returncode == 3


def test_usage_errors_are_2(toy, dreamactor):
    assert toy().returncode == 2
    assert toy("a.mp4", "--no-such-flag").returncode == 2
    assert dreamactor("no-such-command").returncode == 2


def test_other_settings_conflict_and_overwrite_replaces(toy):
    assert toy("a.mp4").returncode == 0
    blocked = toy("a.mp4", "--seed", "1")
    assert blocked.returncode == 4 and "--overwrite" in blocked.stderr and blocked.stdout == ""
    done = toy("a.mp4", "--seed", "1", "--overwrite", "--json")
    assert Record.from_json(done.stdout).status == "replaced"


def test_dry_run_does_nothing(toy, tmp_path):
    done = toy("a.mp4", "-n")
    assert (done.returncode, done.stdout, os.listdir(tmp_path)) == (0, "", [])
    assert "would write a.zarr" in done.stderr
    plan = json.loads(toy("a.mp4", "-n", "--json").stdout)
    assert (plan["action"], plan["output"], len(plan["key"])) == ("write", "a.zarr", 64)


def test_quiet_says_nothing(toy):
    done = toy("a.mp4", "-q")
    assert "written" not in done.stderr and done.stdout == "a.zarr\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_clean_up_and_say_their_code(tmp_path, environment, number, code):
    words = [*TOY, "a.mp4", "--frames", "1000", "--pause-s", "0.05"]
    # A shell that runs the tests in the background hands SIGINT on as ignored; a user's program does not start so.
    with subprocess.Popen(
        words,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        wait_for(lambda: any(name.startswith(".a.zarr.toy") for name in os.listdir(tmp_path)))
        process.send_signal(number)
        out, err = process.communicate(timeout=100)
    assert (process.returncode, out) == (code, b"")
    assert b"Traceback" not in err
    assert os.listdir(tmp_path) == []


def test_a_closed_pipe_is_141(tmp_path, environment):
    words = [*TOY, "-"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        process.stdin.write(b"a.mp4\nb.mp4\n")
        process.stdin.close()
        err = process.stderr.read()
        process.wait(timeout=100)
    assert process.returncode == 141 and b"Traceback" not in err
    assert not (tmp_path / "b.zarr").exists()


def test_names_are_printed_when_they_are_committed(tmp_path, environment):
    words = [*TOY, "-", "--pause-s", "0.01"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        process.stdin.write(b"a.mp4\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"a.zarr\n"  # while stdin is still open
        assert (tmp_path / "a.zarr" / "toy" / "zarr.json").is_file()
        process.stdin.close()
        assert process.wait(timeout=100) == 0


def test_a_shell_pipe_of_records(tmp_path, environment):
    toy = " ".join(TOY)
    line = f"ls *.mp4 | {toy} - --json | {toy} - --json --output-dir second > made.jsonl"
    for name in ("a.mp4", "bad.mp4", "c.mp4"):
        (tmp_path / name).touch()
    done = subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, timeout=110, check=False
    )
    records = [Record.from_json(line) for line in (tmp_path / "made.jsonl").read_text().splitlines()]
    assert done.returncode == 5
    assert [r.path for r in records] == ["second/a.zarr", "bad.mp4", "second/c.zarr"]


def wait_for(condition, seconds: float = 100.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.01)
