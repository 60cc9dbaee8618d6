"""Lengths, slices and the log of a training."""

import os
import signal

import pytest

from stages.training.course import Course, Log, Pace, Slice, is_point
from stages.training.data import HEAD
from stages.training.recipe import RECIPES


def test_a_course_in_steps_needs_no_clock():
    pace, course = Pace(), Course(4)
    seen = []
    while (done := course.progress_01(pace)) < 1:
        seen.append(done)
        pace.step += 1
        pace.spent_s += 1e6
    assert seen == [0, 0.25, 0.5, 0.75] and pace.planned == 4


def test_seconds_become_steps_once_and_the_clock_decides_nothing_after():
    pace, course = Pace(), Course(7, seconds=100.0)
    while pace.step < 30:
        assert course.progress_01(pace) == pytest.approx(pace.spent_s / 100.0)
        assert not pace.planned
        pace.step += 1
        pace.spent_s += 0.25 if pace.step < 21 else 0.0
        if pace.spent_s >= 5.0:
            break
    assert pace.step == 20
    assert course.progress_01(pace) == 20 / 400 and pace.planned == 400  # 20 steps in 5 of 100 seconds
    pace.spent_s = 1e9
    pace.step = 399
    assert course.progress_01(pace) == 399 / 400


def test_a_slow_machine_still_ends():
    pace, course = Pace(), Course(7, seconds=10.0)
    while course.progress_01(pace) < 1:
        pace.step += 1
        pace.spent_s += 4.0
    assert pace.step <= 10


def test_a_slice_ends_by_time_or_by_asking():
    now = [0.0]
    part = Slice(2.0, clock=lambda: now[0])
    assert not part.over()
    now[0] = 120.0
    assert part.over()
    endless = Slice(0.0, clock=lambda: now[0])
    now[0] = 1e9
    assert not endless.over()
    endless.ask()
    assert endless.over()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signals_end_a_slice_and_nothing_else(number):
    before = signal.getsignal(number)
    part = Slice(0.0)
    with part.heeding_signals():
        os.kill(os.getpid(), number)
        assert part.over()
    assert signal.getsignal(number) is before


def test_the_log_forgets_what_a_resumed_run_made_again(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    for step, loss in [(10, 3.0), (20, 2.0), (30, 1.5)]:
        log("vae", step=step, loss=loss)
    log("face", step=5, loss=1.0)
    log("vae", step=20, loss=2.25)  # killed after 30, resumed at the save of 15
    with open(log.path, "a") as file:
        file.write('{"part": "vae", "st')  # killed in mid-line
    kept = [(line["part"], line["step"], line["loss"]) for line in log.lines()]
    assert kept == [("vae", 10, 3.0), ("face", 5, 1.0), ("vae", 20, 2.25)]
    assert Log(tmp_path / "none.jsonl").lines() == []


def test_recipes_fit_their_presets():
    from stages.model.config import PRESETS
    from stages.model.vae import SPACE_STRIDE, latent_length

    assert set(RECIPES) == set(PRESETS)
    for name, recipe in RECIPES.items():
        assert len(recipe.phases) == len(recipe.phase_steps)
        assert sum(phase.share for phase in recipe.phases) == pytest.approx(1.0)
        assert sum(recipe.minute_shares) == pytest.approx(1.0)
        assert [phase.stage for phase in recipe.phases] == sorted(phase.stage for phase in recipe.phases)
        assert {phase.stage for phase in recipe.phases} == {1, 2, 3}
        for phase in recipe.phases:
            assert len(phase.frames) == len(phase.batch)
            assert all(
                frames == HEAD or latent_length(frames) <= latent_length(recipe.clip_frames) for frames in phase.frames
            )
        for bite in (*recipe.vae.bites, recipe.vae.last_bite):
            assert latent_length(bite.frames) and bite.frames <= recipe.clip_frames
            assert bite.side % SPACE_STRIDE == 0 and bite.side <= PRESETS[name].size
        longest = max(max(phase.frames) for phase in recipe.phases)
        assert longest == PRESETS[name].segment_frames, f"{name}: never trained on a whole segment"
    assert RECIPES["tiny"].scaled(2).phase_steps == (6, 4, 4) and RECIPES["tiny"].scaled(0.01).vae.steps == 1


def test_points_of_a_curve_are_at_fixed_steps():
    assert [step for step in range(6) if is_point(step, 4)] == [1, 2, 3]  # the last one is said when it is over
    points = [step for step in range(1500) if is_point(step, 1500)]
    assert len(points) == 39 and points[:2] == [38, 76]
    assert not any(is_point(step, 0) for step in range(5))
