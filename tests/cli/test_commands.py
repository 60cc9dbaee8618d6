"""The commands mirror their stages, start fast, and `bundle` tells the truth."""

import dataclasses
import inspect
import json
import subprocess
import sys
from importlib import import_module

import pytest

from dreamactor_cli.commands import COMMANDS, STAGES
from dreamactor_cli.drivers import Drivers
from dreamactor_cli.provenance import words_for

COMMON = {"inputs", "output", "output_dir", "as_json", "dry_run", "quiet", "verbose", "debug"}
HEAVY = ("torch", "zarr", "numpy", "cv2", "scipy", "transformers", "rich", "jsonschema")


@pytest.mark.parametrize("name", list(STAGES))
def test_flags_mirror_params(name):
    params = {field.name: field for field in dataclasses.fields(import_module(STAGES[name]).Params)}
    flags = inspect.signature(import_module(COMMANDS[name][0]).command).parameters
    further = {field.name for field in dataclasses.fields(Drivers)} if name == "animate" else set()
    assert set(flags) - COMMON - further == set(params) - {"output"}
    for flag, parameter in flags.items():
        if flag in params and flag != "output":
            assert parameter.default == params[flag].default or not (parameter.default or params[flag].default), flag


@pytest.mark.parametrize("name", [*COMMANDS, ""])
def test_help_imports_nothing_heavy(name, environment):
    program = (
        "import sys\nfrom dreamactor_cli.main import main\nsys.argv = ['dreamactor', *sys.argv[1:]]\n"
        "try: main()\n"
        f"finally: print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    words = [sys.executable, "-c", program, *([name] if name else []), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=True, timeout=110)
    assert "HEAVY []" in done.stderr
    assert "Usage" in done.stdout


def test_top_help_names_every_command_and_its_own_help_agrees(dreamactor):
    text = dreamactor("--help").stdout
    for name, (_, short) in COMMANDS.items():
        assert f"  {name} " in text and short.split(":")[0].split(",")[0][:20] in text


def test_version(dreamactor):
    done = dreamactor("--version")
    assert done.returncode in (0, 1) and ("dreamactor" in done.stdout or "PackageNotFoundError" in done.stderr)


def test_bundle_show_and_validate(toy, dreamactor, tmp_path):
    toy("a.mp4", "--seed", "3")
    text = dreamactor("bundle", "show", "a.zarr").stdout
    assert "frames" in text, dreamactor("bundle", "show", "a.zarr").stderr
    assert "uint8" in text and "T=8 H=80 W=80" in text and "by toy" in text
    facts = json.loads(dreamactor("bundle", "show", "a.zarr", "--json").stdout)
    assert facts["layers"]["toy"]["provenance"]["ran"]["command"][:3] == ["dreamactor", "toy", "a.mp4"]
    assert dreamactor("bundle", "show", "a.zarr", "--command").stdout == "dreamactor toy a.mp4 --seed 3\n"
    fine = dreamactor("bundle", "validate", "a.zarr")
    assert (fine.returncode, fine.stdout) == (0, "a.zarr\n")
    chunk = next((tmp_path / "a.zarr/toy/frames/c").rglob("0"))
    next(p for p in [chunk, *chunk.rglob("*")] if p.is_file()).unlink()
    broken = dreamactor("bundle", "validate", "a.zarr")
    assert (broken.returncode, broken.stdout) == (8, "") and "is missing" in broken.stderr
    assert dreamactor("bundle", "validate", "nothing.zarr").returncode == 3
    assert dreamactor("bundle", "show", "a.zarr", "--layer", "pose").returncode == 3


def test_stale_layers_are_shown(tmp_path, dreamactor):
    import numpy as np

    from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance

    def write(layer, seed, inputs):
        key = layer_key("toy", 1, {"seed": seed}, inputs)
        provenance = make_provenance("toy", 1, {"seed": seed}, inputs)
        with LayerWriter(
            tmp_path / "a.zarr", layer, key=key, attrs={}, provenance=provenance, overwrite=True
        ) as writer:
            writer.put("x", np.zeros(3, np.float32), ArraySpec("f32", ("T",)))
            writer.commit()
        return key

    write("body", 0, {"pose": write("pose", 0, {})})
    assert "stale" not in dreamactor("bundle", "show", "a.zarr").stdout
    write("pose", 1, {})
    assert "stale: made from another 'pose'" in dreamactor("bundle", "show", "a.zarr").stdout
    assert dreamactor("bundle", "validate", "a.zarr").returncode == 0


def test_words_for_prints_only_what_is_not_default():
    from stages.render_spheres import Params

    assert words_for("render-spheres", "a.zarr", Params()) == ("dreamactor", "render-spheres", "a.zarr")
    words = words_for(
        "render-spheres", "a.zarr", Params(ref="p q.png", retarget=False, canonical=("a", "b"), overwrite=True)
    )
    assert words[3:] == ("--ref", "p q.png", "--canonical", "a", "b", "--no-retarget")


def test_weights_are_listed_with_their_licence(dreamactor):
    lines = dreamactor("weights", "list", "--json").stdout.splitlines()
    from stages.weights import GIVEN, SOURCES

    assert [json.loads(line)["name"] for line in lines] == [*SOURCES, *GIVEN]
    assert all(json.loads(line)["licence"] for line in lines)
    assert dreamactor("weights", "show", "no-such").returncode == 6
