"""Numbers of people through a video, and which one is picked."""

import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.pose.persons import Detections, box_iou, colour_look, link, pick_track, select_person

SIZE = (400, 800)


def walk(paths, *, order_seed=0, joints=False, look=False, missing=()):
    """Detections of people whose boxes (60 x 160) follow paths {name: [T, 2]}; also the names behind them."""
    rng = np.random.default_rng(order_seed)
    frames, names = [], []
    stick = np.random.default_rng(9).uniform([-25, -75], [25, 75], (17, 2))
    looks = np.eye(len(paths))
    for t in range(len(next(iter(paths.values())))):
        here = [n for n in paths if np.isfinite(paths[n][t]).all() and (n, t) not in missing]
        here = [here[i] for i in rng.permutation(len(here))]
        middle = np.array([paths[n][t] for n in here]).reshape(-1, 2) + rng.normal(0, 1.0, (len(here), 2))
        box = np.concatenate([middle - [30, 80], middle + [30, 80]], axis=1)
        points = middle[:, None] + stick if joints else None
        seen = np.array([looks[list(paths).index(n)] for n in here]).reshape(-1, len(paths)) if look else None
        frames.append(Detections(box, np.full(len(here), 0.9), points, seen))
        names.append(here)
    return frames, names


def numbers_by_name(names, ids):
    out = {}
    for here, numbers in zip(names, ids, strict=True):
        for name, number in zip(here, numbers, strict=True):
            out.setdefault(name, set()).add(int(number))
    return out


def line(x0, x1, frames=60, y=200.0):
    return np.stack([np.linspace(x0, x1, frames), np.full(frames, y)], -1)


@pytest.mark.parametrize("extra", [{}, {"joints": True}, {"joints": True, "look": True}])
@pytest.mark.parametrize("seed", range(5))
def test_two_people_who_cross_keep_their_numbers(extra, seed):
    frames, names = walk({"a": line(100, 700), "b": line(700, 100)}, order_seed=seed, **extra)
    found = numbers_by_name(names, link(frames, 25.0))
    assert all(len(numbers) == 1 for numbers in found.values()) and found["a"] != found["b"], found


def test_crossing_with_one_hidden_behind_the_other():
    hidden = {("b", t) for t in range(27, 34)}
    frames, names = walk({"a": line(100, 700), "b": line(700, 100)}, missing=hidden, look=True)
    found = numbers_by_name(names, link(frames, 25.0))
    assert found["a"] != found["b"] and all(len(numbers) == 1 for numbers in found.values()), found


def test_back_after_a_short_absence_same_number_after_a_long_one_a_new_one():
    short = {("a", t) for t in range(20, 30)}
    frames, names = walk({"a": line(300, 320)}, missing=short)
    assert numbers_by_name(names, link(frames, 25.0))["a"] == {0}
    long = {("a", t) for t in range(10, 50)}
    frames, names = walk({"a": line(300, 320)}, missing=long)
    assert numbers_by_name(names, link(frames, 25.0))["a"] == {0, 1}


def test_someone_else_far_away_gets_a_new_number():
    frames, _ = walk({"a": line(100, 100, 10)})
    other, _ = walk({"b": line(700, 700, 10)})
    ids = link(frames + other, 25.0)
    assert ids[9][0] == 0 and ids[10][0] == 1


@pytest.mark.parametrize(("which", "name"), [("left", "a"), ("center", "b"), ("right", "c"), ("largest", "c")])
def test_selection(which, name):
    paths = {"a": line(100, 140), "b": line(390, 410), "c": line(700, 660)}
    frames, names = walk(paths, order_seed=3)
    wide = [
        Detections(
            np.array([b + ([-20, -20, 20, 20] if n == "c" else 0) for b, n in zip(f.box_px, here, strict=True)]),
            f.score,
        )
        for f, here in zip(frames, names, strict=True)
    ]
    ids = link(wide, 25.0)
    number = select_person(wide, ids, which, SIZE)
    where = pick_track(ids, number)
    assert all(here[i] == name for here, i in zip(names, where, strict=True))
    assert select_person(wide, ids, str(number), SIZE) == number


def test_a_large_passer_by_does_not_beat_the_lasting_person():
    frames, _ = walk({"a": line(300, 320, 100)})
    for t in range(50, 56):
        box = np.concatenate([frames[t].box_px, [[400, 0, 800, 400]]])
        frames[t] = Detections(box, np.ones(2))
    ids = link(frames, 25.0)
    for which in ("largest", "right"):
        assert select_person(frames, ids, which, SIZE) == 0


def test_nobody_and_wrong_words():
    empty = [Detections(np.zeros((0, 4)), np.zeros(0))] * 3
    ids = link(empty, 25.0)
    assert select_person(empty, ids, "largest", SIZE) == -1 and (pick_track(ids, -1) == -1).all()
    frames, _ = walk({"a": line(300, 320)})
    ids = link(frames, 25.0)
    with pytest.raises(UsageError, match="--person 7: found people \\[0\\]"):
        select_person(frames, ids, "7", SIZE)
    with pytest.raises(UsageError, match="largest, center"):
        select_person(frames, ids, "biggest", SIZE)


def test_box_iou_and_colour_look():
    a = np.array([0.0, 0, 10, 10])
    assert box_iou(a, a) == 1 and box_iou(a, a + 20) == 0
    assert box_iou(a, np.array([5.0, 0, 15, 10])) == pytest.approx(1 / 3)
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, 25:] = [255, 0, 0]
    black, red = colour_look(image, np.array([0, 0, 24, 50])), colour_look(image, np.array([26, 0, 50, 50]))
    assert black.sum() == pytest.approx(1) and black @ red == 0
    assert colour_look(image, np.array([100, 100, 120, 120])).sum() == 0
