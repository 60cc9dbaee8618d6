"""Makes the films that `dreamactor score` judges: the default model and other methods on people of the test split.

    python tests/bench/score_sets.py --clips 24 --kinds self,cross --out sets

Writes sets/KIND/real/NAME.npy, sets/KIND/reference/NAME.png, sets/KIND/METHOD/NAME.npy and sets/KIND/pairs-METHOD.csv,
all frames exact (uint8 [T, H, W, 3]); for bench_control.py also sets/KIND/truth/NAME.npz (control_truth.py). Cases and
controls are those of bench_default_model.py. Methods: `model` (the shipped weights), `copy` (the reference held still),
`carry` (the photo carried limb by limb: stages/body/warp.py, no network), `tps` (a thin-plate spline of scikit-image
through body, hand and face points), `clip-mean` (the mean of the true clip, which has seen the answer).
"""

import argparse
import csv
from pathlib import Path

import bench_default_model as bench
import numpy as np

METHODS = ("model", "copy", "carry", "tps", "clip-mean")


def landmarks(act, frame, face_px):
    """float [N, 2] px of body joints, hands and face, NaN where not drawn."""
    body = np.where(act.drawn[frame, :, None], act.joints_px[frame], np.nan)
    hands = np.where(act.hands_drawn[frame, :, None, None], act.hands_px[frame], np.nan).reshape(-1, 2)
    return np.concatenate([body, hands, face_px])


def thin_plate(picture_u8, there_px, here_px):
    """The picture warped so that points `there_px` come to lie on `here_px`; the border stays where it is."""
    from skimage.transform import ThinPlateSplineTransform, warp

    height, width = picture_u8.shape[:2]
    rim = np.array([(x, y) for x in (0, width // 2, width - 1) for y in (0, height // 2, height - 1)
                    if (x, y) != (width // 2, height // 2)], float)  # fmt: skip
    known = np.isfinite(there_px).all(1) & np.isfinite(here_px).all(1)
    source, target = np.concatenate([there_px[known], rim]), np.concatenate([here_px[known], rim])
    kept = []
    for index in range(len(target)):  # points on one spot would leave the spline undefined
        if all(np.hypot(*(target[index] - target[other])) > 1.5 for other in kept):
            kept.append(index)
    spline = ThinPlateSplineTransform.from_estimate(target[kept], source[kept])
    return np.clip(np.rint(warp(picture_u8, spline, mode="edge", preserve_range=True)), 0, 255).astype(np.uint8)


def points_of(studio, seed, kind, size):
    """(reference points [N, 2], driver's points on the canvas [T, N, 2]) of a case."""
    from stages.body.compose import compose
    from stages.body.place import own_performance
    from stages.synthetic.seeds import ClipSeeds, partner_seed

    truth = studio.clip(seed, frames=bench.FRAMES, references=3)
    still, _ = bench.person_of(truth.references, 0)
    here_face = truth.references.face_px[0]
    if kind == "self":
        driver, _ = bench.person_of(truth)
        act, canvas, faces_on_canvas = own_performance(driver), own_performance(still), truth.face_px
    else:
        seeds = ClipSeeds.of(seed)
        clip = studio.clip(seeds.with_identity(partner_seed(seed)), frames=bench.FRAMES, references=3)
        driver, seen = bench.person_of(clip)
        composition = compose(driver, seen, still, (size, size), (size, size), framing="reference")
        act, canvas = composition.act, composition.still
        shift = act.head_px[:, None] - clip.head_center_px[:, None]
        ratio = (act.head_radius_px / clip.head_radius_px)[:, None, None]
        faces_on_canvas = (clip.face_px - clip.head_center_px[:, None]) * ratio + clip.head_center_px[:, None] + shift
        ref_window = composition.ref_window.affine()
        here_face = here_face @ ref_window[:, :2].T + ref_window[:, 2]
    here = landmarks(canvas, 0, here_face)
    return here, np.stack([landmarks(act, frame, faces_on_canvas[frame]) for frame in range(bench.FRAMES)])


def make(kind, arguments, animator, encoder, studio, sampler):
    from stages.media import write_png

    size = arguments.size
    folder = Path(arguments.out) / kind
    for name in ("real", "reference", "truth", *METHODS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rows = {method: [] for method in METHODS}
    case_of = {"self": bench.self_case, "cross": bench.cross_case}[kind]
    for seed in range(arguments.first, arguments.first + arguments.clips):
        case = case_of(studio, encoder, seed, size)
        name = f"{case.framing}-{seed}"
        reference = case.tracks.ref_frames[0]
        here, there = points_of(studio, seed, kind, size)
        films = {
            "model": bench.animate(animator, case.tracks, sampler, seed),
            "copy": np.repeat(reference[None], bench.FRAMES, 0),
            "carry": case.tracks.warp_frames,
            "tps": np.stack([thin_plate(reference, here, points) for points in there]),
            "clip-mean": np.repeat(case.truth_u8.mean(0, keepdims=True).round().astype(np.uint8), bench.FRAMES, 0),
        }
        np.save(folder / "real" / f"{name}.npy", case.truth_u8)
        np.savez(folder / "truth" / f"{name}.npz", **case.exact)
        write_png(folder / "reference" / f"{name}.png", reference)
        for method, frames in films.items():
            np.save(folder / method / f"{name}.npy", frames)
            rows[method].append([name, f"{method}/{name}.npy", f"real/{name}.npy", f"reference/{name}.png"])
        print(kind, name, flush=True)
    for method, lines in rows.items():
        with open(folder / f"pairs-{method}.csv", "w", newline="") as file:
            csv.writer(file).writerows([["name", "generated", "real", "reference"], *lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--frames", type=int, default=33)
    parser.add_argument("--first", type=int, default=600_000, help="seed of the first clip; test people: 600000 up")
    parser.add_argument("--kinds", default="self,cross")
    parser.add_argument("--model", default="default")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--size", type=int, default=256, help="side of the square canvas")
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()

    from stages.core.device import pick_device, set_threads
    from stages.face.encoder import load_face_encoder
    from stages.model.animator import Animator
    from stages.model.sampler import SamplerConfig
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    set_threads(None)
    bench.FRAMES = arguments.frames
    animator = Animator.load(arguments.model, pick_device("auto"))
    studio = Studio(load_assets(), arguments.size)
    sampler = SamplerConfig(arguments.steps, "dpm2m", 1.0, 1.0)
    for kind in arguments.kinds.split(","):
        make(kind, arguments, animator, load_face_encoder("default"), studio, sampler)


if __name__ == "__main__":
    main()
