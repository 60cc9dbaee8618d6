"""All numbers of a benchmark as one JSON value: by kind of case, method and metric, whole and by framing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stages.benchmark.films import FilmsPlan
from stages.metrics.results import Run, Score, read_run
from stages.synthetic.suite import differing, expected, total_sha256

SCHEMA = "dreamactor.benchmark/1"


def summary(
    plan: FilmsPlan, runs: Mapping[tuple[str, str], str], sums: Mapping[str, str], steps: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The JSON value of a benchmark.

    runs   (kind, method) -> folder of its `score` run
    sums   bundle name -> sha256 of its truth, as found
    steps  {"name", "wall_s", "cpu_s", "peak_mb"} of everything that was run this time
    errors InputError: a run is missing or damaged
    """
    suite = plan.suite
    others = differing(suite, sums)
    return {
        "schema": SCHEMA,
        "suite": {
            "name": suite.name,
            "definition": suite.definition(),
            "published_sha256": total_sha256(suite, expected(suite)),
            "cases_of_each_framing": suite.clips if plan.clips is None else plan.clips,
            "whole": plan.clips in (None, suite.clips),
            "bundles": len(sums),
            "bundles_as_published": len(sums) - len(others),
            "differing": others,
        },
        "models": {
            label: {**asdict(choice), "source": Path(choice.source).name, "sha256": choice.weights()}
            for label, choice in plan.models.items()
        },
        "results": {
            kind: {method: _method(read_run(runs[kind, method])) for method in plan.methods} for kind in plan.kinds
        },
        "env": dict(read_run(runs[plan.kinds[0], plan.methods[0]]).env),
        "steps": [dict(step) for step in steps],
    }


def write_json(value: Mapping[str, Any], path: Path) -> None:
    """Write JSON in one rename."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _method(run: Run) -> dict[str, Any]:
    """Metric -> its number, interval and means by framing; with the hashes that make it comparable."""
    return {
        "test_set_sha256": run.test_set["sha256"],
        "films_sha256": run.generated["sha256"],
        "metrics": {score.name: _number(score) for score in run.scores},
    }


def _number(score: Score) -> dict[str, Any]:
    kept = ("value", "unit", "direction", "n_clips", "n_samples", "coverage", "imputed", "why", "signature")
    values = {name: getattr(score, name) for name in kept}
    values["interval"] = None if score.interval is None else list(score.interval)
    by_framing: dict[str, list[float]] = {}
    for clip, value in (score.per_clip or {}).items():
        if value is not None:
            by_framing.setdefault(clip.partition("-")[0], []).append(value)
    values["by_framing"] = {
        framing: {"mean": float(np.mean(found)), "clips": len(found)} for framing, found in sorted(by_framing.items())
    }
    return values
