"""dreamactor score audit GENERATED... --real REAL --published "fvd=1183,psnr=29.7" """

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from dreamactor_cli import options
from dreamactor_cli.console import Console
from dreamactor_cli.runner import guarded


def command(
    inputs: Annotated[list[str], typer.Argument(metavar="GENERATED...", help="The films the number was made from.")],
    published: Annotated[
        str, typer.Option(metavar="WORD=NUMBER,...", help='The numbers as they were printed: "fvd=1183,psnr=29.7".')
    ],
    real: Annotated[str, typer.Option(help="The real films: same kinds, same names.")] = "",
    reference: Annotated[str, typer.Option(help="Photo, folder of photos, or frame:N of the real film.")] = "",
    rows: Annotated[int, typer.Option(help="Conventions shown of each number, besides all that match.")] = 8,
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Find the convention behind a published number: tries every protocol and variant on given films, nearest first.

    Exit 8 when no convention gives a number within its printed digits.
    """

    def work(console: Console) -> None:
        from stages.core.device import pick_device
        from stages.scoring import audit
        from stages.scoring.pairs import make_pairs

        numbers = audit.parse_published(published)
        pairs = make_pairs(inputs, real, reference, "", "")
        with console.progress("score audit") as progress:
            candidates = audit.audit(pairs, numbers, pick_device(device), progress)
        for line in [json.dumps(asdict(c)) for c in candidates] if as_json else audit.table(candidates, rows):
            console.result(line)
        audit.raise_for(candidates)

    guarded(work, quiet=quiet, debug=debug)
