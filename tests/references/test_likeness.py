"""Who is who, on numbers: strangers are never taken, in clips or in a shuffled list; doubt leaves out."""

import numpy as np
import pytest

from stages.references.likeness import Look, same_person

RNG = np.random.default_rng(0)
PEOPLE = [RNG.standard_normal(128) for _ in range(12)]
COLOURS = [RNG.uniform([20, -5, -5], [80, 25, 25], (4, 3)) for _ in range(12)]


def look(person, *, face=True, blur=0.5, rng=RNG):
    numbers = PEOPLE[person] / np.linalg.norm(PEOPLE[person]) + blur * rng.standard_normal(128) / np.sqrt(128)
    numbers = numbers / np.linalg.norm(numbers) if face else np.full(128, np.nan)
    return Look(
        numbers.astype(np.float32), (COLOURS[person] + rng.normal(0, 0.5, (4, 3))).astype(np.float32), np.zeros(4), 1.0
    )


def mixed(shuffled):
    """200 frames: 40 of person 0, the rest of eleven others."""
    who = np.concatenate([np.zeros(40, int), np.arange(160) % 11 + 1])
    who = np.random.default_rng(1).permutation(who) if shuffled else who
    yaw = np.random.default_rng(2).uniform(-90, 90, 200)
    looks = [look(person, face=abs(angle) < 80) for person, angle in zip(who, yaw, strict=True)]
    clips, shots = (np.zeros(200, int), np.arange(200)) if shuffled else (who, np.zeros(200, int))
    return who, yaw, looks, clips.tolist(), shots.tolist()


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_no_stranger_in_a_mixed_list_of_200_frames(shuffled, named):
    who, yaw, looks, clips, shots = mixed(shuffled)
    face = look(0, blur=0.3) if named else None
    ours, likeness = same_person(looks, yaw, clips, shots, face)
    assert (who[ours] == 0).all()
    readable = (np.abs(yaw) < 60) & (who == 0)
    assert ours[readable].mean() > 0.95
    if not shuffled:
        assert ours[who == 0].mean() > 0.95, "in a film the frames turned away belong to the person as well"
    assert np.isnan(likeness[np.abs(yaw) >= 80]).all()


def test_a_face_that_nobody_has_takes_nobody():
    _, yaw, looks, clips, shots = mixed(False)
    stranger = np.random.default_rng(9).standard_normal(128).astype(np.float32)
    somebody = Look(stranger / np.linalg.norm(stranger), np.full((4, 3), np.nan, np.float32), np.zeros(4), 1.0)
    assert not same_person(looks, yaw, clips, shots, somebody)[0].any()


def test_without_any_readable_face_only_one_film_of_one_person_is_taken():
    looks = [look(0, face=False) for _ in range(12)]
    assert same_person(looks, np.full(12, 10.0), [0] * 12, [0] * 12)[0].all()
    assert not same_person(looks, np.full(12, 10.0), [0] * 12, list(range(12)))[0].any(), "single pictures"
    assert not same_person(looks, np.full(12, 10.0), [0] * 6 + [1] * 6, [0] * 12)[0].any(), "two clips"


def test_one_frame_of_somebody_else_in_the_persons_own_shot_is_left_out():
    looks = [look(0) for _ in range(9)] + [look(3)]
    ours, _ = same_person(looks, np.zeros(10), [0] * 10, [0] * 10)
    assert ours[:9].all() and not ours[9]


@pytest.mark.parametrize(("chroma", "joined"), [(20.0, True), (0.0, False)])
def test_black_and_white_films_need_faces_that_are_far_more_alike(chroma, joined):
    rng = np.random.default_rng(4)
    base = PEOPLE[0] / np.linalg.norm(PEOPLE[0])
    away = rng.standard_normal(128)
    away -= (away @ base) * base
    faces = base, 0.65 * base + np.sqrt(1 - 0.65**2) * away / np.linalg.norm(away)  # a cosine of 0.65
    colours = np.tile(np.array([40.0, chroma, 0.0], np.float32), (4, 1))
    looks = [Look(face.astype(np.float32), colours, np.zeros(4), 1.0) for face in faces for _ in range(9)]
    ours, _ = same_person(looks, np.zeros(18), [0] * 9 + [1] * 9, [0] * 18)
    assert ours.sum() == (18 if joined else 9)
