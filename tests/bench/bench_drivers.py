"""A face from one driver, a body from another: are both obeyed at once, and does a locked head stay?

    python tests/bench/bench_drivers.py --out drivers [--clips 3] [--framings portrait,half] [--json drivers.json]

Synthetic people of the validation split. The body's driver is animated from its own photo (another moment of the same
take), so that where its joints should be is known exactly; the face is that of the next person of the same framing.
Every film is looked at by extract-pose's code (tests/bench/bench_control.py says how) and compared with exact truth:

  mixed   `animate BODY --face OTHER`: joints and head against the body's truth, mouth and lids against the other's
  crossed the same film's mouth and lids against the body's own truth: what they would say of a face not obeyed
  tokens  mouth opening of the face shape at the weights the tokens say: what the encoder passes on, before any picture
  carried the photo carried to pose and expression, as the networks get it
  real    the body's own film against its own truth: what can be read at 128 px at all
  locked  `animate BODY --face OTHER --lock head`: angle of the head to its own mean rotation through the clip (median,
          95th percentile, most), beside the same of `mixed`, and how far the controls' own sphere turns (0)
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
FIRST, FRAMES, FPS, SIZE = 700, 49, 25, 256
BARS = {"joints": 5.0, "mouth": 0.75, "lock": 3.0}


def make_clips(folder, framing, count, first):
    """Bundles of `count` people with all control layers."""
    from stages import encode_face, render_spheres

    paths = [folder / f"val_{first + index:06d}.zarr" for index in range(count)]
    if not all((path / "truth").exists() for path in paths):
        words = [sys.executable, "-c", "from dreamactor_cli.main import main; main()", "synth", "--out", str(folder)]
        words += [
            "--split",
            "val",
            "--seed",
            str(first),
            "--clips",
            str(count),
            "--framing",
            framing,
            "--look",
            "plain",
        ]
        subprocess.run([*words, "--frames", str(FRAMES), "--fps", str(FPS), "--size", str(SIZE)], check=True)
    for path in paths:
        encode_face.run(path, encode_face.Params())
        render_spheres.run(path, render_spheres.Params())
    return paths


def film(body, face, out, lock=""):
    """uint8 [T, H, W, 3] of the film; made where it is not there."""
    from dreamactor_cli.drivers import DrivenAnimation, Drivers
    from stages import animate
    from stages.media import VideoReader

    stage = DrivenAnimation(Drivers(face=str(face), lock=lock))
    stage.run(str(body), animate.Params(output=str(out), threads=1, sheet=lock == ""))
    with VideoReader(out) as reader:
        return np.stack(list(reader))


def truth_of(body, face, canvas):
    """What bench_control.compare wants: joints and head of the body's on a canvas, mouth and lids of the face's."""
    affine, (height, width) = np.array(canvas["driver_affine"]), canvas["size"]
    joints = body.read("truth", "joints_px") @ affine[:, :2].T + affine[:, 2]
    depth = body.read("truth", "transl_m")[:, 2]
    points = face.read("pose", "face_px").astype(np.float64)

    def apart(first, second):
        return np.linalg.norm(points[:, first] - points[:, second], axis=-1)

    lips = np.mean([apart(61, 67), apart(62, 66), apart(63, 65)], axis=0)
    eyes = [(apart(37, 41) + apart(38, 40)) / 2 / apart(36, 39), (apart(43, 47) + apart(44, 46)) / 2 / apart(42, 45)]
    R = body.read("truth", "R_cam_head")
    facing = np.minimum(R[:, 2, 2], face.read("truth", "R_cam_head")[:, 2, 2])  # both must be readable
    return {
        "joints_px": joints,
        "inside": ((joints >= 0) & (joints <= [width - 1, height - 1])).all(-1),
        "height_px": body.attrs("truth")["height_m"] * body.read("truth", "K_px")[0, 0] / depth * affine[0, 0],
        "R_cam_head": R,
        "facing": facing,
        "mouth": 100 * lips / apart(36, 45),
        "eyes": 1 - np.mean(eyes, axis=0),
    }


def real_film(body, canvas):
    """The body's own film as it lies on the canvas."""
    import cv2

    affine, (height, width) = np.array(canvas["driver_affine"]), canvas["size"]
    blur = 0.5 / affine[0, 0] if affine[0, 0] < 1 else 0.0  # before it is made smaller

    def on_canvas(frame):
        frame = cv2.GaussianBlur(frame, (0, 0), blur) if blur else frame
        return cv2.warpAffine(frame, affine, (width, height))

    return np.stack([on_canvas(frame) for frame in body.read("truth", "frames")])


