"""Cases with another person's motion: what being told the place is worth, on tiny pictures of exact geometry."""

from dataclasses import replace

import numpy as np
import pytest

from stages.benchmark import cases
from stages.core.errors import UsageError, WeightsError
from stages.synthetic.suite import SUITES

SIZE, FRAMES, SEED = 16, 17, 500_004
SUITE = replace(SUITES["v1"], size=SIZE, frames=FRAMES, references=3)
NUMBER = next(iter(SUITE.numbers()))


def _truth_of(clip):
    """The arrays that a bundle of this SyntheticClip would hold."""
    stored = {"frames": "frames_u8", "face_crops": "face_crops_u8"}
    film = {name: getattr(clip, stored.get(name, name)) for name in (*cases._FILM, *cases._ONCE, "face_crops")}
    return film | {
        f"ref_{name}": getattr(clip.references, stored.get(name, name)) for name in (*cases._FILM, "times_s")
    }


@pytest.fixture(scope="module")
def truths():
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio
    from stages.synthetic.seeds import ClipSeeds, partner_seed

    try:
        studio = Studio(load_assets(), SIZE, supersample=1)
    except WeightsError as error:
        pytest.skip(f"synthetic people cannot be had here: {error}")
    seeds = ClipSeeds.of(SEED)
    clips = (studio.clip(s, frames=FRAMES, references=3) for s in (seeds, seeds.with_identity(partner_seed(SEED))))
    return [_truth_of(clip) for clip in clips]


@pytest.fixture
def made(truths, monkeypatch):
    """kind -> (Case, how far its skeleton is from the truth's, as a share of the person's extent in the picture)."""
    drawn, composed = [], []
    monkeypatch.setattr(cases, "_truth", lambda path: truths["_cross" in path.name])
    maps, compose = cases._maps, cases.compose
    monkeypatch.setattr(cases, "_maps", lambda act, *rest: drawn.append(act) or maps(act, *rest))
    monkeypatch.setattr(cases, "compose", lambda *all, **named: composed.append(compose(*all, **named)) or composed[-1])

    def make(kind):
        drawn.clear()
        case = cases.open_case("nowhere", SUITE, NUMBER, kind)
        exact = composed[-1].ref_window.points(truths[0]["joints_px"])
        apart = np.linalg.norm(drawn[0].joints_px - exact, axis=-1).mean()
        return case, apart / np.linalg.norm(np.ptp(exact, axis=(0, 1)))

    return make


def test_a_driver_who_begins_with_the_reference_s_moment_stands_where_the_truth_stands(made):
    (cross, guessed), (aligned, told) = made("cross"), made("cross-aligned")
    assert len(cross.maps) == len(aligned.maps) == len(aligned.truth_u8) == len(aligned.warp_frames) == FRAMES
    assert np.array_equal(cross.crops_u8, aligned.crops_u8) and not np.array_equal(cross.maps, aligned.maps)
    assert told < 0.8 * guessed and told < 0.015, (told, guessed)


def test_an_unknown_kind_is_refused(made):
    with pytest.raises(UsageError, match="kind: found 'sideways'"):
        made("sideways")
