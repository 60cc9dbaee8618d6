"""Made-up runs: three methods, 12 clips, two seeds, floors, missing faces, and tiny real films of moving shapes."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.metrics.results import Row, Run, Score, write_run

CLIPS = tuple(f"clip_{n:02d}" for n in range(12))
FRAMES, FPS, SIDE = 36, 12, 96
PROTOCOLS = {
    "dreamactor-v1": {"title": "our protocol", "faithful": True, "sha256": "a" * 64},
    "disco-2023-legacy": {"title": "DisCo's code of 2023, mistakes included", "faithful": False, "sha256": "b" * 64},
}
METRICS = (  # protocol, name, label, unit, direction, level, spread over clips, signature
    ("dreamactor-v1", "psnr", "PSNR", "dB", "higher", 24.0, 2.0, "psnr|align:lanczos|float64|v:1"),
    ("dreamactor-v1", "ssim", "SSIM", "", "higher", 0.82, 0.03, "ssim|gauss:11|v:1"),
    ("dreamactor-v1", "lpips_alex", "LPIPS (alex)", "", "lower", 0.20, 0.03, "lpips|alex|range:pm1|res:native|v:1"),
    ("dreamactor-v1", "csim", "CSIM", "", "higher", 0.70, 0.05, "identity|sface|v:1"),
    ("dreamactor-v1", "fvd", "FVD", "", "lower", 120.0, 0.0, "i3d|frames:16|stride:16|frechet:n-1|v:1"),
    ("dreamactor-v1", "flicker", "Flicker / real", "", "none", 1.02, 0.02, "flicker|v:1"),
    ("disco-2023-legacy", "psnr", "PSNR", "dB", "higher", 29.5, 0.6, "psnr|uint8-overflow|v:1"),
    ("disco-2023-legacy", "l1", "L1/HW", "", "lower", 3.8e-5, 4e-6, "l1|hw|v:1"),
)


def fake_run(
    name: str,
    quality: float,
    seed: int = 0,
    *,
    test_set: str = "one",
    missing_faces: int = 0,
    films: int = 0,
) -> Run:
    """A run whose numbers are better by `quality` standard deviations of the clips than level 0."""
    rng = np.random.default_rng([seed, *name.encode()])
    scores = tuple(_score(metric, quality, rng, missing_faces) for metric in METRICS)
    clips = tuple(_clip(clip, name) for clip in CLIPS[:films])
    return Run(
        name=name,
        seed=seed,
        test_set={
            "sha256": hashlib.sha256(test_set.encode()).hexdigest(),
            "clips": 12,
            "frames": 432,
            "decode": "rgb24",
        },
        generated={"sha256": hashlib.sha256(f"{name}{seed}".encode()).hexdigest()},
        protocols=PROTOCOLS,
        scores=scores,
        floors=_floors(),
        clips=clips,
        env={"torch": "2.13.0", "device": "cpu"},
        command=("dreamactor", "score", name),
    )


def sha(text: str) -> str:
    """sha256 of a text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _score(metric: Sequence, quality: float, rng: np.random.Generator, missing_faces: int) -> Score:
    protocol, name, label, unit, direction, level, spread, signature = metric
    sign = {"higher": 1.0, "lower": -1.0, "none": 0.0}[direction]
    head = (protocol, name, label, unit, direction, signature)
    if name == "fvd":
        value = level - 12.0 * quality + float(rng.normal(0, 0.5))
        extra = {"extrapolated": value - 6.5, "jackknife_se": 4.0}
        return Score(*head, value, (value - 7.84, value + 7.84), "jackknife over 12 clips", 12, 24, extra=extra)
    shared = np.random.default_rng([7, *name.encode()]).normal(0, spread, len(CLIPS))  # hard clips are hard for all
    values = level + shared + sign * quality * spread * 0.5 + rng.normal(0, spread / 6, len(CLIPS))
    found = {clip: float(value) for clip, value in zip(CLIPS, values, strict=True)}
    lost = missing_faces if name == "csim" else 0
    per_clip = {clip: None if number < lost else value for number, (clip, value) in enumerate(found.items())}
    seen = [value for value in per_clip.values() if value is not None]
    mean, half = float(np.mean(seen)), float(1.96 * np.std(seen, ddof=1) / math.sqrt(len(seen)))
    coverage = len(seen) / len(CLIPS)
    return Score(
        *head, mean, (mean - half, mean + half), "bootstrap over 12 clips, 2000 draws, seed 0, percentile",
        len(seen), len(seen) * FRAMES, coverage, imputed=mean * coverage if name == "csim" else None, per_clip=per_clip,
    )  # fmt: skip