def wander(R):
    """Degrees [n] of the rotations found to their mean."""
    from stages.core.geometry import rotation_angle_deg

    R = np.asarray(R, np.float64)[np.isfinite(R).all((1, 2))]
    if not len(R):
        return np.full(1, np.nan)
    u, _, vt = np.linalg.svd(R.mean(0))
    return rotation_angle_deg(R, (u * [1, 1, np.sign(np.linalg.det(u @ vt))] @ vt)[None])


def before_the_networks(mixed, theirs):
    """(numbers of the tokens alone, numbers of the carried photo) of a mixed bundle."""
    from stages.animation.signals import BundleSignals
    from stages.face.encoder import load_face_encoder
    from stages.face.shape import face_shape
    from tests.bench.bench_control import FACING_LEAST, MOUTH_LEAST, compare, follows, track

    encoder = load_face_encoder()
    weights = encoder.expressions_of(mixed.read("face", "tokens"))
    points = np.stack([face_shape().points(frame) for frame in np.asarray(weights, np.float64)])
    gap = np.linalg.norm(points[:, [61, 62, 63]] - points[:, [67, 66, 65]], axis=-1).mean(1)
    leader = np.where(theirs["facing"] > FACING_LEAST, theirs["mouth"], np.nan)
    nothing = dict.fromkeys(("joints", "head", "lids"), float("nan"))
    carried = BundleSignals(mixed, encoder).cut(0, len(gap)).warp_frames
    return {**nothing, "mouth": follows(gap, leader, MOUTH_LEAST)}, compare(track(carried, 1, FPS), theirs)


def one(folder, body_path, face_path):
    """All numbers of one pair."""
    from stages.bundle import open_bundle
    from tests.bench.bench_control import compare, track

    body, face = open_bundle(body_path), open_bundle(face_path)
    name = f"{body_path.stem}-{face_path.stem[-6:]}"
    mixed = track(film(body_path, face_path, folder / f"{name}-mixed.mp4"), 1, FPS)
    bundle = open_bundle(folder / f"{name}-mixed.zarr")
    canvas = bundle.attrs("body")["canvas"]
    own, theirs = truth_of(body, body, canvas), truth_of(body, face, canvas)
    locked = track(film(body_path, face_path, folder / f"{name}-locked.mp4", lock="head"), 1, FPS)
    sphere = open_bundle(folder / f"{name}-locked.zarr").read("head", "R_cam_head")
    spread = {who: wander(found["R_cam_head"]) for who, found in (("mixed", mixed), ("locked", locked))}
    tokens, carried = before_the_networks(bundle, theirs)
    numbers = {
        "tokens": tokens,
        "carried": carried,
        "mixed": compare(mixed, theirs),
        "crossed": compare(mixed, own),
        "real": compare(track(real_film(body, canvas), 1, FPS), own),
        "locked": compare(locked, theirs),
        "wander": {
            who: {"median": float(np.median(d)), "p95": float(np.percentile(d, 95)), "most": float(d.max())}
            for who, d in spread.items()
        },
    }
    numbers["wander"]["controls"] = {"most": float(wander(sphere).max())}
    return numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="drivers")
    parser.add_argument("--clips", type=int, default=3, help="people of each framing, at least 2")
    parser.add_argument("--framings", default="portrait,half")
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    from stages.core.device import set_threads

    set_threads(1)
    result = {"bars": BARS, "clips": {}}
    for number, framing in enumerate(arguments.framings.split(",")):
        paths = make_clips(folder, framing, arguments.clips, FIRST + 100 * number)
        for body, face in zip(paths, [*paths[1:], paths[0]], strict=True):
            result["clips"][f"{framing} {body.stem}"] = one(folder, body, face)
            print(f"{framing} {body.stem}: {json.dumps(result['clips'][f'{framing} {body.stem}'])}", flush=True)
    for row in ("tokens", "carried", "mixed", "crossed", "real", "locked"):
        line = f"{row:8s}"
        for name in ("joints", "head", "mouth", "lids"):
            values = np.array([clip[row][name] for clip in result["clips"].values()], np.float64)
            values = values[np.isfinite(values)]
            line += f"  {name} N={len(values)}" + (f" {values.mean():.2f} ({values.min():.2f}..{values.max():.2f})"
                                                   if len(values) else "")  # fmt: skip
        print(line)
    for who in ("mixed", "locked"):
        found = [clip["wander"][who] for clip in result["clips"].values()]
        print(f"head of {who} to its mean: " + ", ".join(
            f"{name} {np.nanmean([f[name] for f in found]):.1f} (worst clip {np.nanmax([f[name] for f in found]):.1f})"
            for name in ("median", "p95", "most")))  # fmt: skip
    print("bars: " + ", ".join(f"{name} {value:g}" for name, value in BARS.items()))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
