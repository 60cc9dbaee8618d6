"""docs/ablations.md and its pictures, written from what bench_ablations.py measured and from nothing else."""

import io
import textwrap

import numpy as np
from ablation_scores import METRICS, SHIPPED, load_case, variants

_TITLES = {
    "again": "The base once more",
    "no-face": "No face tokens", "no-sphere": "No sphere", "velocity": "Velocity instead of x-prediction",
    "at-once": "All at once instead of three stages", "landmarks": "Landmark drawing instead of implicit tokens",
    "three-references": "Three references instead of one", "no-bones": "No bone adjustment",
}  # fmt: skip
_SAYS = {
    "again": "No ablation: the same run from the next seed. How far it lies from the base is how far two trainings of "
    "one thing lie apart, so a smaller difference below is not an ablation's doing, whatever its interval over clips.",
    "no-face": "Face attention sees no token; the steps of stage 2, which trains nothing else, go to all of it. The "
    "expression still arrives on the carried photo. The shipped model was trained to go without tokens (10% of the "
    "items), so it is shown without them too; without the carried expression it was not trained last, which "
    "disfavours those rows.",
    "no-sphere": "The sphere's three channels are black, of the video and of the references.",
    "velocity": "The last layer gives the velocity, and the loss is on it, as in the paper; the flow is the same.",
    "at-once": "Stage 3 from the first step on; clip lengths, clips a step and steps as in the base. The face encoder "
    "is the same trained one in all runs, so only the transformer's stages are ablated.",
    "landmarks": "No tokens; the driver's 68 true face points, moved and scaled with the head but not fitted to the "
    "other face, are drawn over the sphere map; of the references their own. At 128 px a head of a full-body picture "
    "is about ten pixels wide, so there the drawing is a blot.",
    "three-references": "No training of its own: the same networks are shown one reference or three (all were trained "
    "with one to three).",
    "no-bones": "No training of its own: the driver's bones are used as they are, at the reference's overall size "
    "(`render-spheres --no-retarget`). Cross-identity only; self-driven every ratio is 1. The adjustment pulls each "
    "bone's ratio towards the overall one, because a single photo measures a bone only roughly, so it takes away part "
    "of the difference and not all of it even where, as here, both people are known exactly.",
}
_DIGITS = {"psnr_db": 2, "ssim": 3, "lpips_alex": 3, "head_error": 1, "face_error": 1, "expression_error": 2}
_PICTURES = "pictures/ablations"
_LARGEST_BYTES = 60_000
_COLUMNS = 120


def write_page(result, work, docs):
    """Write docs/ablations.md and docs/pictures/ablations/*.jpg."""
    runs = [name for name in result["settings"]["runs"].split(",") if name]
    made = [variant for variant in variants(runs) if variant.name in result["compared"]]
    sections = []
    for title in _TITLES:
        ours = [variant for variant in made if variant.section == title]
        trained = title in ("three-references", "no-bones") or title in runs
        sections.append(_section(title, ours, result, work, docs, trained) if ours else _missing(title))
    head = [_head(result, runs), _levels(result), _summary(made, result)]
    (docs / "ablations.md").write_text(_wrapped("\n\n".join(head + sections)) + "\n")


def _wrapped(text):
    """The page with its paragraphs and list items broken at 120 columns; tables, code and pictures stay as they are."""
    out, code = [], False
    for block in text.split("\n"):
        code ^= block.startswith("```")
        if code or len(block) <= _COLUMNS or block.startswith(("|", "!")):
            out.append(block)
        else:
            out.append(textwrap.fill(block, _COLUMNS, subsequent_indent="  " if block.startswith("- ") else "",
                                     break_long_words=False, break_on_hyphens=False))  # fmt: skip
    return "\n".join(out)


