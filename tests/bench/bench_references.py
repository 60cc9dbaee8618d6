"""Several references against one on the turn-around clips of the suite v1.1: LPIPS, identity, PSNR and SSIM by `score`.

    dreamactor synth --suite v1.1 --split test --out v11
    python tests/bench/bench_references.py v11 --out refbench [--clips 8] [--references 3] [--model default] [--carried]

Writes films of one reference and of several (exact frames), of the shipped model and with --carried also of the
carried pictures alone, and OUT/sheet.png; prints every number, and the paired difference with its 95% interval over
clips. Films that are there are not made again. References are other moments of the clip than the film: the one that
looks most to the camera, and those turned farthest to either side (the paper's rule).
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

PROTOCOL = Path(__file__).with_name("references.toml")
METRICS = ("lpips_alex", "identity", "identity_reference", "psnr", "ssim")


def films(arguments, suite):
    """Make the missing films; returns method -> rows of the table of pairs."""
    from stages.benchmark.cases import case_name, open_case
    from stages.benchmark.methods import ModelChoice, ModelFilms
    from stages.media import write_png

    out, count = Path(arguments.out), arguments.references
    makers, methods = {}, {}
    for references in (1, count):
        choice = ModelChoice(source=arguments.model, references=references)
        methods[f"model-{references}"] = lambda case, n=references, c=choice: maker(makers, c).film(case)
        if arguments.carried:
            methods[f"carried-{references}"] = lambda case, n=references: case.carried(n)[0]

    def maker(loaded, choice):
        if choice not in loaded:
            loaded[choice] = ModelFilms(choice, "cpu")
        return loaded[choice]

    rows = {method: [] for method in methods}
    for number, framing in suite.numbers(arguments.clips).items():
        name = case_name(framing, number)
        photo = out / "reference" / f"{name}.png"
        paths = {method: out / method / f"{name}.npy" for method in methods}
        if not all(path.is_file() for path in (photo, *paths.values())):
            case = open_case(arguments.bundles, suite, number, "self", references=count)
            photo.parent.mkdir(parents=True, exist_ok=True)
            write_png(photo, case.ref_frames[0])
            np.save(out / "reference" / f"{name}.npy", case.ref_frames)
            for method, path in paths.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, methods[method](case))
            print(name, file=sys.stderr, flush=True)
        truth = Path(arguments.bundles) / f"{suite.split}_{number:06d}.zarr"
        for method, path in paths.items():
            rows[method].append([name, *(str(item.resolve()) for item in (path, truth, photo))])
    return rows


def score(out, method, rows, first):
    """The Run of one method."""
    from stages.metrics.results import read_run

    pairs = out / f"pairs-{method}.csv"
    with open(pairs, "w", newline="") as file:
        csv.writer(file).writerows([["name", "generated", "real", "reference"], *rows])
    words = ["score", "--pairs", str(pairs), "--protocol", str(PROTOCOL), "--name", method, "--fps", "24"]
    words += ["--workers", "1", "--overwrite", "-q", "-o", str(out / "scores" / method)]
    words += ["--real-from", str(out / "scores" / first)] if first != method else []
    program = "from dreamactor_cli.main import main; main()"
    subprocess.run([sys.executable, "-c", program, *words], check=True, stdout=subprocess.DEVNULL)
    return read_run(out / "scores" / method)


def sheet(out, rows, count):
    """A picture of every clip: references, then truth, one reference, several; frames from side to side."""
    import cv2

    from stages.bundle import open_bundle

    lines = []
    for name, _, truth, _ in rows["model-1"]:
        moments = np.linspace(0, 32, 9).round().astype(int)
        references = np.load(out / "reference" / f"{name}.npy")[:count]
        black = np.zeros((*references.shape[1:3], 3), np.uint8)
        films = [open_bundle(truth).read("truth", "frames")]
        films += [np.load(out / method / f"{name}.npy") for method in rows]
        cells = [[references[at] if at < count else black] + list(film[moments]) for at, film in enumerate(films)]
        lines += [np.concatenate(row, 1) for row in cells]
    cv2.imwrite(str(out / "sheet.png"), np.concatenate(lines)[..., ::-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles")
    parser.add_argument("--out", default="refbench")
    parser.add_argument("--suite", default="v1.1")
    parser.add_argument("--clips", type=int, help="the first so many of each framing")
    parser.add_argument("--references", type=int, default=3)
    parser.add_argument("--model", default="default")
    parser.add_argument("--carried", action="store_true", help="also the carried pictures alone, no network")
    arguments = parser.parse_args()
    import torch

    from stages.metrics.statistics import paired
    from stages.synthetic.suite import suite_named

    torch.set_num_threads(1)
    out, suite = Path(arguments.out), suite_named(arguments.suite)
    rows = films(arguments, suite)
    runs = {method: score(out, method, rows[method], next(iter(rows))) for method in rows}
    sheet(out, rows, arguments.references)
    found = {}
    for what in dict.fromkeys(method.partition("-")[0] for method in runs):
        one, several = (
            {score.name: score for score in runs[f"{what}-{count}"].scores} for count in (1, arguments.references)
        )
        for metric in METRICS:
            direction = one[metric].direction
            compared = paired(several[metric].per_clip, one[metric].per_clip, direction)
            low, high = compared.interval
            found[f"{what} {metric}"] = [one[metric].value, several[metric].value, compared.mean, low, high]
            print(
                f"{what:8s}{metric:20s} one {one[metric].value:8.4f}  several {several[metric].value:8.4f}  "
                f"difference {compared.mean:+.4f} ({low:+.4f}..{high:+.4f})  better in {compared.win_rate:.0%} of "
                f"{compared.n_clips}"
            )
            for framing in ("portrait", "half", "full"):
                part = [d for name, d in compared.differences.items() if name.startswith(framing)]
                print(f"{'':10s}{framing:10s} difference {np.mean(part):+.4f} ({len(part)})" if part else "")
    (out / "references.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
