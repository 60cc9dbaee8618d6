"""The steps of benchmark.sh: the suite, the films, the scores, the table, each skipped where it is done.

Steps that are commands of `dreamactor` are printed as they are run. Time and memory of every step come last but for the
table: wall clock, CPU seconds of all its processes, and the memory of its largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

DREAMACTOR = [sys.executable, "-c", "from dreamactor_cli.main import main; main()"]
COLUMNS = "psnr,ssim,lpips_alex,fvd,joint_error,head_rotation,aed_expression_rest,identity,flicker"


class Steps:
    """Runs and measures steps; `done` has what each cost, also in earlier calls: they stand in OUT/steps.jsonl."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._file = out / "steps.jsonl"
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.is_file() else []
        self.done: list[dict] = [json.loads(line) for line in lines]

    def command(self, name: str, *words: str, allowed: tuple[int, ...] = (0,), brief: bool = False) -> int:
        """Run a dreamactor command, its messages to stderr; its exit code. Leaves with a code not in `allowed`.

        brief  of many messages only the first and the last: on another processor than the suite's every bundle has one
        """
        say(f"+ dreamactor {shlex.join(words)}")
        stderr = subprocess.PIPE if brief else None
        done = self.timed(
            name,
            lambda: subprocess.run(
                [*DREAMACTOR, *words], stdout=subprocess.DEVNULL, stderr=stderr, text=True, check=False
            ),
        )
        code, messages = done.returncode, (done.stderr or "").splitlines()
        if len(messages) > 3:
            messages[1:-1] = [f"... {len(messages) - 2} more of the kind"]
        for line in messages:
            say(line)
        if code not in allowed:
            say(f"benchmark: `dreamactor {words[0]}` failed, exit code {code}")
            sys.exit(code)
        return code

    def timed(self, name: str, work):
        """What `work()` returns."""
        started, before = time.monotonic(), cpu_s()
        result = work()
        children, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
        cost = {
            "name": name,
            "wall_s": round(time.monotonic() - started, 1),
            "cpu_s": round(cpu_s() - before, 1),
            "peak_mb": round(max(children.ru_maxrss, own.ru_maxrss) / (1024 if sys.platform != "darwin" else 1024**2)),
        }
        self.done.append(cost)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(cost) + "\n")
        say(f"  {name}: {cost['wall_s']:.0f} s, {cost['cpu_s']:.0f} CPU-s")
        return result


