"""Measures the default model on people it never saw: self-driven and cross-identity, against trivial baselines.

    python tests/bench/bench_default_model.py --clips 64 --sheet sheet.png --json scores.json

Self-driven: the reference is a frame of another moment of the same take. Cross-identity: the driver is another
person with the same motion, camera and light seeds, brought onto the reference's bones by the code of render-spheres;
the truth is that motion rendered on the reference's person. Where the person stands is then a guess: retargeting lays
the driver's most alike frame on the reference, and the truth may have walked on between the two. Cross-identity aligned
(cross-aligned): the driver's film begins with the moment that the reference shows, held for a third of a second and not
scored, so that the place is told as well; the rest is the same. Baselines: the reference frame held still, and the mean
of the true clip. PSNR in dB and SSIM (scikit-image, 7x7 window, data range 255) are per frame, mean over frames, then
over clips; sharpness is the mean absolute gradient over that of the truth (1 = as sharp as the truth).
"""

import argparse
import json
import time
from dataclasses import dataclass, field, replace

import numpy as np
from control_truth import exact_truth

FRAMES = 17
HELD = 8


@dataclass
class Case:
    """One test: control tracks, the true frames uint8 [T, S, S, 3], where it comes from, what the frames show."""

    tracks: object
    truth_u8: np.ndarray
    name: str
    framing: str
    exact: dict = field(default_factory=dict)


def person_of(clip, frame=None):
    """The Person of a synthetic clip's truth (of one of its frames), and which of its joints the camera sees."""
    from stages.body.person import make_person

    pick = slice(None) if frame is None else slice(frame, frame + 1)
    inside = lambda points: ((points >= 0) & (points <= clip.frames_u8.shape[1] - 1)).all(-1)  # noqa: E731
    seen = inside(clip.joints_px[pick])
    pose = {
        "present": np.ones(len(seen), bool), "joints_px": clip.joints_px[pick], "joints_m": clip.joints_m[pick],
        "transl_m": clip.transl_m[pick], "joint_valid": seen, "joint_score": np.ones(seen.shape, np.float32),
        "hands_px": clip.hands_px[pick], "hand_valid": np.ones((len(seen), 2), bool),
    }  # fmt: skip
    head = {"R_cam_head": clip.R_cam_head[pick], "center_px": clip.head_center_px[pick],
            "radius_px": clip.head_radius_px[pick], "radius_m": clip.head_radius_m}  # fmt: skip
    return make_person(pose, clip.K_px, clip.fps, head), seen


def draw_maps(act, rotations, size):
    """uint8 [T, S, S, 6] skeleton and sphere maps of a Performance and its head rotations."""
    from stages.body.compose import draw_body
    from stages.head.sphere import draw_sphere

    return np.stack([
        np.concatenate([
            draw_body(act, frame, (size, size)),
            draw_sphere(act.head_px[frame], act.head_radius_px[frame], rotations[frame], size, size),
        ], -1)
        for frame in range(len(act.drawn))
    ])  # fmt: skip


def make_tracks(encoder, driver, reference, size, composition):
    """The Tracks that animate would read from a bundle, from exact truth."""
    from stages.body.framing import cut
    from stages.body.matte import figure_matte
    from stages.body.warp import warp_reference
    from stages.face.carry import express
    from stages.model.animator import Tracks

    maps = draw_maps(composition.act, driver.R_cam_head, size)
    ref_maps = draw_maps(composition.still, reference.R_cam_head[:1], size)
    facing = driver.R_cam_head[:, 2, 2] > 0.35
    tokens = encoder.tokens(driver.face_crops_u8)
    picture = cut(reference.frames_u8[0], composition.ref_window)
    rotation = reference.R_cam_head[0]
    placed = composition.still, rotation, composition.act, driver.R_cam_head
    moves = background_moves(driver, composition.act, composition.driver_affine)
    warps = list(warp_reference(picture, *placed, figure_matte(picture), moves))
    warp, kind = (np.stack(column) for column in zip(*warps, strict=True))
    still, act = composition.still, composition.act
    head = act.head_px, act.head_radius_px, driver.R_cam_head
    ref_head = still.head_px[0], still.head_radius_px[0], rotation
    seen = np.where(facing[:, None, None], tokens, np.nan)
    warp, kind = express(encoder, warp, kind, head, (picture[None], [ref_head], np.ones((len(warp), 1))), seen)
    return Tracks(maps, tokens, facing, picture[None], ref_maps, warp, kind)


