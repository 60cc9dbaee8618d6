"""Runs one stage over items: arguments or stdin in, names or records out, one exit code."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, NoReturn

import typer

from dreamactor_cli.console import Console, Progress
from dreamactor_cli.options import Flags
from dreamactor_cli.provenance import words_for
from stages.core.command import running_command
from stages.core.errors import (
    Checkpointed,
    InputError,
    PartialFailure,
    ResourceError,
    StageError,
    UsageError,
    is_out_of_resources,
)
from stages.core.records import Record

Namer = Callable[[str], str]


def run_stage(
    stage: ModuleType, inputs: Sequence[str], params: Any, flags: Flags, *, namer: Namer | None = None
) -> NoReturn:
    """Never returns: raises typer.Exit with the code of the contract.

    stage   module with STAGE, plan and run
    inputs  items, or ["-"] for one item (a name or a record) a line on stdin
    params  the stage's Params; a field `output` gets --output or a name in --output-dir, else stays as it is
    namer   item -> file name in --output-dir; needed when params have `output`
    """

    def work(console: Console) -> int:
        session = _Session(stage, params, flags, namer, console)
        for item in read_items(inputs):
            session.take(item)
        return session.exit_code()

    guarded(work, quiet=flags.quiet, verbose=flags.verbose, debug=flags.debug)


def run_made(
    stage: ModuleType,
    make: Callable[[Progress], Iterable[Record]],
    flags: Flags,
    *,
    params: Any,
    items: Callable[[], Sequence[str]] | None = None,
    plans: Callable[[], Iterable[tuple[str, Any]]] | None = None,
    show: Callable[[Console, Record], None] | None = None,
) -> NoReturn:
    """Like `run_stage` for a stage that makes its items itself (synth, score); never returns.

    make   gives the Records as they are finished; those of other stages are failures that are carried on
    items  gives their names for --dry-run, or plans gives (name, Plan) where the stage cannot plan by a name alone
    show   says more of a finished record
    """

    def work(console: Console) -> int:
        session = _Session(stage, params, flags, None, console)
        if flags.dry_run and plans is not None:
            for name, plan in plans():
                session.report_plan(name, plan)
        elif flags.dry_run:
            assert items is not None, "a stage that makes its items needs items or plans"
            for item in items():
                session.take(item)
        else:
            finished = []
            try:
                with console.progress(stage.STAGE) as progress:
                    for record in make(progress):
                        session.settle(record)
                        finished.append(record)
            finally:  # also before a check that says no
                for record in finished if show is not None else ():
                    show(console, record)
        return session.exit_code()

    guarded(work, quiet=flags.quiet, verbose=flags.verbose, debug=flags.debug)


def guarded(
    work: Callable[[Console], int | None], *, quiet: bool = False, verbose: bool = False, debug: bool = False
) -> NoReturn:
    """Never returns: raises typer.Exit with the contract's code of what `work` returned (None = 0) or raised."""
    with Console(quiet=quiet, verbose=verbose, debug=debug) as console:
        try:
            code = work(console) or 0
        except Exception as error:
            message, code = describe_error(error)
            if debug:
                console.error(traceback.format_exc())
            console.error(message)
    raise typer.Exit(code)


def read_items(inputs: Sequence[str]) -> Iterator[str | Record]:
    """Items in order; those of stdin come as they arrive: a Record for a JSON line, else the name.

    errors  UsageError: - together with names. InputError: stdin holds nothing (an error upstream must not vanish)
    """
    if "-" not in inputs:
        yield from inputs
        return
    if len(inputs) > 1:
        raise UsageError("inputs: found - together with names, expected either")
    if sys.stdin.isatty():
        raise UsageError("inputs: - reads names from stdin, found a terminal. Pipe names in or give them as arguments")
    found = False
    for line in sys.stdin:
        line = line.rstrip("\n").removesuffix("\r")
        if not line.strip():
            continue
        found = True
        yield Record.from_json(line) if line.lstrip().startswith("{") else line
    if not found:
        raise InputError("stdin: found no names, expected one a line. The command before the pipe may have failed")


