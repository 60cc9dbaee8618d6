"""Peak memory of `dreamactor score` on one long film pair, above what the networks take on a tiny one.

    python tests/bench/bench_score_memory.py --frames 500 --size 1920x1080 --protocol dreamactor-v1 --scratch DIR

Makes both films in DIR (kept for the next call), scores each pair in its own process and prints the peak resident
memory of that process, and of the largest child (a decoder; a fork counts with its parent's memory until it is
another program). The tiny pair has the same networks loaded and next to no pictures.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
PROGRAM = """
import resource, sys
from dreamactor_cli.main import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print("PEAK", *peaks, file=sys.stderr)
    raise
"""


def film(path, size, frames, crf):
    """A moving test picture with noise, H.264."""
    from tests.media.make import ffmpeg

    if not path.exists():
        source = f"testsrc2=size={size}:rate=25,noise=alls=12:allf=t"
        ffmpeg("-f", "lavfi", "-i", source, "-frames:v", frames, "-c:v", "libx264", "-preset", "ultrafast", "-crf", crf,
               "-pix_fmt", "yuv420p", path)  # fmt: skip
    return path


def peak_mb(scratch, size, frames, protocol, threads):
    """(MB of the scoring process, MB of its largest child, seconds)."""
    name = f"{size}-{frames}"
    real = film(scratch / f"real-{name}.mp4", size, frames, 12)
    made = film(scratch / f"made-{name}.mp4", size, frames, 30)
    run = scratch / f"run-{name}"
    words = ["score", str(made), "--real", str(real), "-o", str(run), "--protocol", protocol, "--reference", "first"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    started = time.monotonic()
    subprocess.run(["rm", "-rf", str(run)], check=True)
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    line = next(line for line in done.stderr.splitlines() if line.startswith("PEAK"))
    return *(int(word) / 1024 for word in line.split()[1:]), time.monotonic() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--protocol", default="dreamactor-v1")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--scratch", required=True)
    arguments = parser.parse_args()
    scratch = Path(arguments.scratch)
    scratch.mkdir(parents=True, exist_ok=True)
    tiny = peak_mb(scratch, "128x96", 40, arguments.protocol, arguments.threads)
    large = peak_mb(scratch, arguments.size, arguments.frames, arguments.protocol, arguments.threads)
    for name, (own, child, seconds) in (("128x96, 40 frames", tiny), (f"{arguments.size}, {arguments.frames}", large)):
        print(f"{name}: {own:.0f} MB, largest child {child:.0f} MB, {seconds:.0f} s")
    print(f"above the networks: {large[0] - tiny[0]:.0f} MB")
    return 0 if large[0] - tiny[0] < 1024 else 1


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    raise SystemExit(main())
