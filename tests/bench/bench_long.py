"""A clip of a minute: does memory stay flat, do person and colours stay the same, do the joints of segments show?

    python tests/bench/bench_long.py --out long [--loop 97] [--seconds 60] [--framing half] [--number 31] [--json FILE]

A synthetic person of the validation split (25 frames a second, 128 px) drives itself through the whole chain; the film
is made by the command `dreamactor animate` in a process of its own, whose memory is read ten times a second. Then

  memory    resident MB when the second and the last segment are done, and the most while segments are made; then the
            segments become pictures: the median of its second third against that of its last, and the most; beside it
            that of the video encoder, a process of its own
  identity  cosine of face embeddings to the photo (`dreamactor score`, 16 frames a segment, as the model makes),
            the last segment against the second, and a straight line through all; the real film beside it, and the made
            film's over the real one's, because a head that turns is less like the photo; colours: mean R, G, B
  joints    mean absolute difference of neighbouring frames (grey levels) where a segment begins, where a latent of four
            frames begins elsewhere, and of all; the ratio of the first two; the same of the driver's film
  resume    the run is killed with SIGKILL after --kill segments, and run again: the film's bytes against the first's

With --loop N the driver is a film of 256 px, N frames forth and back until the time is over, read by `extract-pose`
like anybody's. Segments that begin as the second did show the same motion, so what they have lost of person and colours
the chain of segments has lost; without it, heads turn meanwhile, and the last segment shows what it happens to show.

What is there is not made again; --make only makes the driver.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
PROGRAM = "from dreamactor_cli.main import main; main()"
FPS, SEGMENT = 25, 16
PROTOCOL = """
name = "long"
[measure.identity]
[measure.colour_drift]
[[metric]]
name = "csim"
label = "identity"
measure = "identity"
array = "to_reference"
[[metric]]
name = "colour_drift"
label = "colour drift"
measure = "colour_drift"
array = "slope"
"""
BARS = {"growth": 0.05, "identity": 0.05, "colour": 0.05, "joint_ratio": 1.1}


def dreamactor(*words, wait=True):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, *map(str, words)], env=environment, stdout=sys.stderr)
    if not wait:
        return child
    if child.wait():
        raise SystemExit(f"dreamactor {' '.join(map(str, words))}: exit {child.returncode}")
    return None


def make_driver(folder, arguments):
    """The bundle with all control layers; made where it is not there."""
    once = folder / f"val_{arguments.number:06d}.zarr"
    bundle = folder / "looped.zarr" if arguments.loop else once
    if not (bundle / "face").exists():
        count = round(arguments.seconds * FPS)
        size, frames = (256, arguments.loop) if arguments.loop else (128, count)
        words = ("--split", "val", "--seed", arguments.number, "--framing", arguments.framing, "--size", size)
        dreamactor("synth", "--out", folder, *words, "--frames", frames, "--fps", FPS)
        if arguments.loop:
            loop_film(once, folder / "looped.mp4", count)
            dreamactor("extract-pose", folder / "looped.mp4", "-o", bundle)
        dreamactor("render-spheres", bundle)
        dreamactor("encode-face", bundle)
    return bundle


def loop_film(bundle, path, count):
    """The frames of a bundle forth and back, `count` in all."""
    from stages.bundle import open_bundle
    from stages.media import clip_frames, write_video

    with clip_frames(open_bundle(bundle)) as reader:
        frames = list(reader)
    there = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    write_video(path, (frames[there[index % len(there)]] for index in range(count)), Fraction(FPS))


def resident_mb(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS")), 0.0)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def children_mb(pid):
    try:
        numbers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(resident_mb(number) for number in numbers)


def animate(bundle, film, kill=None):
    """Run the command and watch it: [(seconds, resident MB, segments done, resident MB of its children)].

    kill  (segments, seconds) | None: killed so many seconds after so many segments are there
    """
    child = dreamactor("animate", bundle, "-o", film, "--threads", 1, wait=False)
    rows, started, reached = [], time.monotonic(), None
    while child.poll() is None:
        done, now = len(list(bundle.parent.glob(f".{bundle.name}.segments.*/*.safetensors"))), time.monotonic()
        rows.append((round(now - started, 2), round(resident_mb(child.pid), 1), done, round(children_mb(child.pid), 1)))
        if kill is not None and done >= kill[0]:
            reached = reached or now
            if now >= reached + kill[1]:
                os.kill(child.pid, signal.SIGKILL)
        time.sleep(0.1)
    if child.returncode != (0 if kill is None else -signal.SIGKILL):
        raise SystemExit(f"animate: exit {child.returncode}, expected {'0' if kill is None else 'to be killed'}")
    return rows


def kill_moments(count, rows, seed):
    """[(segments, seconds)] of `count` random moments of a run like the watched one, the last while it writes."""
    table, rng = np.array(rows), np.random.default_rng(seed)
    last = int(table[:, 2].max())
    begin = table[np.flatnonzero(table[:, 2] == last)[0], 0]
    after = np.sort(rng.choice(np.arange(1, last - 1), count - 1, replace=False))
    moments = [(int(done), float(rng.uniform(0, begin / last))) for done in after]
    return [*moments, (last, float(rng.uniform(0.1, 0.7) * (table[-1, 0] - begin)))]


def killed_and_resumed(bundle, folder, rows, count, seed):
    """Run a copy of the bundle, kill it at random moments, and compare what comes of it with the unbroken run."""
    copy, film = folder / "killed.zarr", folder / "killed.mp4"
    for old in (copy, *folder.glob(".killed.zarr.segments.*")):
        shutil.rmtree(old, ignore_errors=True)
    film.unlink(missing_ok=True)
    shutil.copytree(bundle, copy, ignore=shutil.ignore_patterns("video", "truth"))
    moments, found = kill_moments(count, rows, seed), []
    for moment in moments:
        found.append(animate(copy, film, kill=moment)[-1][2])
        print(f"killed with {found[-1]} segments done, {moment[1]:.1f} s after the {moment[0]}th", file=sys.stderr)
    animate(copy, film)
    same = {
        "film": film.read_bytes() == (folder / "film.mp4").read_bytes(),
        "latents": layer_bytes(copy) == layer_bytes(bundle),
    }
    return {"killed_with_segments": found, "moments": moments, "identical": same}


def layer_bytes(bundle):
    """Digests of all files of the layer `video` but the one that says when and where it was made."""
    layer = bundle / "video"
    files = sorted(path for path in layer.rglob("*") if path.is_file() and path != layer / "zarr.json")
    return {str(path.relative_to(layer)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def memory(rows):
    """Resident MB at the second and the last segment, and the median of ten at both ends, because every segment has
    short peaks; of the film's making the median of its second and last third."""
    table = np.array(rows)
    last = int(table[:, 2].max())
    done = [np.flatnonzero(table[:, 2] == number) for number in range(1, last + 1)]
    at = [float(table[rows[0], 1]) for rows in done if len(rows)]  # the moment it was there
    begin = np.flatnonzero(table[:, 2] == last)[0]
    film, encoder = table[begin:, 1], table[begin:, 3]
    film = film[np.cumsum(film[::-1] > 0)[::-1] > 0]  # after the end there is no process
    second, third = at[min(1, len(at) - 1)], max(1, len(film) // 3)
    early, late = float(np.median(film[third : 2 * third])), float(np.median(film[-third:]))
    return {
        "second_segment": second,
        "last_segment": at[-1],
        "growth": at[-1] / second - 1,
        "growth_of_ten": float(np.median(at[-10:]) / np.median(at[1:11]) - 1),
        "sampling_most": float(table[:begin, 1].max()),
        "film_middle": early,
        "film_end": late,
        "film_growth": late / early - 1,
        "film_most": float(film.max()),
        "encoder": float(np.median(encoder[encoder > 0])),  # a fork looks like its parent for a moment
        "seconds": {"segments": float(table[begin, 0]), "film": float(table[-1, 0] - table[begin, 0])},
        "all": at,
    }


def frames_of(path):
    from stages.media import VideoReader

    with VideoReader(path) as reader:
        return np.stack(list(reader))


def joints(frames_u8):
    """Median steps into a segment's first own frame, into a latent's first frame elsewhere, and of all; the ratio."""
    step = np.abs(np.diff(frames_u8.astype(np.int16), axis=0)).mean((1, 2, 3))  # step[k]: from frame k to k + 1
    into = np.arange(SEGMENT, len(step), SEGMENT)  # frames 17, 33, ... are the first that a later segment makes
    latents = np.setdiff1d(np.arange(4, len(step), 4), into)  # where a latent of four frames begins within a segment
    near = into[(into >= 12) & (into + 8 < len(step))]
    around = np.mean([step[near + shift] for shift in (-8, -4, 4, 8)], 0)
    local = np.log(np.maximum(step[near], 1e-3) / np.maximum(around, 1e-3))
    medians = {"joint": step[into], "latent": step[latents], "all": step}
    return {
        "grey_levels": {name: float(np.median(values)) for name, values in medians.items()},
        "to_latent_starts": float(np.median(step[into]) / np.median(step[latents])),
        "interval": (interval(step[into], np.median) / np.median(step[latents])).tolist(),
        "to_neighbours": float(np.exp(local.mean())),
        "to_neighbours_interval": np.exp(interval(local, np.mean)).tolist(),
        "above_p99": float((step[into] > np.percentile(np.delete(step, into), 99)).mean()),
    }


def interval(values, statistic):
    """95% interval of a statistic of values [N], by drawing them again 2,000 times."""
    draws = np.random.default_rng(0).choice(len(values), (2000, len(values)))
    return np.percentile(statistic(values[draws], 1), [2.5, 97.5])


def by_segment(values):
    """Means of the whole segments of 16 frames, [S, ...]."""
    count = len(values) // SEGMENT
    with np.errstate(invalid="ignore"):
        return np.nanmean(np.asarray(values)[: count * SEGMENT].reshape(count, SEGMENT, *np.shape(values)[1:]), 1)


def colours(frames_u8):
    return by_segment(frames_u8.reshape(len(frames_u8), -1, 3).mean(1))


def scored(folder, film, real):
    """Arrays of identity and colour_drift of one film."""
    from stages.bundle import open_bundle

    protocol, run = folder / "long.toml", folder / "run"
    protocol.write_text(PROTOCOL)
    if not run.exists():
        dreamactor("score", film, "--real", real, "--reference", "frame:0", "--protocol", protocol, "-o", run,
                   "--features-only")  # fmt: skip
    bundle = open_bundle(next((run / "clips").glob("*.zarr")))
    found = [{name: bundle.read(layer, name) for name in bundle.array_names(layer)} for layer in bundle.layers()]
    wanted = {"identity": "to_reference", "colour_drift": "excess"}  # layers have names of their own
    return {kind: next(arrays for arrays in found if name in arrays) for kind, name in wanted.items()}


def change(curve, period=0):
    """The last segment against the second: relative change; and of the mean of five at both ends (less noise).

    period  of a looped driver, in segments: then the last one that shows what the second shows, and the means and the
            most of those of the last whole period against the same segments of the first
    """
    curve = np.asarray(curve, np.float64)
    if period:
        last = 1 + (len(curve) - 2) // period * period
        turns = np.array([[k, k + (len(curve) - 1 - k) // period * period] for k in range(1, 1 + period)])
        each = curve[turns[:, 1]] / curve[turns[:, 0]] - 1
        return {
            "last_over_second": (curve[last] / curve[1] - 1).tolist(),
            "segments": [2, last + 1],
            "period_over_period": each.mean(0).tolist(),
            "most_of_period": np.abs(each).max(0).tolist(),
        }
    late, early = np.nanmean(curve[-5:], 0), np.nanmean(curve[1:6], 0)
    return {
        "last_over_second": (curve[-1] / curve[1] - 1).tolist(),
        "five_over_five": (late / early - 1).tolist(),
    }


def trend(curve):
    """Relative change from begin to end of a straight line through a curve [S]; its 95% interval by blocks of 8."""
    curve = np.asarray(curve, np.float64)
    at, rng = np.linspace(0, 1, len(curve)), np.random.default_rng(0)

    def over_clip(rows):
        slope, begin = np.polyfit(at[rows], curve[rows], 1)
        return slope / begin

    starts = rng.integers(0, len(curve) - 7, (1000, -(-len(curve) // 8)))
    drawn = [over_clip(np.concatenate([np.arange(start, start + 8) for start in row])) for row in starts]
    return {"whole_clip": over_clip(np.arange(len(curve))), "interval": np.percentile(drawn, [2.5, 97.5]).tolist()}


def identity_change(result):
    """What the bar asks of: the last segment against the second; of a loop the last whole period against the first.

    Of one segment of the looped film itself, the same pictures, the measure says up to a quarter more or less.
    """
    if result["loop"]:
        return result["identity"]["made"]["period_over_period"]
    return result["identity"]["made_over_real"]["last_over_second"]


def verdicts(result):
    """Each bar with what was found: "0.012 within 0.05"."""
    found = {
        "growth": abs(result["memory"]["growth"]),
        "identity": abs(identity_change(result)),
        "colour": float(np.abs(result["colour"]["made"]["last_over_second"]).max()),
        "joint_ratio": result["joints"]["made"]["to_latent_starts"],
    }
    said = {
        name: f"{value:.3f} {'within' if value <= BARS[name] else 'ABOVE'} {BARS[name]:g}"
        for name, value in found.items()
    }
    if "resume" in result:
        said["resume"] = "identical" if all(result["resume"]["identical"].values()) else "DIFFERENT"
    return said


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="long")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--framing", default="half")
    parser.add_argument("--number", type=int, default=31)
    parser.add_argument("--loop", type=int, default=0, help="frames that go forth and back: 8 k + 1; 0 = no loop")
    parser.add_argument("--kills", type=int, default=4, help="kills of the second run; 0 = no second run")
    parser.add_argument("--kill-seed", type=int, default=0)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()
    if arguments.loop and (arguments.loop < 9 or arguments.loop % 8 != 1):
        parser.error("--loop: expected 8 k + 1 frames, so that forth and back are whole segments")
    folder, period = Path(arguments.out), (arguments.loop - 1) * 2 // SEGMENT
    folder.mkdir(parents=True, exist_ok=True)
    bundle = make_driver(folder, arguments)
    if arguments.make:
        return
    film, watched = folder / "film.mp4", folder / "memory.json"
    if not watched.exists():
        watched.write_text(json.dumps(animate(bundle, film)))
    from stages.bundle import open_bundle
    from stages.media import clip_media

    result = {"loop": arguments.loop, "memory": memory(json.loads(watched.read_text()))}
    real = folder / "real.mp4"
    if not real.exists():
        with clip_media(open_bundle(bundle)) as path:
            shutil.copy(path, real)
    made, truth = frames_of(film), frames_of(real)
    result["colour"] = {"made": change(colours(made), period), "real": change(colours(truth), period)}
    result["joints"] = {"made": joints(made), "real": joints(truth)}
    layers = scored(folder, film, real)
    identity = layers["identity"]
    curves = {"made": by_segment(identity["to_reference"]), "real": by_segment(identity["real_to_reference"])}
    curves["made_over_real"] = curves["made"] / curves["real"]  # heads turn: a profile is less like the photo
    result["identity"] = {
        **{name: {**change(curve, period), **trend(curve)} for name, curve in curves.items()},
        "to_reference": float(np.nanmean(identity["to_reference"])),
        "found": float(identity["found"].mean()),
        "slope_per_100": float(identity["slope_reference"]) if "slope_reference" in identity else None,
    }
    drift = layers["colour_drift"]
    result["colour_drift"] = {name: float(drift[name]) for name in ("slope", "slope_generated", "slope_real")}
    result["colour_drift"]["excess_last_five"] = float(np.mean(drift["excess"][-5:]))
    print(json.dumps({**result, "memory": {k: v for k, v in result["memory"].items() if k != "all"}}, indent=1))
    if arguments.kills:
        rows = json.loads(watched.read_text())
        result["resume"] = killed_and_resumed(bundle, folder, rows, arguments.kills, arguments.kill_seed)
        print(f"resume: {result['resume']}")
    result["bars"] = verdicts(result)
    print("\n".join(f"{name}: {found}" for name, found in result["bars"].items()))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