def _floors() -> tuple[Row, ...]:
    def row(name: str, values: dict[str, float]) -> Row:
        found = []
        for protocol, metric, label, unit, direction, _, _, signature in METRICS:
            if protocol == "dreamactor-v1" and metric in values:
                per_clip = None if metric == "fvd" else {clip: values[metric] for clip in CLIPS}
                found.append(
                    Score(protocol, metric, label, unit, direction, signature, values[metric], n_clips=12, n_samples=24,
                          per_clip=per_clip)
                )  # fmt: skip
        return Row(name, tuple(found))

    return (
        row("codec", {"psnr": 39.5, "ssim": 0.981, "lpips_alex": 0.02, "fvd": 23.4, "csim": 0.99}),
        row("static", {"psnr": 17.1, "ssim": 0.61, "lpips_alex": 0.45, "fvd": 810.0}),
        row("halves", {"fvd": 62.0}),
    )


def _clip(name: str, method: str) -> dict[str, object]:
    return {
        "name": name, "generated": f"../films/{method}/{name}.mp4", "real": f"../films/real/{name}.mp4",
        "reference": f"../films/reference/{name}.png", "driving": None, "frames": FRAMES, "fps": f"{FPS}/1",
        "size": [SIDE, SIDE],
    }  # fmt: skip


def write_fake_runs(folder: Path, *, films: int = 0) -> list[Path]:
    """Folders of the runs: ours (seeds 0 and 1), warp, still; the first `films` clips get real films."""
    runs = [
        fake_run("ours", 2.0, 0, films=films),
        fake_run("ours", 2.0, 1, films=films),
        fake_run("warp", 1.7, 0, missing_faces=3, films=films),
        fake_run("still", 0.0, 0, films=films),
    ]
    paths = []
    for run in runs:
        path = folder / f"{run.name}-{run.seed}"
        path.mkdir(parents=True)
        write_run(run, path / "scores.json")
        _write_long_table(path / "clips.csv", run)
        paths.append(path)
    if films:
        _write_films(folder / "films", CLIPS[:films])
    return paths


def _write_long_table(path: Path, run: Run) -> None:
    """clips.csv: PSNR of each frame, falling with time."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("clip", "frame", "protocol", "metric", "value"))
        for score in run.scores:
            if score.name == "psnr" and score.protocol == "dreamactor-v1":
                for clip, value in score.per_clip.items():
                    for frame in range(FRAMES):
                        noise = math.sin(frame * 1.7 + len(clip))
                        writer.writerow((clip, frame, score.protocol, score.name, value + 2 - frame / 9 + noise))


def _write_films(folder: Path, clips: Sequence[str]) -> None:
    from stages.media import ai_mark, write_png, write_video

    for place, jitter in (("real", 0), ("ours", 1), ("warp", 3), ("still", None)):
        (folder / place).mkdir(parents=True)
        for number, clip in enumerate(clips):
            frames = [picture(number, 0 if jitter is None else frame, jitter or 0) for frame in range(FRAMES)]
            mark = None if place == "real" else ai_mark(what="a test")
            write_video(folder / place / f"{clip}.mp4", frames, Fraction(FPS), metadata=mark)
    (folder / "reference").mkdir()
    for number, clip in enumerate(clips):
        write_png(folder / "reference" / f"{clip}.png", picture(number, 0, 0))


def picture(clip: int, frame: int, jitter: int) -> np.ndarray:
    """uint8 [96, 96, 3]: a disc on a circle and a bar that shows the frame number, `jitter` px off."""
    rng = np.random.default_rng([clip, frame, jitter])
    y, x = np.mgrid[:SIDE, :SIDE]
    angle = 2 * math.pi * frame / FRAMES + clip
    dx, dy = rng.integers(-jitter, jitter + 1, 2)
    centre_x, centre_y = SIDE / 2 + 24 * math.cos(angle) + dx, SIDE / 2 + 24 * math.sin(angle) + dy
    image = np.empty((SIDE, SIDE, 3), np.uint8)
    image[:] = np.stack([60 + x, 70 + y, np.full_like(x, 90 + 8 * (clip % 8))], -1).clip(0, 255)
    image[(x - centre_x) ** 2 + (y - centre_y) ** 2 < 15**2] = np.random.default_rng(clip).integers(120, 255, 3)
    image[SIDE - 6 :, : int(SIDE * (frame + 1) / FRAMES)] = 255
    return image
