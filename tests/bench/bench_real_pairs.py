"""Animates pictures of nobody with real drivers through the command line, and measures how far the driver is obeyed.

    python tests/bench/bench_real_pairs.py --assets FOLDER --out pairs

References are pictures whose people are not real (they look generated); drivers are real films, never to be shown.
There is no true film, so `dreamactor score` asks (tests/bench/real_pairs.toml): who is it still (cosine of face
embeddings to the photo), and do joints, head, mouth and lids do what the driver's do, each person by their own build.
Row `copy` is the photo held still on the same canvas. For each pair pairs/NAME.png is a contact sheet; the table is
printed, and lies in pairs/runs. Skips with a reason where the assets are absent. What is finished is not made again.
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

PAIRS = {  # name: (picture, driver, first second)
    "studio-grin": ("portraits/man_studio.png", "videos/face_green_screen.mp4", 0.0),
    "studio-grimaces": ("portraits/man_studio.png", "videos/d3.mp4", 1.0),
    "studio-turns": ("portraits/man_studio.png", "videos/head_turns_wide.mp4", 1.0),
    "open_hands-hands": ("bodies/half_man_open_hands.png", "videos/half_hands_zoom_out.mp4", 0.0),
    "woman_hands-hands": ("bodies/half_woman_open_hands.png", "videos/half_hands_zoom_out.mp4", 3.0),
    "park-dance": ("bodies/half_man_park.png", "videos/full_dance_outdoors.mp4", 0.0),
}
DREAMACTOR = [sys.executable, "-c", "from dreamactor_cli.main import main; main()"]


def call(*words):
    """Run one dreamactor command; its own words on failure."""
    done = subprocess.run([*DREAMACTOR, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"dreamactor {words[0]} ended with {done.returncode}: {done.stderr.strip()}")


def absent(assets, pairs):
    """The files that the pairs need and that are not there."""
    wanted = {assets / file for picture, driver, _ in pairs.values() for file in (picture, driver)}
    return sorted(str(path) for path in wanted if not path.is_file())


def make(name, assets, out, seconds):
    """The bundle of one pair, OUT/NAME.zarr with its film OUT/NAME.mp4, OUT/copy/NAME.npy and OUT/driver/NAME.npy."""
    from stages.bundle import open_bundle
    from stages.media import clip_frames

    picture, driver, first = PAIRS[name]
    bundle = out / f"{name}.zarr"
    call("extract-pose", assets / driver, "-o", bundle, "--start", first, "--duration", seconds, "--max-side", 512,
         "--threads", 1)  # fmt: skip
    call("render-spheres", bundle, "--ref", assets / picture)
    call("encode-face", bundle)
    call("animate", bundle, "--ref", assets / picture, "--threads", 1, "-o", out / f"{name}.mp4")
    done = open_bundle(bundle)
    frames = len(done.read("body", "valid"))
    with clip_frames(done) as reader:
        driver_u8 = np.stack([reader.frame(index) for index in range(frames)])
    for kind, film in (("copy", np.repeat(done.read("body", "ref_frame"), frames, 0)), ("driver", driver_u8)):
        (out / kind).mkdir(exist_ok=True)
        np.save(out / kind / f"{name}.npy", film)


def pair_list(file, rows):
    """Write the CSV that `dreamactor score --pairs` reads."""
    with open(file, "w", newline="") as handle:
        csv.writer(handle).writerows([["name", "generated", "reference", "driving"], *rows])


def score(out, assets, names):
    """Score both methods; the folders of the runs."""
    films = {"model": lambda name: f"{name}.mp4", "copy": lambda name: f"copy/{name}.npy"}
    runs = []
    for method, film in films.items():
        rows = [[name, film(name), assets / PAIRS[name][0], f"driver/{name}.npy"] for name in names]
        pair_list(out / f"pairs-{method}.csv", rows)
        runs.append(out / "runs" / method)
        protocol = Path(__file__).with_name("real_pairs.toml")
        call("score", "--pairs", out / f"pairs-{method}.csv", "--protocol", protocol, "--name", method, "-o", runs[-1])
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--pairs", default=",".join(PAIRS))
    arguments = parser.parse_args()
    names = arguments.pairs.split(",")
    assets, out = arguments.assets.resolve(), arguments.out.resolve()
    if missing := absent(assets, {name: PAIRS[name] for name in names}):
        print(
            f"skipped: {missing[0]} is not there (real people are in the assets, so they are not part of the project)"
        )
        return
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        make(name, assets, out, arguments.seconds)
        print(name, flush=True)
    runs = score(out, assets, names)
    subprocess.run([*DREAMACTOR, "report", *map(str, runs)], check=True)


if __name__ == "__main__":
    main()