def _head(result, runs):
    settings, model = result["settings"], result["model"]
    phases = "; ".join(
        f"stage {p['stage']}, {p['share']:.0%} of the steps, "
        + " or ".join(f"{size} {_of(frames)}" for frames, size in zip(p["frames"], p["batch"], strict=True))
        for p in result["phases"]
    )
    note = " " + settings["note"] if settings["note"] else ""
    seconds = ", ".join(f"{name} {result['cpu_s'][name]:.0f}" for name in runs) or "none yet"
    count = {kind: sum(name.startswith(kind) for name in result["clips"]) for kind in ("self", "cross")}
    first = settings["first"]
    width, depth, steps, every = model["width"], model["depth"], settings["steps"], settings["every"]
    encoder, seeds = settings["encoder"].rsplit("/", 1)[-1], f"{first} to {first + count['self'] - 1}"
    material = (
        f"One in {every} of the prepared takes of the training split below number {settings['below']}. VAE (the "
        f"shipped one) and face encoder (`{encoder}`) are the same in all. "
        f"CPU seconds on one shared core: {seconds}.{note}"
    )
    return f"""# Ablations

The ablations that the paper only drew, each at the same small budget, on the same people whom no network saw.
**A small budget does not settle these questions**: it says what a signal is worth after {steps} steps of a transformer
of width {width} and depth {depth}, not after a full training. Where an interval includes zero, nothing was shown.
Differences are *ablated minus base*, paired over clips, with 95% bootstrap intervals over clips; bold where the
interval excludes zero. With so many intervals some exclude zero by chance. One training seed each; what another seed
does is the first section.

- Training: from nothing, {steps} steps, seed {settings["seed"]}, the same batches in every run. A step \
holds, in {phases}. {material}
- Films: 17 frames at 128x128, {settings["sampler_steps"]} sampler steps, no guidance, **without the compositor** \
(the VAE's pictures), so that what is compared is the transformer. The shipped model is measured in the same way, \
where no training is needed.
- Clips: {count["self"]} self-driven and {count["cross"]} cross-identity, test seeds {seeds}, framings in turn; \
controls from exact truth, nothing extracted.
- Numbers: PSNR, SSIM and LPIPS of whole frames (LPIPS of every fourth); mean absolute error in the true head disc and \
around the true eyes and mouth; mean error of 52 expression weights as the shipped encoder reads them from result and \
truth, which of all 52 are little but jaw and lids: over all true films together its readings vary by 1.1 (standard \
deviation, x100), so an error of 0.9 is nearly that of reading nothing. The last two only where the true head has a \
radius of 9 px or more and faces the camera.

```
{_command(settings)}
```"""


def _of(frames):
    """What a batch holds, by the frames of its clips."""
    return {0: "single frames cut to the head", 1: "single frames"}.get(frames, f"clips of {frames} frames")


def _command(settings):
    shown = ["every", "below", "steps", "runs", "per_framing", "first", "seed", "sampler_steps"]
    rest = " ".join(f"--{name.replace('_', '-')} {settings[name] or repr('')}" for name in shown)
    return (
        "python tests/bench/bench_ablations.py --work WORK --prepared PREPARED --pool POOL --mocap MOTION.npz \\\n"
        f"  {rest} \\\n  --encoder FACE.safetensors --page docs"
    )


_PENDING = "**Not measured yet**: its run is not finished; the same command with `--runs base,{}` goes on."


def _missing(title):
    return f"## {_TITLES[title]}\n\n{_SAYS[title]}\n\n{_PENDING.format(title)}"


