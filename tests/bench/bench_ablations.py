"""Trains the ablations from nothing at one small budget and measures each against the base on the same clips.

    python tests/bench/bench_ablations.py --work WORK --prepared PREPARED --pool POOL --mocap MOTION.npz --page

Every step can be stopped and the same command goes on: WORK holds takes/ (the training material), cases/, a folder a
run, films/ and scores.json. PREPARED and POOL are what `dreamactor train` makes (work/prepared*, pool/). One or three
references and no bone adjustment need no training: the base is shown otherwise. `--page` writes docs/ablations.md and
its pictures from scores.json.
"""

import argparse
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

SMALL = {"width": 128, "depth": 4, "heads": 4}
AGAIN = "again"  # the base once more from another seed: how far two runs of the same thing lie apart


def small_phases():
    """The phases of the base: the recipe of `default` (stages.training.recipe) with fewer clips a step and no clips of
    17 frames."""
    from stages.training.data import HEAD
    from stages.training.loop import Phase

    return (
        Phase(stage=1, share=0.40, frames=(1,), batch=(12,)),
        Phase(stage=1, share=0.15, frames=(1, 5), batch=(12, 4), lr=0.8e-3),
        Phase(stage=2, share=0.10, frames=(HEAD, 1, 5), batch=(32, 12, 4), lr=1e-3),
        Phase(stage=3, share=0.35, frames=(HEAD, 1, 5, 9), batch=(32, 12, 4, 3), lr=0.8e-3),
    )


def train(name, options, stop):
    """One run to its end (True) or until `stop()` says so (False)."""
    from stages.model.config import PRESETS, DitConfig
    from stages.training.ablation import ABLATIONS, BASE
    from stages.training.course import Course
    from stages.training.loop import Trainer
    from stages.training.objective import ObjectiveConfig
    from stages.weights.checkpoint import load_checkpoint

    ablation = ABLATIONS.get(name, BASE)
    folder = options.work / "runs" / name
    folder.mkdir(parents=True, exist_ok=True)
    config = replace(PRESETS["default"], name=f"ablation-{name}", dit=DitConfig(**SMALL))
    phases = ablation.phases(small_phases())
    trainer = Trainer(
        folder, ablation.model(config), load_checkpoint(options.vae)[0]["latent_weight"],
        load_checkpoint(options.encoder)[0], options.seed + (name == AGAIN), phases=phases,
        objective=ablation.objective(ObjectiveConfig()),
    )  # fmt: skip
    clips = ablation.clips(str(options.work / "takes"))
    courses = [Course(max(1, round(options.steps * phase.share))) for phase in phases]
    started = time.process_time()
    done = trainer.run(clips, 1.0, stop, courses=courses, save_every_s=60.0)
    with open(folder / "seconds.jsonl", "a") as file:
        file.write(json.dumps({"cpu_s": time.process_time() - started, "step": trainer.progress.step}) + "\n")
    return done


def trained_s(folder):
    """CPU seconds that a run took, over all its slices."""
    return sum(json.loads(line)["cpu_s"] for line in (folder / "seconds.jsonl").read_text().splitlines())


def score(options, names, made, judge_encoder, stop, say):
    """Measure every variant on every case: {variant: {case: numbers}}, without those that `stop()` left unfinished.

    Of the films only the last frame is kept, for the page.
    """
    from ablation_scores import PLAIN, Films, Judge, load_case, plain_film

    from stages.training.ablation import ABLATIONS, BASE

    judge, films, rows = Judge(judge_encoder), options.work / "films", {}
    for variant in made:
        maker, shown = None, [name for name in names if name.startswith("cross") or not variant.free_bones]
        for name in shown:
            path = films / variant.name / f"{name}.json"
            if not path.is_file():
                if stop():
                    break
                path.parent.mkdir(parents=True, exist_ok=True)
                case = load_case(options.work / "cases" / f"{name}.npz")
                if variant.name in PLAIN:
                    film = plain_film(case, variant.name)
                else:
                    run, ablation = options.work / "runs" / variant.run, variant.shown_as or variant.run
                    maker = maker or Films(run, ABLATIONS.get(ablation, BASE), options.vae, options.sampler_steps)
                    film = maker.film(case, variant, int(name.split("-")[1]))
                np.save(path.with_suffix(".npy"), film[-1])
                path.write_text(json.dumps(judge.measure(film, case)))
            rows.setdefault(variant.name, {})[name] = json.loads(path.read_text())
        whole = len(rows.get(variant.name, ())) == len(shown)
        say(f"measured {variant.name}" if whole else f"stopped while measuring {variant.name}")
        if not whole:
            rows.pop(variant.name, None)
    return rows


