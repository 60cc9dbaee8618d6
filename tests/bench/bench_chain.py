"""Measures the speed of the chain on this machine and holds it against its limits.

    python tests/bench/bench_chain.py [--driving VIDEO_720P] [--json chain.json]

Each stage runs as a shell would run it, in a process of its own; wall and CPU seconds include the start of Python and
the loading of weights. The 720p clip is the sample video scaled up and looped to 240 frames, or that of --driving.
Limits: extraction >= 12 frames/s and < 1.5 GB; 49 frames animated < 90 s; --help < 0.25 CPU-s; rerun of all < 2 s.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"
DREAMACTOR = [sys.executable, "-c", "import sys; from dreamactor_cli.main import main; sys.exit(main())"]


def run(words, folder):
    """(wall seconds, CPU seconds, peak memory of one process in MB, stdout) of one command; fails when it fails."""
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run([*DREAMACTOR, *words], cwd=folder, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"dreamactor {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss / 1024, done.stdout


def make_720p(folder):
    """A 1280x720 video of 240 frames made from the sample."""
    from stages.media.ffmpeg import ffmpeg_exe

    out = folder / "large.mp4"
    words = [ffmpeg_exe(), "-v", "error", "-stream_loop", "3", "-i", str(SAMPLES / "driving.mp4"), "-frames:v", "240",
             "-vf", "scale=720:720,pad=1280:720:280:0:gray", "-c:v", "libx264", "-crf", "16", str(out)]  # fmt: skip
    subprocess.run(words, check=True)
    return out


def frames_in(record):
    return json.loads(record.strip().splitlines()[-1])["data"]["frames"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--driving", default="")
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    rows = []

    def row(name, value, unit, limit, good):
        rows.append({"what": name, "value": round(value, 3), "unit": unit, "limit": limit, "within": bool(good)})
        print(f"{name:42s} {value:9.3f} {unit:12s} limit {limit:12s} {'ok' if good else 'OVER'}", flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PYTHONPATH"] = str(ROOT)
        _, cpu, _, _ = run(["--help"], folder)
        cpu = min(cpu, *(run(["--help"], folder)[1] for _ in range(4)))
        row("dreamactor --help, CPU", cpu, "s", "< 0.25", cpu < 0.25)

        large = Path(arguments.driving).resolve() if arguments.driving else make_720p(folder)
        run(["extract-pose", str(SAMPLES / "reference.jpg"), "-o", "warm.zarr"], folder)  # weights into the cache
        wall, cpu, memory, out = run(["extract-pose", str(large), "-o", "large.zarr", "--json"], folder)
        count = frames_in(out)
        row(f"extract-pose, 720p, {count} frames, wall", count / wall, "frames/s", ">= 12", count / wall >= 12)
        row("extract-pose, CPU a frame", 1000 * cpu / count, "ms", "", True)
        row("extract-pose, largest process", memory, "MB", "< 1500", memory < 1500)

        steps = [
            ["extract-pose", str(SAMPLES / "driving.mp4"), "-o", "clip.zarr"],
            ["render-spheres", "clip.zarr", "--ref", str(SAMPLES / "reference.jpg")],
            ["encode-face", "clip.zarr"],
            ["animate", "clip.zarr", "--ref", str(SAMPLES / "reference.jpg"), "--json"],
        ]
        for words in steps:
            wall, cpu, memory, out = run(words, folder)
            if words[0] == "animate":
                scaled = wall * 49 / frames_in(out)
                row("animate, 49 frames at 128x128, wall", scaled, "s", "< 90", scaled < 90)
                row("animate, largest process", memory, "MB", "", True)
            else:
                row(f"{words[0]}, sample of 61 frames, wall", wall, "s", "", True)
        pipe = " | ".join([
            f"{{d}} extract-pose {SAMPLES / 'driving.mp4'} -o clip.zarr --json",
            f"{{d}} render-spheres - --ref {SAMPLES / 'reference.jpg'} --json",
            "{d} encode-face - --json",
            f"{{d}} animate - --ref {SAMPLES / 'reference.jpg'} --json",
        ])  # fmt: skip
        command = pipe.format(d=f"{sys.executable} -c '{DREAMACTOR[2]}'")
        started = time.perf_counter()
        done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, check=True)
        wall = time.perf_counter() - started
        skipped = bool(re.search(r'"status": "skipped"', done.stdout))
        row("rerun of the finished chain as one pipe", wall, "s", "< 2, skipped", wall < 2 and skipped)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1))
    return 0 if all(entry["within"] for entry in rows) else 8


if __name__ == "__main__":
    sys.exit(main())
