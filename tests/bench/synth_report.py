"""Pictures and figures of the synthetic people for docs/synthetic-data.md, of random seeds, never of picked ones.

python tests/bench/synth_report.py sheet --framing half --out half.jpg     100 clips, one random frame of each
python tests/bench/synth_report.py lineup --out lineup.jpg                 20 people, full body and face
python tests/bench/synth_report.py pairs --out pairs.jpg                   the same motion on another person
python tests/bench/synth_report.py statistics --clips 300 > figures.md     what is in the clips, as tables
"""

import argparse
from collections import Counter
from dataclasses import replace

import numpy as np
from PIL import Image

from stages.core.skeleton import BODY_JOINTS
from stages.synthetic.assets import Assets, load_assets
from stages.synthetic.clip import Studio, SyntheticClip
from stages.synthetic.seeds import ClipSeeds, clip_seed, partner_seed

FRAMINGS = ("portrait", "half", "full")
QUANTILES = (5, 25, 50, 75, 95)


def sheet(assets: Assets, options: argparse.Namespace) -> np.ndarray:
    """One frame of each clip at a random time, in rows."""
    studio = Studio(assets, options.size)
    pictures = [
        studio.clip(clip_seed(options.split, options.seed + number), frames=1, framing=options.framing).frames_u8[0]
        for number in range(options.clips)
    ]
    return _grid(pictures, options.columns)


def lineup(assets: Assets, options: argparse.Namespace) -> np.ndarray:
    """People of consecutive seeds at the same moment, camera, light and background: above whole, below their heads."""
    studio = Studio(assets, options.size)
    common = ClipSeeds.of(clip_seed(options.split, options.seed))
    rows = []
    for framing in ("full", "portrait"):
        for number in range(20):
            seeds = replace(common, identity=clip_seed(options.split, options.seed + number))
            rows.append(studio.clip(seeds, frames=1, framing=framing, style="idle").frames_u8[0])
    return _grid(rows, 10)


def pairs(assets: Assets, options: argparse.Namespace) -> np.ndarray:
    """For each of six clips: four frames of one person, below them the same of another."""
    studio = Studio(assets, options.size)
    cells = []
    for number in range(0, 6, 2):
        for other in (False, True):
            row = []
            for seed in (clip_seed(options.split, options.seed + number + k) for k in range(2)):
                seeds = ClipSeeds.of(seed)
                made = studio.clip(seeds.with_identity(partner_seed(seed)) if other else seeds, frames=37)
                row += list(made.frames_u8[::12])
            cells += row
    return _grid(cells, 8)


def statistics(assets: Assets, options: argparse.Namespace) -> str:
    """Markdown tables over random clips of the split."""
    studio = Studio(assets, 64)
    clips = [studio.clip(clip_seed(options.split, options.seed + n), frames=6, fps=3.0) for n in range(options.clips)]
    lines = [f"{len(clips)} clips of 6 frames at 3 frames/s, split {options.split}, seeds from {options.seed}.", ""]
    shares = {
        "framing": [clip.framing for clip in clips],
        "motion": [clip.style.split()[0] for clip in clips],
        "background": [clip.background for clip in clips],
        "sex": ["male" if clip.about.male else "female" for clip in clips],
        "outfit": [clip.about.outfit for clip in clips],
        "hair": [clip.about.hair or "none" for clip in clips],
    }
    for name, values in shares.items():
        counted = Counter(values).most_common()
        lines.append(f"- {name}: " + ", ".join(f"{word} {count / len(values):.0%}" for word, count in counted))
    torso = np.concatenate([_torso_yaw_deg(clip) for clip in clips])
    head = np.concatenate([_head_deg(clip) for clip in clips])
    angles = {
        "body turned from the camera (deg, absolute)": np.abs(torso),
        "head yaw against the camera (deg, absolute)": np.abs(head[:, 0]),
        "head pitch (deg)": head[:, 1],
        "gaze yaw against the head (deg)": np.degrees(np.concatenate([clip.gaze_rad[:, 0] for clip in clips])),
        "age (years)": np.array([clip.about.age_years for clip in clips]),
        "height (m)": np.array([clip.height_m for clip in clips]),
        "head radius (share of the picture)": np.concatenate([clip.head_radius_px / 64 for clip in clips]),
    }
    lines += ["", "| | " + " | ".join(f"{q}%" for q in QUANTILES) + " |", "|---" * (len(QUANTILES) + 1) + "|"]
    for name, values in angles.items():
        cells = " | ".join(f"{value:.3g}" for value in np.percentile(values, QUANTILES))
        lines.append(f"| {name} | {cells} |")
    lines += ["", "| joints in the picture (seen, not hidden) | portrait | half | full |", "|---|---|---|---|"]
    for joint in ("nose", "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle"):
        lines.append(f"| {joint.replace('left_', '')} | " + " | ".join(_seen(clips, f, joint) for f in FRAMINGS) + " |")
    expression = np.concatenate([clip.expression for clip in clips])
    viseme = np.concatenate([clip.viseme for clip in clips])
    order = np.argsort(-expression.mean(0))
    lines += ["", "| expression | mean | above 0.5 |", "|---|---|---|"]
    for unit in order[:15]:
        values = expression[:, unit]
        lines.append(f"| {assets.arkit_names[unit]} | {values.mean():.3f} | {(values > 0.5).mean():.1%} |")
    speaking = (viseme[:, 1:].max(1) > 0.1).mean()
    lines += [
        "",
        f"Speaking in {speaking:.0%} of the frames; {(expression.max(1) > 0.7).mean():.0%} have a unit above 0.7.",
    ]
    return "\n".join(lines)