def background_moves(driver, act, affine):
    """float64 [T, 2, 3] of the background on the canvas, from the driver's pictures: since the frame laid on the
    reference, or where none is since the reference's own moment."""
    from stages.body.camera import camera_moves, on_canvas, view_of

    anchor = driver.frames_u8[act.frame] if act.frame >= 0 else driver.references.frames_u8[0]
    return on_canvas(camera_moves(map(view_of, driver.frames_u8), view_of(anchor)), affine)


def aligned_case(studio, encoder, seed, size):
    """Cross-identity with the place told."""
    return cross_case(studio, encoder, seed, size, aligned=True)


def self_case(studio, encoder, seed, size):
    """Self-driven: pictures and controls stay where they are."""
    from stages.body.compose import Composition
    from stages.body.framing import Window
    from stages.body.place import own_performance

    clip = studio.clip(seed, frames=FRAMES, references=3)
    driver, _ = person_of(clip)
    still, _ = person_of(clip.references, 0)
    whole = Window(1.0, (0.0, 0.0), size, size)
    composition = Composition(own_performance(driver), own_performance(still), whole, np.eye(2, 3), clip.framing)
    tracks = make_tracks(encoder, clip, clip.references, size, composition)
    return Case(tracks, clip.frames_u8, str(seed), clip.framing, exact_truth(clip, whole))


def begun_with_reference(clip, frames):
    """(Person, seen [T, 25]) of a clip that begins with so many frames of its first reference's moment."""
    from types import SimpleNamespace

    names = (
        "joints_px",
        "joints_m",
        "transl_m",
        "hands_px",
        "R_cam_head",
        "head_center_px",
        "head_radius_px",
        "frames_u8",
    )
    both = {
        name: np.concatenate([np.repeat(getattr(clip.references, name)[:1], frames, 0), getattr(clip, name)])
        for name in names
    }
    return person_of(SimpleNamespace(**both, K_px=clip.K_px, fps=clip.fps, head_radius_m=clip.head_radius_m))


def without_first(composition, frames):
    """The Composition without its first frames."""
    names = ("joints_px", "points_m", "drawn", "hands_px", "hands_drawn", "head_px", "head_radius_px")
    act = composition.act
    return replace(composition, act=replace(act, **{name: getattr(act, name)[frames:] for name in names}, frame=-1))


def cross_case(studio, encoder, seed, size, aligned=False):
    """Cross-identity: another person drives; the truth is the same motion on the reference's person.

    aligned  the driver's film begins with the reference's moment (see the head of this file)
    """
    from stages.body.compose import compose
    from stages.body.framing import cut
    from stages.synthetic.seeds import ClipSeeds, partner_seed

    seeds = ClipSeeds.of(seed)
    truth = studio.clip(seeds, frames=FRAMES, references=3)
    clip = studio.clip(seeds.with_identity(partner_seed(seed)), frames=FRAMES, references=3)
    driver, seen = begun_with_reference(clip, HELD if aligned else 0)
    still, _ = person_of(truth.references, 0)
    composition = compose(driver, seen, still, (size, size), (size, size), framing="reference")
    composition = without_first(composition, HELD) if aligned else composition
    true_frames = np.stack([cut(frame, composition.ref_window) for frame in truth.frames_u8])
    tracks = make_tracks(encoder, clip, truth.references, size, composition)
    return Case(tracks, true_frames, str(seed), clip.framing, exact_truth(truth, composition.ref_window))


def scores(result, truth):
    """PSNR in dB, SSIM and sharpness of one clip."""
    from skimage.metrics import structural_similarity

    result, truth = result.astype(np.float64), truth.astype(np.float64)
    error = np.maximum(((result - truth) ** 2).mean((1, 2, 3)), 1e-6)
    similar = [structural_similarity(a, b, channel_axis=2, data_range=255) for a, b in zip(result, truth, strict=True)]

    def gradient(video):
        return np.abs(np.diff(video, axis=1)).mean() + np.abs(np.diff(video, axis=2)).mean()

    return {
        "psnr_db": float((10 * np.log10(255**2 / error)).mean()),
        "ssim": float(np.mean(similar)),
        "sharpness": float(gradient(result) / gradient(truth)),
    }


def animate(animator, tracks, sampler, seed):
    import torch

    generators = [torch.Generator().manual_seed(seed + index) for index in range(64)]
    latents = torch.cat(list(animator.segments(tracks, sampler, generators)), 2)
    frames = np.concatenate(list(animator.decode(latents, tracks)))
    return frames[: len(tracks.maps)]