def _levels(result):
    """Where the bases stand beside films that need no network."""
    named = {"held": "the reference held still", "carried": "the carried photo as it is", "base": "small base",
             SHIPPED: "shipped model"}  # fmt: skip
    shown, kinds = ("psnr_db", "ssim", "lpips_alex", "head_error"), ("self", "cross")
    says = {"self": "self-driven", "cross": "cross-identity"}
    columns = [f"{METRICS[metric][0].split(',')[0]}, {says[kind]}" for kind in kinds for metric in shown]
    lines = ["| means over clips | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for name in (name for name in named if name in result["rows"]):
        rows, cells = result["rows"][name], []
        for kind in kinds:
            for metric in shown:
                mean = np.mean([numbers[metric] for clip, numbers in rows.items() if clip.startswith(kind)])
                cells.append(f"{mean:.{_DIGITS[metric]}f}")
        lines.append("| " + " | ".join([named[name], *cells]) + " |")
    return "\n".join(lines)


def _summary(made, result):
    """One table of all comparisons: the differences of three numbers."""
    shown, kinds = ("psnr_db", "lpips_alex", "head_error"), {"self": "self-driven", "cross": "cross-identity"}
    columns = [f"{METRICS[metric][0].split(',')[0]}, {says}" for says in kinds.values() for metric in shown]
    lines = ["| ablated minus base | " + " | ".join(columns) + " |", "|---" * (1 + len(columns)) + "|"]
    for variant in (one for title in _TITLES for one in made if one.section == title):
        tables = result["compared"][variant.name]
        cells = [
            _cells(tables[kind][metric], _DIGITS[metric])[2] if kind in tables else ""
            for kind in kinds for metric in shown
        ]  # fmt: skip
        lines.append("| " + " | ".join([f"{_TITLES[variant.section]}: {_lowered(variant.says)}", *cells]) + " |")
    return "\n".join(lines)


def _lowered(text):
    return text[0].lower() + text[1:]


def _section(title, ours, result, work, docs, trained):
    parts = [f"## {_TITLES[title]}", _SAYS[title]]
    if not trained:
        parts.append(_PENDING.format(title))
    if title == "no-bones":
        parts.append(_skeletons(result["skeletons"]))
    for variant in ours:
        spread = result["compared"].get("again") if variant.against == "base" and title != "again" else None
        parts += [f"{variant.says}:", _table(result["compared"][variant.name])]
        parts.append(_verdict(result["compared"][variant.name], spread if variant.run != "base" else None))
    shown = next((variant for variant in ours if variant.run == title), ours[-1])
    picture = f"{_PICTURES}/{title}.jpg"
    labels = _strip(shown, result, work, docs / picture)
    parts += [
        f"![{_TITLES[title]}]({picture})",
        f"*{shown.says}: first portrait and first half body, last frame: {', '.join(labels)}.*",
    ]
    return "\n\n".join(parts)


def _table(compared):
    kinds = list(compared)
    says = {"self": "self-driven", "cross": "cross-identity"}
    lines = [
        "| | " + " | ".join(f"{says[kind]}: base | ablated | difference (95%) | N" for kind in kinds) + " |",
        "|---" * (1 + 4 * len(kinds)) + "|",
    ]
    for metric, (title, better) in METRICS.items():
        cells = [f"{title}, {better} is better"]
        for kind in kinds:
            cells += _cells(compared[kind][metric], _DIGITS[metric])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(found, digits):
    if found["base"] is None:
        return ["", "", "not measurable", "0"]
    text = f"{found['mean']:+.{digits}f}"
    if found["low"] is not None:
        text += f" ({found['low']:+.{digits}f} to {found['high']:+.{digits}f})"
        text = f"**{text}**" if excludes_zero(found) else text
    return [f"{found['base']:.{digits}f}", f"{found['ablated']:.{digits}f}", text, str(found["n"])]


def excludes_zero(found):
    """The interval is there and lies on one side of zero."""
    return found["low"] is not None and not found["low"] <= 0.0 <= found["high"]


def _verdict(compared, spread=None):
    """One sentence for each kind of clips: what is shown and in which direction, and that the rest is not.

    spread  the comparison of two runs of the base: what is no larger than its interval reaches is put down to the seed
    """
    sentences = []
    for kind, table in compared.items():
        shown = {"better": [], "worse": [], "different, but no more than another seed may be": []}
        better, worse, seed = shown
        for metric, found in table.items():
            if excludes_zero(found):
                up = METRICS[metric][1] == "higher"
                how = better if (found["mean"] > 0) == up else worse
                how = seed if spread and abs(found["mean"]) <= reach(spread[kind][metric]) else how
                shown[how].append(METRICS[metric][0].split(",")[0])
        said = [f"{', '.join(names)} {how}" for how, names in shown.items() if names]
        where = {"self": "Self-driven", "cross": "Cross-identity"}[kind]
        rest = "every other interval includes zero" if said else "every interval includes zero: no difference is shown"
        rest = "" if len(table) == sum(map(len, shown.values())) else rest
        sentences.append(f"{where}: {'; '.join(part for part in [*said, rest] if part)}.")
    return " ".join(sentences)


def reach(found):
    """How far from zero the interval of a difference goes; 0 where there is none."""
    return max(abs(found["low"]), abs(found["high"])) if found["low"] is not None else 0.0


def _skeletons(table):
    columns = "skeleton against the truth on the reference's person | adjusted | driver's bones | difference (95%) | N"
    lines = [f"| {columns} |", "|---|---|---|---|---|"]
    for name, title in (("joint_error", "joints, % of height"), ("bone_error", "bone lengths, %")):
        lines.append("| " + " | ".join([title, *_cells(table[name], 2)]) + " |")
    return "\n".join(lines)


def _strip(variant, result, work, path):
    """Write two rows of one clip each, the first portrait and the first half body; the labels of the columns.

    Self-driven above and cross-identity below, or cross-identity in both where there is nothing else.
    """
    from PIL import Image

    from stages.media.sheet import contact_sheet

    kinds = ("cross", "cross") if variant.free_bones else ("self", "cross")
    rows = []
    for row, kind in enumerate(kinds):
        name = [clip for clip in result["clips"] if clip.startswith(kind)][row]
        case = load_case(work / "cases" / f"{name}.npz")
        shown = ("maps", "free_maps") if variant.free_bones else ("marked" if variant.name == "landmarks" else "maps",)
        controls = [np.maximum(case[maps][-1][..., :3], case[maps][-1][..., 3:]) for maps in shown]
        films = [np.load(work / "films" / which / f"{name}.npy") for which in (variant.against, variant.name)]
        rows.append([case["refs"][0], *controls, *films, case["truth"][-1]])
    labels = ["reference", "controls", "base", "other seed" if variant.name == "again" else "ablated", "truth"]
    if variant.free_bones:
        labels = ["reference", "adjusted", "driver's bones", "film, adjusted", "film, driver's", "truth"]
    elif variant.references > 1:
        labels = ["reference", "controls", "one", "three", "truth"]
    picture = Image.fromarray(contact_sheet(rows, labels, cell_height_px=160))
    path.parent.mkdir(parents=True, exist_ok=True)
    for quality in (90, 80, 70, 60):
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality)
        if buffer.tell() < _LARGEST_BYTES:
            break
    path.write_bytes(buffer.getvalue())
    return labels