def describe_error(error: BaseException) -> tuple[str, int]:
    """One line and the exit code of any exception that reached the border."""
    if isinstance(error, StageError):
        return str(error), error.exit_code
    if is_out_of_resources(error):
        text = str(error) or type(error).__name__
        return (
            f"memory or disk ran out ({' '.join(text.split())[:200]}). Free some, or make the job smaller",
            ResourceError.exit_code,
        )
    if isinstance(error, (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError, FileExistsError)):
        if error.filename is not None:
            return f"{error.filename}: {error.strerror}", InputError.exit_code
    text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"internal error, please report it: {text} (--debug says where)", 1


class _Session:
    """One run of one stage over its items."""

    def __init__(self, stage: ModuleType, params: Any, flags: Flags, namer: Namer | None, console: Console) -> None:
        self._stage, self._params, self._flags, self._namer, self._console = stage, params, flags, namer, console
        self._outputs: dict[str, str] = {}
        self._codes: list[int] = []
        self._has_output = any(field.name == "output" for field in dataclasses.fields(params))
        if flags.output and flags.output_dir:
            raise UsageError("--output and --output-dir: found both, expected one")

    def take(self, item: str | Record) -> None:
        """Work on one item, report it, and remember its exit code. errors Checkpointed stops everything"""
        if isinstance(item, Record):
            if item.status == "failed":
                self._carry_on(item)
                return
            item = item.path
        started = time.monotonic()
        try:
            if self._flags.output and self._codes:
                raise UsageError("--output: found several inputs, expected one. Use --output-dir")
            params = self._params_for(item)
            if self._flags.dry_run:
                self.report_plan(item, self._stage.plan(item, params))
            else:
                running_command.set(words_for(self._stage.STAGE, item, params))
                with self._console.progress(item) as progress:
                    record = self._stage.run(item, params, progress)
                self._report(record)
            self._codes.append(0)
        except (KeyboardInterrupt, Checkpointed):
            raise
        except Exception as error:
            message, code = describe_error(error)
            if self._console.debug:
                self._console.error(traceback.format_exc())
            self._console.error(message)
            seconds = round(time.monotonic() - started, 3)
            self._fail(Record(self._stage.STAGE, item, "failed", seconds=seconds, error=message, exit=code))

    def settle(self, record: Record) -> None:
        """Report a finished record and remember its exit code."""
        if record.status == "failed" and record.stage != self._stage.STAGE:
            self._carry_on(record)
        elif record.status == "failed":
            self._console.error(record.error)
            self._fail(record)
        else:
            self._report(record)
            self._codes.append(0)

    def exit_code(self) -> int:
        """0, the code all failed items share when nothing succeeded, else PartialFailure's."""
        failed = [code for code in self._codes if code]
        if not failed:
            return 0
        if len(failed) == len(self._codes) and len(set(failed)) == 1:
            return failed[0]
        self._console.error(f"{len(failed)} of {len(self._codes)} items failed")
        return PartialFailure.exit_code

    def _params_for(self, item: str) -> Any:
        if not self._has_output:
            return self._params
        output = self._flags.output
        if output is None and self._flags.output_dir is not None:
            assert self._namer is not None, "a stage with Params.output needs a namer"
            output = os.path.normpath(os.path.join(self._flags.output_dir, self._namer(item)))
        if output is None:
            return self._params
        before = self._outputs.setdefault(os.path.abspath(output), item)
        if os.path.abspath(before) != os.path.abspath(item):
            raise UsageError(f"{item}: would write {output}, as {before} already did. Rename one of them")
        return dataclasses.replace(self._params, output=output)

    def _report(self, record: Record) -> None:
        done = {"written": "written", "replaced": "replaced", "skipped": "up to date, skipped"}.get(
            record.status, record.status
        )
        self._console.note(f"{record.path}: {record.stage} {done} ({record.seconds:.1f} s)")
        self._console.result(record.to_json() if self._flags.json else record.path)

    def report_plan(self, item: str, plan: Any) -> None:
        """Say what would be done with one item."""
        self._console.note(f"{item}: {self._stage.STAGE} would {plan.action} {plan.output}")
        if self._flags.json:
            values = {"stage": self._stage.STAGE, "item": item, **dataclasses.asdict(plan)}
            self._console.result(json.dumps(values, ensure_ascii=False))

    def _carry_on(self, record: Record) -> None:
        self._console.error(f"{record.path}: failed before, in {record.stage}: {record.error}")
        self._fail(record)

    def _fail(self, record: Record) -> None:
        self._codes.append(record.exit or 1)
        if self._flags.json:
            self._console.result(record.to_json())