def evaluate(kind, animator, encoder, studio, clips, first, sampler, size):
    """Rows {method: {metric: values over clips}} and what a sheet needs."""
    rows: dict[str, dict[str, list[float]]] = {}
    pictures, framings = [], []
    make = {"self": self_case, "cross": cross_case, "cross-aligned": aligned_case}[kind]
    spent = 0.0
    for seed in range(first, first + clips):
        case = make(studio, encoder, seed, size)
        started = time.perf_counter()
        result = animate(animator, case.tracks, sampler, seed)
        spent += time.perf_counter() - started
        held = np.repeat(case.tracks.ref_frames[:1], FRAMES, 0)
        mean = np.repeat(case.truth_u8.mean(0, keepdims=True).round().astype(np.uint8), FRAMES, 0)
        passed = np.concatenate(list(animator.decode(animator.encode(case.truth_u8))))
        methods = {
            "model": result,
            "copy": held,
            "warp": case.tracks.warp_frames,
            "clip mean": mean,
            "vae only": passed,
        }
        for method, frames in methods.items():
            for metric, value in scores(frames, case.truth_u8).items():
                rows.setdefault(method, {}).setdefault(metric, []).append(value)
        framings.append(case.framing)
        pictures.append((case, result))
    return rows, framings, pictures, spent / clips


def report(kind, rows, framings):
    """Print the table of one kind and give back its means."""
    means = {method: {name: float(np.mean(values)) for name, values in table.items()} for method, table in rows.items()}
    named = {"self": "self-driven", "cross": "cross-identity", "cross-aligned": "cross-identity, aligned"}
    print(f"{named[kind]}, N={len(framings)}")
    for method, table in means.items():
        print(f"  {method:10s}" + "".join(f"  {name} {value:7.3f}" for name, value in table.items()))
    for framing in sorted(set(framings)):
        chosen = np.array(framings) == framing
        gain = np.array(rows["model"]["psnr_db"])[chosen] - np.array(rows["copy"]["psnr_db"])[chosen]
        print(f"  {framing}: N={chosen.sum()}, PSNR over copy {gain.mean():+.2f} dB")
    gain = np.array(rows["model"]["psnr_db"]) - np.array(rows["copy"]["psnr_db"])
    draws = np.random.default_rng(0).choice(gain, (2000, len(gain))).mean(1)
    low, high = np.percentile(draws, [2.5, 97.5])
    print(f"  PSNR over copy {gain.mean():+.2f} dB, 95% interval over clips {low:+.2f} to {high:+.2f}")
    return means


def sheet(pictures, path):
    """Write reference | skeleton + sphere | result | truth at the last frame, 12 cases, two to a line."""
    from stages.media import contact_sheet, write_png

    cells = []
    for case, result in pictures[:12]:
        maps = case.tracks.maps[-1]
        controls = np.maximum(maps[..., :3], maps[..., 3:])
        cells.append([case.tracks.ref_frames[0], controls, result[-1], case.truth_u8[-1]])
    rows = [cells[index] + (cells[index + 1] if index + 1 < len(cells) else []) for index in range(0, len(cells), 2)]
    write_png(path, contact_sheet(rows, ["reference", "controls", "result", "truth"] * 2, cell_height_px=128))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--first", type=int, default=600_000, help="seed of the first clip; test people: 600000 up")
    parser.add_argument("--kinds", default="self,cross")
    parser.add_argument("--model", default="default")
    parser.add_argument("--encoder", default="default")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--cfg-ref", type=float, default=1.0)
    parser.add_argument("--cfg-motion", type=float, default=1.0)
    parser.add_argument("--solver", default="dpm2m")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--sheet", default="")
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()

    from stages.core.device import pick_device, set_threads
    from stages.face.encoder import load_face_encoder
    from stages.model.animator import Animator
    from stages.model.sampler import SamplerConfig
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    set_threads(arguments.threads or None)
    animator = Animator.load(arguments.model, pick_device("auto"))
    encoder = load_face_encoder(arguments.encoder)
    size = animator.config.size
    studio = Studio(load_assets(), size)
    sampler = SamplerConfig(arguments.steps, arguments.solver, arguments.cfg_ref, arguments.cfg_motion)
    result = {"clips": arguments.clips, "frames": FRAMES, "size": size, "sampler": vars(sampler)}
    for kind in arguments.kinds.split(","):
        rows, framings, pictures, seconds = evaluate(
            kind, animator, encoder, studio, arguments.clips, arguments.first, sampler, size
        )
        result[kind] = report(kind, rows, framings)
        print(f"  {seconds:.2f} s a clip of {FRAMES} frames")
        if arguments.sheet:
            sheet(pictures, arguments.sheet.replace(".png", f"-{kind}.png"))
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
