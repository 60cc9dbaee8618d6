"""dreamactor extract-pose VIDEO...|-"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.runner import run_stage
from stages import extract_pose
from stages.extract_pose import Params


def command(
    inputs: options.Videos,
    backend: Annotated[str, typer.Option(help="mediapipe, rtmlib; openpose or smplx read points.")] = Params.backend,
    person: Annotated[str, typer.Option(help="largest, center, left, right, or a number.")] = Params.person,
    max_side: Annotated[int, typer.Option(help="Larger pictures are scaled down to this, px.")] = Params.max_side,
    fps: Annotated[str, typer.Option(help="Another frame rate, such as 24 or 30000/1001.")] = Params.fps,
    start: Annotated[float, typer.Option(help="First second that is used.")] = Params.start,
    duration: Annotated[float, typer.Option(help="Seconds from there; 0 = to the end.")] = Params.duration,
    smooth: Annotated[bool, typer.Option(help="Remove jitter; raw tracks are kept either way.")] = Params.smooth,
    threads: Annotated[int, typer.Option(help="CPU threads; changes no result.")] = Params.threads,
    points: Annotated[str, typer.Option(help="Finished points of the input video (openpose, smplx).")] = Params.points,
    weights: Annotated[
        str, typer.Option(help="Folder of .tflite files; none = fetched once by name.")
    ] = Params.weights,
    rtm_detector: Annotated[str, typer.Option(help="ONNX file of rtmlib's detector.")] = Params.rtm_detector,
    rtm_pose: Annotated[str, typer.Option(help="ONNX file of rtmlib's pose network.")] = Params.rtm_pose,
    rtm_dims: Annotated[int, typer.Option(help="2 or 3: which of rtmlib's pose networks.")] = Params.rtm_dims,
    smplx_model: Annotated[str, typer.Option(help="Your SMPLX_*.npz.")] = Params.smplx_model,
    device: Annotated[str, typer.Option(help="Of rtmlib: cpu, cuda, cuda:N or mps.")] = Params.device,
    output: options.Output = None,
    output_dir: options.OutputDir = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    dry_run: options.DryRun = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Begin a bundle: the clip and the person in it. clip.mp4 gives clip.zarr in the current folder."""
    params = Params(
        backend=backend,
        person=person,
        max_side=max_side,
        fps=fps,
        start=start,
        duration=duration,
        smooth=smooth,
        threads=threads,
        points=points,
        weights=weights,
        rtm_detector=rtm_detector,
        rtm_pose=rtm_pose,
        rtm_dims=rtm_dims,
        smplx_model=smplx_model,
        device=device,
        overwrite=overwrite,
    )
    flags = options.Flags(
        output, output_dir if output else output_dir or os.curdir, as_json, dry_run, quiet, verbose, debug
    )
    run_stage(extract_pose, inputs, params, flags, namer=_bundle_name)


def _bundle_name(item: str) -> str:
    return os.path.splitext(os.path.basename(item.rstrip("/")))[0] + ".zarr"
