import cv2
import numpy as np
import pytest

from stages.core.errors import UsageError
from stages.metrics import identity, mean
from stages.metrics.faces import FaceEmbedder, FaceFinder, FaceFollower
from stages.metrics.interface import ClipArrays
from tests.metrics.collecting import assert_blocks_change_nothing, assert_fits_specs, collect
from tests.metrics.people import need, person_clip

OPTIONS = identity.Options(segment=2)


@pytest.fixture(scope="module", autouse=True)
def networks():
    need(*identity.NETWORKS)


@pytest.fixture(scope="module")
def one():
    return person_clip(600_012, "portrait").frames_u8


@pytest.fixture(scope="module")
def other():
    return person_clip(600_071, "half").frames_u8


def without_face(video, frames):
    hidden = video.copy()
    hidden[frames] = 90
    return hidden


def test_the_real_video_against_itself_is_one_and_another_person_is_far(one, other):
    itself = collect(identity, OPTIONS, one, one, reference_frame=0)
    assert np.abs(itself["to_real"] - 1).max() < 1e-6 and itself["found"].all() and itself["expected"].all()
    assert itself["to_reference"][0] == pytest.approx(1, abs=1e-6) and itself["to_reference"].min() > 0.6
    stranger = collect(identity, OPTIONS, other, one, reference_frame=0)
    assert stranger["to_real"].max() < 0.45 < 0.6 < itself["to_reference"].min()


def test_frames_without_a_face_are_missing_and_cost_in_the_worst_case(one):
    hidden = without_face(one, slice(3, 5))
    arrays = collect(identity, OPTIONS, hidden, one, reference_frame=0)
    assert arrays["found"].tolist() == [True, True, True, False, False, True]
    assert np.isnan(arrays["to_real"][3:5]).all() and np.isfinite(arrays["to_real"][[0, 1, 2, 5]]).all()
    assert np.isnan(arrays["embedding"][3:5]).all()
    options = mean.Options(array="to_reference", exclude_reference=True, worst=-1.0)
    summary = mean.summarise(options, [ClipArrays("clip", 0, arrays)])
    assert summary.coverage == pytest.approx(3 / 5)
    assert summary.imputed < summary.value - 0.5


def test_a_frame_in_which_the_real_video_shows_no_face_is_not_expected(one):
    arrays = collect(identity, OPTIONS, one, without_face(one, slice(1, 2)), reference_frame=0)
    assert arrays["expected"].tolist() == [True, False, True, True, True, True]
    assert np.isnan(arrays["to_real"][1]) and np.isfinite(arrays["to_reference"][1])
    options = mean.Options(array="to_real", among="expected", exclude_reference=False, worst=-1.0)
    summary = mean.summarise(options, [ClipArrays("clip", 0, arrays)])
    assert summary.coverage == 1 and summary.n_samples == 5 and summary.imputed == summary.value


def test_of_two_faces_the_one_near_the_real_face_counts(one, other):
    """The generated frame shows a stranger larger and to the left, the person to the right as in the real video."""
    height = width = one.shape[1]
    real = np.full((len(one), height, 3 * width, 3), 90, np.uint8)
    real[:, :, 2 * width :] = one
    generated = real.copy()
    face = cv2.resize(other[0, 20:75, 65:120], (width, height), interpolation=cv2.INTER_CUBIC)
    generated[:, :, :width] = face
    with_stranger = collect(identity, OPTIONS, generated, real)
    assert len(FaceFinder(0.6).find(generated[0])) == 2
    assert with_stranger["to_real"].min() > 0.99
    photo_decides = collect(identity, OPTIONS, generated, reference_u8=one[0])
    assert photo_decides["to_reference"].min() > 0.6


def test_without_a_real_video_reference_and_drift_are_left(one, other):
    arrays = collect(identity, OPTIONS, one, reference_u8=one[0])
    assert arrays["expected"].all() and arrays["to_reference"].min() > 0.6
    assert np.isnan(arrays["to_real"]).all() and np.isnan(arrays["real_drift_first"]).all()
    bare = collect(identity, OPTIONS, one)
    assert np.isnan(bare["to_reference"]).all() and bare["drift_first"][0] == pytest.approx(1)
    no_face = collect(identity, OPTIONS, one, reference_u8=np.full((64, 64, 3), 90, np.uint8))
    assert np.isnan(no_face["to_reference"]).all()


def test_drift_sees_the_person_turn_into_another(one, other):
    first = np.concatenate([one[:2], one[:2], other[:2]])
    arrays = collect(identity, OPTIONS, first, reference_u8=one[0])
    assert arrays["drift_first"].shape == (3,)
    assert np.abs(arrays["drift_first"][:2] - 1).max() < 1e-6 and arrays["drift_first"][2] < 0.45
    line = np.polyfit([0, 2, 4], arrays["drift_first"], 1)[0] * 100
    assert arrays["slope_first"] == pytest.approx(line, rel=1e-9)
    assert arrays["slope_reference"] < 0


def test_the_embedding_does_not_depend_on_size_much(one):
    """A face twice as large in a picture twice as large is the same face."""
    finder, embedder = FaceFinder(0.6), FaceEmbedder()
    large = cv2.resize(one[0], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    a, b = (embedder.embed(frame, finder.find(frame)[0]) for frame in (one[0], large))
    assert float(a @ b) > 0.85


def test_a_follower_keeps_to_a_face_and_lets_nobody_jump_in():
    def face(x, size=10.0):
        return np.array([[x, 0, size, size, *[0] * 10, 0.9]], np.float32)

    follower = FaceFollower()
    assert follower.choose(np.concatenate([face(0), face(100, 20)]))[0] == 100  # the largest
    assert follower.choose(np.concatenate([face(0, 40), face(110)]))[0] == 110  # the nearest, not the largest
    assert follower.choose(face(0)) is None and follower.choose(face(0)[:0]) is None
    assert follower.choose(face(112))[0] == 112


def test_threads_and_blocks_change_nothing(one, other):
    assert_fits_specs(identity, OPTIONS, collect(identity, OPTIONS, one, one, reference_frame=0))
    assert_blocks_change_nothing(identity, OPTIONS, other, one, lengths=(4,), reference_frame=0)
    before, found = cv2.getNumThreads(), []
    try:
        for threads in (1, 4):
            cv2.setNumThreads(threads)
            found.append(collect(identity, OPTIONS, other, one, reference_frame=0)["embedding"])
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*found), np.abs(found[0] - found[1]).max()


def test_wrong_options_in_one_line():
    with pytest.raises(UsageError, match="segment 0, expected"):
        identity.Options(segment=0)
