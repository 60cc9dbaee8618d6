"""Fits power laws to the losses of the shipped transformer's training and draws them.

    python tests/bench/bench_learning_curve.py --picture docs/pictures/learning-curve.png

learning_curve.csv holds the logged lines of five runs. A log line is a running mean (0.99 a step); what is fitted is
the mean loss between two lines, which that gives back exactly, each weighted by its steps. The law is floor + scale *
steps^-exponent with floor >= 0; intervals are percentiles of fits to points drawn again (in blocks of BLOCK, because
neighbours share the schedule). Runs with a falling rate end lower than a law of steps alone would have it, so only the
plateau of the rate is fitted (`--plateau`). Losses are comparable within a run only. learning_curve_measured.csv: what
films of saved states of the transformer gained on the held photo (docs/training.md).
"""

import argparse
import csv
from pathlib import Path

import numpy as np

TABLE = Path(__file__).with_name("learning_curve.csv")
MEASURED = Path(__file__).with_name("learning_curve_measured.csv")
DRAWS, BLOCK = 1000, 4
EXPONENTS = np.geomspace(0.02, 3.0, 80)
_KEEP = 0.99  # of the running mean at each step, stages.training.loop


def read_runs(path):
    """{run: float [lines, 3]} of step, running mean of the loss, seconds."""
    runs = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            runs.setdefault(row["run"], []).append([float(row[name]) for name in ("step", "loss", "seconds")])
    return {name: np.array(lines) for name, lines in runs.items()}


def read_measured(path):
    """Curves of the gain in dB and of its 95% interval against the steps with the carried photo."""
    from stages.training.plots import Curve

    with open(path, newline="") as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    steps = [row["steps"] for row in rows]
    named = (("mean", "gain_db"), ("2.5%", "low"), ("97.5%", "high"))
    return [Curve(name, steps, [row[key] for row in rows]) for name, key in named]


def between(lines):
    """float [lines - 1, 3]: middle step, mean loss of the steps between two lines, and how many they are."""
    step, loss = lines[:, 0], lines[:, 1]
    steps = np.diff(step)
    kept = _KEEP**steps
    return np.stack([step[:-1] + (steps + 1) / 2, (loss[1:] - kept * loss[:-1]) / (1 - kept), steps], 1)


def fitted(points):
    """(floor, scale, exponent) of the law through float [n, 3] points as of `between`: for each exponent of a grid the
    weighted least squares of the other two, with the floor at 0 where it would be below. A loss that does not fall
    has scale 0."""
    step, loss, weight = points.T
    weight = weight / weight.sum()
    powers = step[None] ** -EXPONENTS[:, None]  # [E, n]
    mean, mean_loss = powers @ weight, loss @ weight
    spread = np.maximum((powers - mean[:, None]) ** 2 @ weight, 1e-12)
    scale = np.maximum(((powers - mean[:, None]) * (loss - mean_loss)) @ weight / spread, 0.0)
    floor = mean_loss - scale * mean
    scale = np.where(floor < 0, (powers * loss) @ weight / (powers**2 @ weight), scale)
    floor = np.maximum(floor, 0.0)
    cost = (floor[:, None] + scale[:, None] * powers - loss) ** 2 @ weight
    best = int(np.argmin(cost))
    return np.array([floor[best], scale[best], EXPONENTS[best]])


def drawn_again(points, rng):
    """The points in blocks drawn with repetition."""
    blocks = [points[first : first + BLOCK] for first in range(0, len(points), BLOCK)]
    return np.concatenate([blocks[index] for index in rng.integers(len(blocks), size=len(blocks))])


def value(law, step):
    """The law at a step."""
    return law[0] + law[1] * step ** -law[2]


def summary(points):
    """{"law", and intervals of exponent, floor, and of the loss after twice and ten times the steps, relative}."""
    rng, last = np.random.default_rng(0), points[-1, 0] + points[-1, 2] / 2
    laws = [fitted(drawn_again(points, rng)) for _ in range(DRAWS)]
    spread = lambda values: [float(edge) for edge in np.percentile(values, [2.5, 97.5])]  # noqa: E731
    gains = {times: spread([value(law, times * last) / value(law, last) - 1 for law in laws]) for times in (2, 10)}
    return {"law": fitted(points), "last": last, "exponent": spread([law[2] for law in laws]),
            "floor": spread([law[0] for law in laws]), "gain": gains}  # fmt: skip


def smooth(points, most=24):
    """At most so many points: weighted means of neighbours, for drawing."""
    groups = np.array_split(np.arange(len(points)), min(most, len(points)))
    return np.array([np.average(points[group, :2], axis=0, weights=points[group, 2]) for group in groups])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--plateau", type=float, default=0.35, help="share of a last stage's run at the full rate")
    parser.add_argument("--picture", type=Path, default=None)
    arguments = parser.parse_args()

    from stages.training.plots import Curve, draw_panels

    panels = []
    for name, lines in read_runs(arguments.table).items():
        points = between(lines)
        until = lines[-1, 0] * (arguments.plateau if name.startswith("stage 3") else 0.7)
        level = points[points[:, 0] <= until]
        found = summary(level)
        law, hours = found["law"], lines[-1, 2] / 3600
        ends = "; ".join(f"x{times}: {low:+.0%} to {high:+.0%}" for times, (low, high) in found["gain"].items())
        print(f"{name}: {lines[-1, 0]:.0f} steps, {hours:.2f} core-hours, loss {points[:3, 1].mean():.3f} to "
              f"{points[-3:, 1].mean():.3f}; to step {until:.0f}: {law[0]:.3f} + {law[1]:.3f} n^-{law[2]:.2f}, "
              f"exponent {found['exponent'][0]:.2f} to {found['exponent'][1]:.2f}, floor {found['floor'][0]:.3f} to "
              f"{found['floor'][1]:.3f}; loss after more steps {ends}")  # fmt: skip
        if name == "stage 1, clips":
            continue  # goes on from the run before it with another loss: nothing to see
        shown, steps = smooth(points), np.geomspace(max(level[0, 0], 5), lines[-1, 0], 60)
        panels.append((name, [Curve("loss", *shown.T.tolist()),
                              Curve("law", steps.tolist(), value(law, steps).tolist())]))  # fmt: skip
    if arguments.picture:
        from stages.media import write_png

        panels.append(("measured: PSNR over the held photo, dB", read_measured(MEASURED)))
        write_png(arguments.picture, draw_panels(panels))


if __name__ == "__main__":
    main()
