"""Our scorer beside the tools people use, on one pair of films: the same numbers, and how many frames a second.

    DREAMACTOR_REFERENCE_PYTHON=VENV/bin/python DREAMACTOR_COMMON_METRICS=CHECKOUT \
        python tests/bench/bench_score.py [--frames 64] [--times 4] [--threads 2] [--rounds 3] [--json out.json]

The venv has torch, scikit-image, lpips, pytorch-fid, torchmetrics, cd-fvd and a torchvision that works with its torch;
the checkout is JunyaoHu/common_metrics_on_video_quality. Both sides read the same two .npy files, run with the same
number of threads, one after the other, in `--rounds` turns (the best turn of each counts). A further method is scored
with --real-from, so that the real films pass the networks once for all methods. Ours is the whole command
`dreamactor score` with the measurements below: start of Python, loading of networks, sha256 of every frame, bundles and
intervals included. Theirs is the sum of their calls alone: no start, no loading, no decoding.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
NETWORKS = ("lpips_alex", "inception_fid", "i3d_kinetics400")
PROTOCOL = """
name = "bench"
[measure.psnr]
[measure.ssim]
colour = "rgb"
[measure.lpips]
net = "alex"
[measure.inception]
resize = "legacy"
[measure.i3d]
resize = "crop"
[[metric]]
name = "psnr"
measure = "psnr"
[[metric]]
name = "ssim"
measure = "ssim"
[[metric]]
name = "lpips"
measure = "lpips"
[[metric]]
name = "fid"
measure = "inception"
reduce = "frechet"
[[metric]]
name = "fvd"
measure = "i3d"
reduce = "frechet"
"""
# our number -> (theirs, absolute or relative tolerance, parts of the time they take)
SET = {
    "psnr": ("scikit-image psnr", 1e-9, ("scikit-image psnr",)),
    "ssim": ("scikit-image ssim", 1e-9, ("scikit-image ssim",)),
    "lpips": ("lpips lpips", 1e-5, ("lpips lpips",)),
    "fid": ("pytorch-fid fid", 1e-4, ("pytorch-fid features", "pytorch-fid fid")),
    "fvd": ("common_metrics fvd", 1e-4, ("common_metrics features", "common_metrics fvd")),
}


def films(folder, frames, times):
    """Two .npy films of moving shapes, each pixel drawn `times` x `times` large, with noise of one level."""
    from tests.parity.shapes import moving_shapes

    paths = []
    for name, film in zip(("real", "generated"), moving_shapes(1, frames), strict=True):
        large = film.repeat(times, 1).repeat(times, 2)
        noise = np.random.default_rng(2).integers(0, 2, large.shape, np.uint8)
        paths.append(folder / f"{name}.npy")
        np.save(paths[-1], np.minimum(large, 254) + noise)
    return paths


def ours(folder, real, generated, threads, run, real_from=None):
    """(seconds, name -> value) of the whole command."""
    protocol, run = folder / "bench.toml", folder / run
    protocol.write_text(PROTOCOL)
    words = ["score", str(generated), "--real", str(real), "--protocol", str(protocol), "-o", str(run)]
    words += ["--real-from", str(folder / real_from)] if real_from else []
    program = [sys.executable, "-c", "from dreamactor_cli.main import main; main()"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    subprocess.run([*program, *words, "--device", "cpu", "--quiet"], env=environment, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    scores = json.loads((run / "scores.json").read_text())["scores"]
    return seconds, {score["name"]: score["value"] for score in scores}


def theirs(folder, real, generated, options, weights):
    """Name of a part -> {"seconds", "value"}."""
    job = {"real": str(real), "generated": str(generated), "threads": options.threads, "batch": options.batch}
    job |= {"weights": weights, "common_metrics": os.environ["DREAMACTOR_COMMON_METRICS"]}
    (folder / "job.json").write_text(json.dumps(job))
    words = [os.environ["DREAMACTOR_REFERENCE_PYTHON"], str(ROOT / "tests" / "bench" / "reference_tools.py")]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["OMP_NUM_THREADS"] = str(options.threads)
    subprocess.run([*words, str(folder / "job.json"), str(folder / "result.json")], env=environment, check=True)
    return json.loads((folder / "result.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--times", type=int, default=4, help="size of the films in 96x128")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8, help="frames their networks get at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from stages.weights import load_tensors

    with tempfile.TemporaryDirectory(prefix="dreamactor-bench-") as name:
        folder = Path(name)
        weights = {}
        for network in NETWORKS:
            weights[network] = str(folder / f"{network}.npz")
            np.savez(weights[network], **load_tensors(network))
        real, generated = films(folder, options.frames, options.times)
        turns = []
        for turn in range(options.rounds):
            seconds, numbers = ours(folder, real, generated, options.threads, f"run{turn}")
            again, same = ours(folder, real, generated, options.threads, f"again{turn}", f"run{turn}")
            assert same == numbers, "numbers taken over from another run are other numbers"
            turns.append((seconds, numbers, theirs(folder, real, generated, options, weights), again))
    report(options, turns)


def report(options, turns):
    """Print the tables; exit 8 when a number is another one or the full set is less than twice as fast."""
    seconds, numbers = min(turn[0] for turn in turns), turns[0][1]
    parts = {name: min(turn[2][name]["seconds"] for turn in turns) for name in turns[0][2]}
    values = {name: entry["value"] for name, entry in turns[0][2].items()}
    size = f"{96 * options.times}x{128 * options.times}"
    print(f"{options.frames} frames of {size}, {options.threads} threads, best of {options.rounds} rounds")
    print(f"{'':6} {'ours':>12} {'theirs':>12} {'off by':>9}  their seconds")
    wrong = []
    for name, (other, tolerance, timed) in SET.items():
        deviation = abs(numbers[name] - values[other]) / max(1.0, abs(values[other]))
        wrong += [name] if not deviation <= tolerance else []
        spent = " + ".join(f"{part} {parts[part]:.2f}" for part in timed)
        print(f"{name:6} {numbers[name]:12.7g} {values[other]:12.7g} {deviation:9.1e}  {spent}")
    total = sum(parts[part] for _, _, timed in SET.values() for part in timed)
    roots = parts["pytorch-fid fid"] + parts["common_metrics fvd"]
    rows = {
        "ours, the whole command": seconds,
        "ours, a further method on the same films": min(turn[3] for turn in turns),
        "separate tools, calls only": total,
        "separate tools, without the matrix roots": total - roots,
        "torchmetrics and common_metrics' FVD": sum(
            parts[part] for part in parts if part.startswith(("torchmetrics", "common_metrics"))
        ),
    }
    for label, spent in rows.items():
        print(f"{label:42} {spent:8.2f} s {options.frames / spent:8.2f} frames/s   ours is {spent / seconds:.2f}x")
    if options.json:
        options.json.write_text(json.dumps({"ours": {"seconds": seconds, "numbers": numbers}, "theirs": turns[0][2]}))
    if wrong or total < 2 * seconds:
        print(f"off: {', '.join(wrong) or 'speed'}", file=sys.stderr)
        raise SystemExit(8)


if __name__ == "__main__":
    main()
