"""Numbers of the real films taken over from another run: the same numbers, made once; never of other films."""

import numpy as np
import pytest

from stages.core.errors import InputError
from stages.metrics.nets import inception as network
from stages.metrics.results import read_run
from stages.score import Params, run_all
from tests.metrics.people import need

PROTOCOL = """
name = "fid-alone"
[measure.clean]
kind = "inception"
[[metric]]
name = "fid"
measure = "clean"
reduce = "frechet"
"""


@pytest.fixture
def films(tmp_path):
    need("inception_fid")
    for number, folder in enumerate(("real", "one", "two", "other")):
        (tmp_path / folder).mkdir()
        for clip in ("a", "b"):
            rng = np.random.default_rng([number, ord(clip)])
            np.save(tmp_path / folder / f"{clip}.npy", rng.integers(0, 256, (2, 40, 48, 3), np.uint8))
    (tmp_path / "fid.toml").write_text(PROTOCOL)
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    counted = []
    plain = network.load_inception("cpu").__class__.features
    monkeypatch.setattr(
        network.load_inception("cpu").__class__,
        "features",
        lambda self, *arguments: counted.append(1) or plain(self, *arguments),
    )
    return counted


def score(films, generated, output, **more):
    params = Params(
        output=str(films / output), real=str(films / more.pop("real", "real")), protocol=str(films / "fid.toml"),
        fps="25", device="cpu", **more,
    )  # fmt: skip
    records = list(run_all([str(films / generated)], params))
    assert [record.status for record in records] == ["written"], records
    return read_run(films / output)


def test_the_numbers_are_the_same_and_real_frames_pass_once(films, calls):
    score(films, "one", "run-one")
    before = len(calls)
    plain = score(films, "two", "run-two")
    alone = len(calls) - before
    taken = score(films, "two", "run-taken", real_from=str(films / "run-one"))
    assert taken.scores == plain.scores
    assert (alone, len(calls) - before - alone) == (8, 4), "four generated and four real frames, then the four alone"


def test_floors_take_the_real_side_of_their_own_run(films, calls):
    run = score(films, "one", "run", floors="codec")
    assert len(calls) == 12, "generated, real and coded frames, four each"
    assert run.floors[0].scores[0].value > 0


def test_other_films_are_measured_anew(films, calls):
    score(films, "one", "run-one")
    before = len(calls)
    other = score(films, "two", "run-other", real="other", real_from=str(films / "run-one"))
    assert len(calls) - before == 8
    assert other.scores == score(films, "two", "run-again", real="other").scores


def test_a_run_without_the_clip_is_one_line(films):
    with pytest.raises(InputError, match="has no clip a, expected a run of the same test set"):
        score(films, "two", "run", real_from=str(films / "one"))


def test_numbers_of_another_version_are_made_anew(films, calls, monkeypatch):
    """A bundle of an older VERSION may have been measured otherwise: its layers' keys say so, and so must this."""
    score(films, "one", "run-one")
    before = len(calls)
    for module in ("stages.scoring.measure", "stages.scoring.real_side", "stages.scoring.reduce"):
        monkeypatch.setattr(f"{module}.VERSION", 2)
    score(films, "two", "run-two", real_from=str(films / "run-one"))
    assert len(calls) - before == 8
