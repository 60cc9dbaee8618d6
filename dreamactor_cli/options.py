"""The flags every stage command has, as one table of types; each command names them in its signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

_COMMON = "Common flags"

Videos = Annotated[list[str], typer.Argument(metavar="INPUT...|-", help="Videos or photos; - reads names from stdin.")]
Bundles = Annotated[list[str], typer.Argument(metavar="BUNDLE...|-", help="Bundles; - reads names from stdin.")]
Output = Annotated[str | None, typer.Option("--output", "-o", help="Where to write, for exactly one input.")]
OutputDir = Annotated[
    str | None, typer.Option("--output-dir", help="Folder for derived names, for any number of inputs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON record a line instead of names.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what was made with other settings.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
Debug = Annotated[bool, typer.Option("--debug", help="Say even more, with tracebacks.")]
Seed = Annotated[int, typer.Option(help="Decides every random choice; the same seed gives the same result.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
FaceDriver = Annotated[str, typer.Option(metavar="BUNDLE", help="Whose face is taken; none = the body's own.")]
HeadDriver = Annotated[str, typer.Option(metavar="BUNDLE", help="Whose head turns are taken; none = the body's own.")]
FaceOffset = Annotated[float, typer.Option(help="Second of the face's driver at which the clip begins.")]
HeadOffset = Annotated[float, typer.Option(help="Second of the head's driver at which the clip begins.")]
FaceSpeed = Annotated[float, typer.Option(help="Seconds of the face's driver for each of the clip's.")]
HeadSpeed = Annotated[float, typer.Option(help="Seconds of the head's driver for each of the clip's.")]
HeadStrength = Annotated[
    float, typer.Option(help="How far the head turns from the photo's: 0 = locked, 1 = as the driver, more = more.")
]
BodyStrength = Annotated[
    float, typer.Option(help="How far the body moves from the photo's pose: 0 = locked, 1 = as the driver.")
]
Beyond = Annotated[str, typer.Option(help="Where a driver has ended: hold, loop, or cut the clip.")]


@dataclass(frozen=True)
class Flags:
    """The values of the common flags of one call."""

    output: str | None = None
    output_dir: str | None = None
    json: bool = False
    dry_run: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