def cpu_s() -> float:
    """CPU seconds of this process and all its finished children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def parse_arguments() -> argparse.Namespace:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parser = argparse.ArgumentParser(prog="benchmark.sh", description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", default="benchmark", help="folder of everything (default: benchmark)")
    parser.add_argument("--suite", default="v1")
    parser.add_argument("--bundles", default="", help="folder with the suite's bundles (default: OUT/suite)")
    parser.add_argument("--clips", type=int, help="only the first N cases of each framing")
    parser.add_argument("--kinds", default="self,cross", help="self, cross, cross-aligned")
    parser.add_argument("--model", action="append", help="default, or a folder as train writes it; several times: each")
    parser.add_argument("--encoder", default="", help="face encoder, where it is not the model's face.safetensors")
    parser.add_argument(
        "--baselines", default="copy,clip-mean,warp", help="of copy, clip-mean, warp; the first is compared with"
    )
    parser.add_argument("--references", type=int, default=1, help="photos of the person that the model gets")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--cfg-ref", type=float, default=1.0)
    parser.add_argument("--cfg-motion", type=float, default=1.0)
    parser.add_argument("--protocol", default="", help="of score (default: examples/benchmark.toml)")
    parser.add_argument("--columns", default=COLUMNS, help="of the table, as report --metrics takes them")
    parser.add_argument("--workers", type=int, default=cores, help="processes (default: one a core)")
    parser.add_argument("--device", default="auto", help="of the model's films")
    return parser.parse_args()


def main() -> None:
    from stages.core.errors import StageError

    arguments = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        run(arguments)
    except StageError as error:
        say(f"benchmark: {error}")
        sys.exit(error.exit_code)


def run(arguments: argparse.Namespace) -> None:
    from stages.benchmark.films import FilmsPlan, make_films, pairs_path
    from stages.benchmark.methods import ModelChoice
    from stages.benchmark.summary import summary, write_json
    from stages.bundle import open_bundle
    from stages.synthetic.manifest import bundle_sha256
    from stages.synthetic.suite import suite_named

    out, suite = Path(arguments.out), suite_named(arguments.suite)
    steps = Steps(out)
    bundles = arguments.bundles or str(out / "suite")
    shared = {name: getattr(arguments, name) for name in ("encoder", "references", "steps", "cfg_ref", "cfg_motion")}
    choices = [ModelChoice(source=source, **shared) for source in arguments.model or ["default"]]
    plan = FilmsPlan(
        suite=suite,
        bundles=bundles,
        out=str(out / "films"),
        kinds=tuple(arguments.kinds.split(",")),
        clips=arguments.clips,
        models={choice.label(): choice for choice in choices},
        baselines=tuple(name for name in arguments.baselines.split(",") if name),
        device=arguments.device,
    )
    plan.check()
    workers, part = str(arguments.workers), ["--clips", str(arguments.clips)] if arguments.clips else []
    made = ["synth", "--split", suite.split, "--suite", suite.name, "--out", bundles, *part, "--workers", workers, "-q"]
    steps.command("suite", *made)
    steps.command("suite, compared with the published list", *made, "--verify", allowed=(0, 5, 8), brief=True)
    steps.timed("films", lambda: make_films(plan, arguments.workers, progress))
    protocol = arguments.protocol or str(Path(__file__).with_name("benchmark.toml"))
    runs = {}
    for kind in plan.kinds:
        for method in plan.methods:
            runs[kind, method] = str(out / "scores" / kind / method)
            words = ["score", "--pairs", str(pairs_path(plan, kind, method)), "--protocol", protocol, "--name", method]
            words += ["--fps", f"{suite.fps:g}", "--workers", workers, "--overwrite", "-q", "-o", runs[kind, method]]
            first = runs[kind, plan.methods[0]]
            words += ["--real-from", first] if first != runs[kind, method] else []
            steps.command(f"score {kind} {method}", *words)
    sums = {name: bundle_sha256(open_bundle(Path(bundles) / name)) for name in suite.bundles(arguments.clips)}
    result = summary(plan, runs, sums, steps.done)
    write_json(result, out / "benchmark.json")
    print_end(plan, runs, result, steps, arguments)


def progress(done: int, total: int, name: str) -> None:
    if done == total or done % 12 == 0:
        say(f"  films: {done}/{total} {name}")


def print_end(plan, runs: dict, result: dict, steps: Steps, arguments: argparse.Namespace) -> None:
    """Costs, then one table a kind."""
    whole = [sum(step[name] for step in steps.done) for name in ("wall_s", "cpu_s")]
    for step in steps.done:  # of all calls with this folder: a step that was stopped does not stand here
        print(f"{step['name']:48s} {step['wall_s']:8.1f} s {step['cpu_s']:9.1f} CPU-s")
    peak = max(step["peak_mb"] for step in steps.done)
    print(f"{f'all, {arguments.workers} processes, the largest {peak} MB':48s} {whole[0]:8.1f} s {whole[1]:9.1f} CPU-s")
    facts = result["suite"]
    print(f"{facts['definition']}: {facts['bundles_as_published']} of {facts['bundles']} bundles as published")
    for kind in plan.kinds:
        words = [
            *DREAMACTOR,
            "report",
            *(runs[kind, method] for method in plan.methods),
            "--metrics",
            arguments.columns,
        ]
        words += ["--baseline", plan.methods[0], "--title", f"{kind}, {len(plan.suite.numbers(plan.clips))} cases"]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        (Path(arguments.out) / f"table-{kind}.txt").write_text(done.stdout, encoding="utf-8")
        print(f"\n{done.stdout}", end="")


if __name__ == "__main__":
    main()
