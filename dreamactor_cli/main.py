"""The entry point. Commands are imported when they are asked for, so that `--help` needs neither torch nor zarr."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from types import FrameType

import typer
from typer.core import TyperGroup

from dreamactor_cli.commands import COMMANDS
from dreamactor_cli.signals import ClosedPipe, Terminated


class LazyGroup(TyperGroup):
    """The group of all subcommands; each one's module is imported on first use."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """Names in the order of the table, which is the order of a pipe."""
        return list(COMMANDS)

    def get_command(self, ctx: typer.Context, cmd_name: str):
        """The command of a name, None when there is none."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = import_module(COMMANDS[cmd_name][0])
            app = getattr(module, "app", None)
            if app is None:
                app = typer.Typer(add_completion=False, rich_markup_mode=None)
                app.command(cmd_name)(module.command)
            self.commands[cmd_name] = typer.main.get_command(app)
            self.commands[cmd_name].name = cmd_name
        return self.commands[cmd_name]

    def format_commands(self, ctx: typer.Context, formatter) -> None:
        """Write the table of commands for `--help` without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in COMMANDS.items()])


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"dreamactor {version('dreamactor')}\n")
        raise typer.Exit(0)


@app.callback()
def top(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    """Animate the person of one photo with the motion of a video.

    Every stage takes names (or - for names from stdin), adds its own layer to a bundle NAME.zarr and prints the names
    of what it finished, so stages are joined with pipes. Running a command again skips what is done.
    """


def main() -> None:
    """Run the command line and leave the process with the exit code of the contract."""
    signal.signal(signal.SIGTERM, _on_sigterm)
    try:
        app()
    except KeyboardInterrupt:
        code = 130
    except Terminated:
        code = 143
    except (BrokenPipeError, ClosedPipe):
        code = 141
    else:
        code = 0
    if code:
        _leave_quietly(code)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _leave_quietly(code: int) -> None:
    """Exit without the interpreter's complaint about a pipe that is gone."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sink = os.open(os.devnull, os.O_WRONLY)
        os.dup2(sink, 1)
    sys.exit(code)