def compared(rows, names, made):
    """{variant: {kind: {metric: {base, ablated, mean, low, high, n}}}}: paired differences, each to its own base."""
    from ablation_scores import METRICS

    tables = {}
    for variant in (one for one in made if one.against):
        ours, theirs = rows[variant.name], rows[variant.against]
        for kind in ("self", "cross"):
            clips = [name for name in names if name.startswith(kind) and name in ours]
            for metric in METRICS if clips else ():
                sides = [{name: side[name][metric] for name in clips} for side in (ours, theirs)]
                tables.setdefault(variant.name, {}).setdefault(kind, {})[metric] = difference(*sides)
    return tables


def difference(ours, theirs):
    """Means of both sides over the clips measured on both, and the paired difference with its 95% interval."""
    from stages.metrics.statistics import paired

    found = paired(ours, theirs)
    low, high = found.interval or (None, None)
    means = [float(np.mean([side[name] for name in found.differences])) if found.n_clips else None
             for side in (theirs, ours)]  # fmt: skip
    return {"base": means[0], "ablated": means[1], "mean": found.mean, "low": low, "high": high, "n": found.n_clips}


def skeletons(options, names):
    """Joint and bone errors of the skeletons of the cross-identity cases, with and without the bone adjustment."""
    from ablation_scores import load_case

    cases = {name: load_case(options.work / "cases" / f"{name}.npz") for name in names if name.startswith("cross")}
    return {
        error: difference(
            *({n: float(c[f"{side}_{error}"]) for n, c in cases.items()} for side in ("free", "adjusted"))
        )
        for error in ("joint_error", "bone_error")
    }


def parsed():
    """The options of this call."""
    import stages

    package = Path(stages.__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--prepared", type=Path, required=True, help="prepared takes of the training split")
    parser.add_argument("--pool", type=Path, required=True, help="the pool they were prepared from")
    parser.add_argument("--mocap", default="", help="motion file of that pool, where its truth has no face points")
    parser.add_argument("--every", type=int, default=6, help="train on every so manyth of the takes")
    parser.add_argument("--below", type=int, default=2000, help="of those with a smaller number")
    parser.add_argument("--steps", type=int, default=1200, help="of every run")
    parser.add_argument("--minutes", type=float, default=0.0, help="of this call; 0 = to the end")
    parser.add_argument(
        "--runs",
        default="base,again,no-sphere,no-face,velocity,at-once,landmarks",
        help="in this order; again: the base from the next seed; none: the shipped model alone",
    )
    parser.add_argument("--per-framing", type=int, default=8, help="seeds of each of three framings")
    parser.add_argument("--first", type=int, default=600_000, help="first seed of the cases, of the test split")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sampler-steps", type=int, default=4)
    parser.add_argument("--vae", type=Path, default=package / "model" / "weights" / "default" / "vae.safetensors")
    parser.add_argument("--encoder", type=Path, default=package / "face" / "weights" / "default.safetensors")
    parser.add_argument("--no-score", action="store_true", help="make the cases and train only")
    parser.add_argument("--note", default="", help="a sentence for the page about how the runs were made")
    parser.add_argument("--page", type=Path, default=None, help="write the page and its pictures into this docs folder")
    return parser.parse_args()


def main():
    from ablation_cases import make_cases
    from ablation_page import write_page
    from ablation_scores import variants
    from ablation_takes import link_takes

    from stages.core.device import set_threads
    from stages.face.encoder import load_face_encoder
    from stages.model.config import PRESETS
    from stages.training.course import Slice

    options = parsed()
    set_threads(1)
    part, say = Slice(options.minutes), lambda text: print(time.strftime("%H:%M:%S"), text, flush=True)
    runs = [name for name in options.runs.split(",") if name]
    if runs:
        link_takes(options, options.work / "takes", say)
    with part.heeding_signals():
        for name in runs:
            if not train(name, options, part.over):
                say(f"stopped in run {name}; the same command goes on")
                return
            say(f"trained {name}: {trained_s(options.work / 'runs' / name):.0f} CPU-s")
        if options.no_score:
            return
        encoder, size, made = load_face_encoder("default"), PRESETS["default"].size, variants(runs)
        names = make_cases(options.work / "cases", options.first, options.per_framing, size, encoder, say)
        rows = score(options, names, made, encoder, part.over, say)
    made = [one for one in made if one.name in rows and (not one.against or one.against in rows)]
    settings = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
    result = {
        "settings": settings, "model": SMALL, "phases": [asdict(phase) for phase in small_phases()], "rows": rows,
        "compared": compared(rows, names, made), "skeletons": skeletons(options, names), "clips": names,
        "cpu_s": {name: trained_s(options.work / "runs" / name) for name in runs},
    }  # fmt: skip
    (options.work / "scores.json").write_text(json.dumps(result, indent=1))
    if options.page:
        write_page(result, options.work, options.page)


if __name__ == "__main__":
    main()
