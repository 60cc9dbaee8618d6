"""dreamactor score doctor"""

from __future__ import annotations

import json
from dataclasses import asdict

from dreamactor_cli import options
from dreamactor_cli.console import Console
from dreamactor_cli.runner import guarded


def command(
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Test the metrics of this machine against known answers.

    Exit 8 when a number is off, 6 when a network is missing.
    """

    def work(console: Console) -> None:
        from stages.core.device import pick_device
        from stages.scoring import doctor
        from stages.scoring.known_answers import fixtures

        questions, checks, name = fixtures(), [], pick_device(device)
        console.note(f"score doctor: on {name}")
        with console.progress("score doctor") as progress:
            for check in doctor.examine(name, questions):
                checks.append(check)
                progress(len(checks), len(questions), check.name)
        for line in [json.dumps(asdict(check)) for check in checks] if as_json else doctor.table(checks):
            console.result(line)
        doctor.raise_for(checks)

    guarded(work, quiet=quiet, debug=debug)