def credits(assets: Assets) -> str:
    """Every asset that a picture may show, as a Markdown table."""
    rows = sorted({(credit.asset, credit.licence, credit.author) for credit in assets.credits.values()})
    return "\n".join(["| asset | licence | author |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in rows)])


def _torso_yaw_deg(clip: SyntheticClip) -> np.ndarray:
    left, right = (clip.joints_m[:, BODY_JOINTS.index(f"{side}_shoulder")] for side in ("left", "right"))
    across = left - right
    return np.degrees(np.arctan2(across[:, 2], across[:, 0]))


def _head_deg(clip: SyntheticClip) -> np.ndarray:
    """Yaw and pitch of the head against the camera, f64 [T, 2]."""
    forward = -clip.R_cam_head[:, :, 2]
    yaw = np.degrees(np.arctan2(forward[:, 0], -forward[:, 2]))
    return np.stack([yaw, np.degrees(np.arcsin(np.clip(-forward[:, 1], -1, 1)))], 1)


def _seen(clips: list[SyntheticClip], framing: str, joint: str) -> str:
    chosen = [clip for clip in clips if clip.framing == framing]
    if not chosen:
        return "-"
    at = BODY_JOINTS.index(joint)
    places = np.concatenate([clip.joints_px[:, at] for clip in chosen])
    inside = ((places >= -0.5) & (places < 63.5)).all(1).mean()
    return f"{inside:.0%} ({np.concatenate([clip.joint_visible[:, at] for clip in chosen]).mean():.0%})"


def _grid(pictures: list[np.ndarray], columns: int) -> np.ndarray:
    empty = np.full_like(pictures[0], 255)
    padded = pictures + [empty] * (-len(pictures) % columns)
    return np.concatenate([np.concatenate(padded[at : at + columns], 1) for at in range(0, len(padded), columns)])


def main() -> None:
    """Write one picture, or print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("sheet", "lineup", "pairs", "statistics", "credits"))
    parser.add_argument("--framing", default="mix", choices=("mix", *FRAMINGS))
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=0, help="number of the first clip within the split")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--columns", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--shown", type=int, default=0, help="side of a picture on the sheet; 0 = as made")
    parser.add_argument("--assets", default="full")
    parser.add_argument("--out", default="sheet.jpg")
    options = parser.parse_args()
    assets = load_assets(options.assets)
    if options.what in ("statistics", "credits"):
        print(statistics(assets, options) if options.what == "statistics" else credits(assets))
        return
    image = Image.fromarray({"sheet": sheet, "lineup": lineup, "pairs": pairs}[options.what](assets, options))
    if options.shown:
        scale = options.shown / options.size
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    image.save(options.out, quality=88)


if __name__ == "__main__":
    main()
