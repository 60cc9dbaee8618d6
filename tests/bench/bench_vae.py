"""Measures what is left of a picture that goes through the model's VAE: photos, people it never saw, and their motion.

    python tests/bench/bench_vae.py --photos FOLDER --people 8 --sheet vae.png

Photos (every picture below --photos, cut to a middle square and brought to the model's size) go through as clips of one
frame, synthetic people (validation split) as films of 17. PSNR in dB, SSIM (7x7 window, data range 255), LPIPS alex and
vgg, each per frame, mean over frames, then over pictures with a 95% interval; `change` is how much neighbouring frames
differ over how much the true ones do. Beside it `bicubic`: the same pictures through a reduction to a quarter of the
side and back, to have a scale. --optimise N searches the latents of each photo themselves, N steps from what the
encoder gave: what the decoder could show if the encoder were perfect.
"""

import argparse
import json
from pathlib import Path

import numpy as np

FRAMES = 17
_KINDS = (".jpg", ".jpeg", ".png")


def photos(folder, size):
    """{name: uint8 [1, size, size, 3]} of all pictures below a folder."""
    from PIL import Image

    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix.lower() in _KINDS:
            picture = Image.open(path).convert("RGB")
            side = min(picture.size)
            left, top = ((length - side) // 2 for length in picture.size)
            picture = picture.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.LANCZOS)
            found[path.stem] = np.asarray(picture)[None]
    return found


def people(count, first, size):
    """{seed: uint8 [17, size, size, 3]} of synthetic people."""
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    studio = Studio(load_assets(), size)
    return {str(seed): studio.clip(seed, frames=FRAMES).frames_u8 for seed in range(first, first + count)}


def bicubic(frames):
    """The frames through a quarter of their side."""
    from PIL import Image

    size = frames.shape[2], frames.shape[1]
    small = (Image.fromarray(x).resize((size[0] // 4, size[1] // 4), Image.Resampling.LANCZOS) for x in frames)
    return np.stack([np.asarray(x.resize(size, Image.Resampling.BICUBIC)) for x in small])


def searched(vae, frames, steps):
    """The frames shown from latents that were searched for them by Adam on the squared error."""
    import torch

    from stages.model.vae import frames_pm1

    video = frames_pm1(frames).transpose(0, 1)[None]
    with torch.no_grad():
        latents = vae.encode(video)
    latents.requires_grad_()
    optimiser = torch.optim.Adam([latents], 0.03)
    for _ in range(steps):
        optimiser.zero_grad()
        (vae.decode(latents) - video).square().mean().backward()
        optimiser.step()
    with torch.no_grad():
        shown = vae.decode(latents)[0].permute(1, 2, 3, 0).clamp(-1, 1)
    return ((shown + 1) * 127.5).round().to(torch.uint8).numpy()


def scores(result, truth):
    """The measures of one picture or film."""
    from skimage.metrics import structural_similarity

    from stages.metrics.nets.perceptual import load_perceptual

    pairs = list(zip(result, truth, strict=True))
    error = np.maximum(((result.astype(float) - truth) ** 2).mean((1, 2, 3)), 1e-6)
    values = {
        "psnr_db": float((10 * np.log10(255**2 / error)).mean()),
        "ssim": float(np.mean([structural_similarity(a, b, channel_axis=2) for a, b in pairs])),
    }
    for net in ("alex", "vgg"):
        values[f"lpips_{net}"] = float(np.mean([load_perceptual(net).distance(a, b) for a, b in pairs[::4]]))
    if len(truth) > 1:
        change = [np.abs(np.diff(x.astype(float), axis=0)).mean() for x in (result, truth)]
        values["change"] = float(change[0] / change[1])
    return values


def table(name, clips, methods):
    """Print one line a method, and give back {method: {measure: [mean, low, high]}}."""
    from stages.metrics.statistics import bootstrap_interval

    summary = {}
    print(f"{name}, N={len(clips)}")
    for method, show in methods.items():
        rows = {key: scores(show(frames), frames) for key, frames in clips.items()}
        summary[method] = {"each": rows}
        line = f"  {method:9s}"
        for measure in next(iter(rows.values())):
            values = np.array([row[measure] for row in rows.values()])
            low, high = bootstrap_interval(values)[0] or (np.nan, np.nan)
            summary[method][measure] = [float(values.mean()), low, high]
            line += f"  {measure} {values.mean():.3f} ({low:.3f} to {high:.3f})"
        above = np.mean([row["psnr_db"] >= 30 for row in rows.values()])
        print(f"{line}  at 30 dB or more: {above:.0%}", flush=True)
    return summary


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="default")
    parser.add_argument("--photos", default="")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--first", type=int, default=500_000, help="seed of the first person; validation: 500000 up")
    parser.add_argument("--optimise", type=int, default=0, metavar="STEPS")
    parser.add_argument("--sheet", default="", help="PNG: photo, result; leave real people's faces where they are")
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()

    from stages.core.device import pick_device
    from stages.media import contact_sheet, write_png
    from stages.model.animator import Animator

    animator = Animator.load(arguments.model, pick_device("auto"))

    def through(frames):
        return np.concatenate(list(animator.decode(animator.encode(frames))))

    methods = {"vae": through, "bicubic": bicubic}
    result = {}
    if arguments.photos:
        found = photos(arguments.photos, animator.config.size)
        more = {"searched": lambda x: searched(animator.vae, x, arguments.optimise)} if arguments.optimise else {}
        result["photos"] = table("photos", found, {**methods, **more})
        if arguments.sheet:
            cells = [picture for frames in found.values() for picture in (frames[0], through(frames)[0])]
            write_png(arguments.sheet, contact_sheet([cells[n : n + 8] for n in range(0, len(cells), 8)],
                                                     ["photo", "VAE"] * 4, cell_height_px=128))  # fmt: skip
    if arguments.people:
        clips = people(arguments.people, arguments.first, animator.config.size)
        result["people"] = table("people", clips, methods)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
