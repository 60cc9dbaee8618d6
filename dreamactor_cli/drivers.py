"""`animate` with other drivers or strengths than the bundle's own: mix, render-spheres and animate as one command."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from dreamactor_cli.provenance import words_for
from stages.core.command import running_command
from stages.core.errors import InputError, UsageError
from stages.core.records import Plan, Record

PARTS = ("body", "head", "face")
Progress = Callable[[int, "int | None", str], None]


@dataclass(frozen=True)
class Drivers:
    """Which of a bundle's own signals are replaced or weakened; the flags of `animate` that its Params do not have.

    face, head, body   bundles whose signal is taken; "" = the bundle's own
    head_strength, body_strength  see render-spheres
    face_offset, head_offset, face_speed, head_speed, beyond  see mix
    lock  parts that stand still as in the photo, with commas between: head, body, face. The same as a strength of 0
    """

    face: str = ""
    head: str = ""
    body: str = ""
    head_strength: float = 1.0
    body_strength: float = 1.0
    face_offset: float = 0.0
    head_offset: float = 0.0
    face_speed: float = 1.0
    head_speed: float = 1.0
    beyond: str = "hold"
    lock: str = ""

    def asked(self) -> bool:
        """True where a bundle of its own has to be made."""
        return replace(self, lock="") != Drivers()


def locked(drivers: Drivers, params):
    """(drivers, params of animate) with `lock` turned into strengths of 0. errors  UsageError: an unknown part"""
    parts = {part.strip() for part in drivers.lock.split(",") if part.strip()}
    if not parts <= set(PARTS):
        raise UsageError(f"--lock: found {drivers.lock!r}, expected one or more of {', '.join(PARTS)}, as in head,body")
    changed = {f"{part}_strength": 0.0 for part in parts & {"head", "body"}}
    return replace(drivers, lock="", **changed), replace(params, face_strength=0.0) if "face" in parts else params


class DrivenAnimation:
    """The stage `animate` as `run_stage` wants it, with mix and render-spheres before it where they are asked for.

    The bundle they make lies beside the film and has its name.
    """

    STAGE = "animate"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    def plan(self, item: str | os.PathLike[str], params) -> Plan:
        """What `run` would do. errors  those of the stages"""
        *before, (stage, of, settings) = self._steps(item, params)
        for earlier in before:
            todo = earlier[0].plan(*earlier[1:])
            if todo.action != "skip":  # what comes behind cannot be planned before this is there
                return Plan(todo.action, todo.key, settings.output, todo.inputs)
        return stage.plan(of, settings)

    def run(self, item: str | os.PathLike[str], params, progress: Progress | None = None) -> Record:
        """The Record of the film. errors  those of the stages"""
        record = None
        for stage, of, settings in self._steps(item, params):
            running_command.set(words_for(stage.STAGE, str(of), settings))
            record = stage.run(of, settings, progress)
        return record

    def _steps(self, item, params) -> list[tuple]:
        """(stage, item, Params) in order."""
        from stages import animate, mix, render_spheres
        from stages.bundle import open_bundle

        drivers, params = locked(self._drivers, params)
        if not drivers.asked():
            return [(animate, item, params)]
        base = open_bundle(item)
        base.require("body")
        film = Path(params.output) if params.output else Path(item).with_suffix(".mixed.mp4")
        mixed = film.with_suffix(".zarr")
        body = drivers.body or str(item)
        taken = {part: getattr(drivers, part) or str(item) for part in ("face", "head")}
        mixing = mix.Params(
            output=str(mixed),
            **{part: path if path != body else "" for part, path in taken.items()},
            **{name: getattr(drivers, name)
               for name in ("face_offset", "head_offset", "face_speed", "head_speed", "beyond")},
            overwrite=params.overwrite,
        )  # fmt: skip
        drawing = render_spheres.Params(
            ref=params.ref or _reference(item, base),
            **_canvas(item, base),
            head_strength=drivers.head_strength,
            body_strength=drivers.body_strength,
            overwrite=params.overwrite,
        )
        last = replace(params, ref="", output=str(film))
        return [(mix, body, mixing), (render_spheres, mixed, drawing), (animate, mixed, last)]


def _reference(item, base) -> str:
    """The photo or bundle that the bundle's controls were drawn for; its own first good frame is that of itself."""
    placed = base.attrs("body").get("ref")
    if placed is None:
        return str(item)
    if not Path(placed["path"]).exists():
        raise InputError(
            f"{item}: the controls were drawn for {placed['path']}, which is not there any more. Say where with --ref"
        )
    return placed["path"]


def _canvas(item, base) -> dict:
    """The settings render-spheres had; what it was told of the reference stays, strengths do not."""
    from stages import render_spheres

    decides = base.provenance("body").get("decides", {}).get("params")
    if not isinstance(decides, dict) or "size" not in decides:
        raise InputError(
            f"{item}: layer 'body' does not say how it was drawn. Make it again with: dreamactor render-spheres {item} "
            "--overwrite and the --ref of before"
        )
    known = {field.name for field in dataclasses.fields(render_spheres.Params)} - {"head_strength", "body_strength"}
    kept = {name: value for name, value in decides.items() if name in known}
    return kept | {"size": "x".join(map(str, decides["size"]))}
