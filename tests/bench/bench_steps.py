"""Measures how many sampling steps the default model needs: quality and seconds for every number of steps and solver.

    python tests/bench/bench_steps.py --clips 24 --json steps.json

Self-driven people of the validation split (cases of bench_default_model.py). PSNR, SSIM and sharpness as there, LPIPS
alex of every fourth frame, `change` = how much neighbouring frames differ over how much the true ones do. Means over
clips; behind them the mean difference to `--against` over the same clips, with its 95% interval: a setting is better or
worse only where that excludes 0 (marked *). CPU seconds are of sampling alone, per clip of 17 frames; what comes behind
(VAE decoder, compositor) costs the same for all and stands in the last line.
"""

import argparse
import json
import time

import bench_default_model as bench
import numpy as np

MEASURES = ("psnr_db", "ssim", "lpips", "sharpness", "change")


def measures(result, truth):
    """The numbers of one film."""
    from stages.metrics.nets.perceptual import load_perceptual

    pairs = list(zip(result, truth, strict=True))[::4]
    distance = np.mean([load_perceptual("alex").distance(np.ascontiguousarray(a), b) for a, b in pairs])
    change = [np.abs(np.diff(film.astype(float), axis=0)).mean() for film in (result, truth)]
    return {**bench.scores(result, truth), "lpips": float(distance), "change": float(change[0] / change[1])}


def sampled(animator, tracks, sampler, seed):
    """(latents, seconds) of one case; every setting starts from the same noise."""
    import torch

    generators = [torch.Generator().manual_seed(seed + index) for index in range(64)]
    started = time.process_time()
    latents = torch.cat(list(animator.segments(tracks, sampler, generators)), 2)
    return latents, time.process_time() - started


def settings(steps, solvers):
    """Names (solver, steps) without those that are the same: the first and the last step of dpm2m are Euler's."""
    return [(solver, count) for count in steps for solver in solvers if count > 2 or solver == solvers[0]]


def line(name, rows, base, seconds):
    """One line of the table."""
    from stages.metrics.statistics import bootstrap_interval

    text = f"{name:10s}"
    for measure in MEASURES:
        values = np.array(rows[measure])
        text += f"  {measure} {values.mean():.3f}"
        if rows is not base:
            away = values - base[measure]
            low, high = bootstrap_interval(away)[0] or (np.nan, np.nan)
            text += f" ({away.mean():+.3f}, {low:+.3f} to {high:+.3f}){'' if low <= 0 <= high else '*'}"
    return text + f"  {np.mean(seconds):.2f} CPU-s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--first", type=int, default=500_000, help="seed of the first clip; validation: 500000 up")
    parser.add_argument("--model", default="default")
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--steps", default="1,2,4,8")
    parser.add_argument("--solvers", default="euler,dpm2m")
    parser.add_argument("--against", default="dpm2m-4")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()

    from stages.core.device import pick_device, set_threads
    from stages.face.encoder import load_face_encoder
    from stages.model.animator import Animator
    from stages.model.sampler import SamplerConfig
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    set_threads(arguments.threads or None)
    animator, encoder = Animator.load(arguments.model, pick_device("auto")), load_face_encoder(arguments.encoder)
    studio, size = Studio(load_assets(), animator.config.size), animator.config.size
    tried = settings([int(x) for x in arguments.steps.split(",")], arguments.solvers.split(","))
    rows = {f"{solver}-{count}": {measure: [] for measure in MEASURES} for solver, count in tried}
    if arguments.against not in rows:
        parser.error(f"--against {arguments.against}: expected one of {', '.join(rows)}")
    seconds = {name: [] for name in rows}
    decoding = []
    for seed in range(arguments.first, arguments.first + arguments.clips):
        case = bench.self_case(studio, encoder, seed, size)
        for solver, count in tried:
            name = f"{solver}-{count}"
            latents, spent = sampled(animator, case.tracks, SamplerConfig(count, solver), seed)
            seconds[name].append(spent)
            started = time.process_time()
            frames = np.concatenate(list(animator.decode(latents, case.tracks)))[: len(case.truth_u8)]
            decoding.append(time.process_time() - started)
            for measure, value in measures(frames, case.truth_u8).items():
                rows[name][measure].append(value)
    print(f"self-driven, N={arguments.clips}, differences to {arguments.against}")
    for name, table in rows.items():
        print(line(name, table, rows[arguments.against], seconds[name]))
    print(f"VAE decoder and compositor {np.mean(decoding):.2f} CPU-s")
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump({"rows": rows, "seconds": seconds, "decoding_s": float(np.mean(decoding))}, file, indent=1)


if __name__ == "__main__":
    main()
