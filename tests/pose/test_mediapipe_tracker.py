"""Following bodies: a made-up body network that sees bright discs, so that the truth is known."""

import numpy as np
import pytest

from stages.core.skeleton import BODY_INDEX
from stages.pose.mediapipe.backend import _Finder, ahead
from stages.pose.mediapipe.details import Details, _settle, settled_face
from stages.pose.mediapipe.detector import Found
from stages.pose.mediapipe.face import FaceResult
from stages.pose.mediapipe.landmarks import BODY_AT, BodyResult, HandResult
from stages.pose.mediapipe.record import Recorder, Sight, body_arrays
from stages.pose.mediapipe.roi import Roi
from stages.pose.mediapipe.search import Search
from stages.pose.mediapipe.tracker import BodyTracker

SIZE = (240, 320)
RED, BLUE = (255, 40, 40), (40, 40, 255)
RADIUS = 24
SIDES = (("left", 1), ("right", -1))


def frame_of(*discs):
    """A grey frame with coloured discs (x, y, colour)."""
    frame = np.full((*SIZE, 3), 20, np.uint8)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    for cx, cy, colour in discs:
        frame[(x - cx) ** 2 + (y - cy) ** 2 <= RADIUS**2] = colour
    return frame


def body_at(x, y, flag):
    points = np.full((39, 2), (x, y), np.float32)
    pairs = {"{}_shoulder": (12, -12), "{}_hip": (8, 12), "{}_eye": (4, -20), "mouth_{}": (2, -15)}
    offsets = {name.format(side): (sign * dx, dy) for name, (dx, dy) in pairs.items() for side, sign in SIDES}
    for name, offset in offsets.items():
        points[BODY_AT[name]] += offset
    roi = Roi(float(x), float(y), 4.0 * RADIUS)
    return BodyResult(points, np.zeros((33, 3), np.float32), np.ones(33, np.float32), flag, roi)


class Discs:
    """Finds coloured discs in a region: stands for the detector and for the body network."""

    def middles(self, picture, roi):
        bright = picture.frame_u8.astype(int).max(axis=2) > 100
        found = []
        for colour in (0, 2):
            y, x = np.nonzero(bright & (picture.frame_u8[..., colour] > 200))
            if len(x) and np.hypot(x.mean() - roi.x, y.mean() - roi.y) < 0.5 * roi.side:
                found.append((x.mean(), y.mean()))
        return sorted(found, key=lambda p: np.hypot(p[0] - roi.x, p[1] - roi.y))

    def find(self, picture, region, min_score=0.5):
        return [
            Found(np.array([[x, y], [x, y - 1.6 * RADIUS], [x, y], [x, y]]), np.array([x, y]), 2.0 * RADIUS, 0.9)
            for x, y in self.middles(picture, region)
        ]

    def __call__(self, picture, roi):
        found = self.middles(picture, roi)
        return body_at(*found[0], 0.99) if found else body_at(roi.x, roi.y, 0.01)


class NoFaces:
    def find(self, picture, region, min_score=0.5):
        return []


def follow(frames, people=4, retry=3, rescan=2):
    from stages.pose.mediapipe.roi import Picture

    discs = Discs()
    tracker = BodyTracker(discs, Search(discs, NoFaces(), discs), people, retry, rescan, 2)
    return [tracker.update(Picture(frame)) for frame in frames]


def test_a_moving_body_keeps_its_number_and_place():
    path = [(60 + 5 * t, 100 + 2 * t) for t in range(20)]
    seen = follow([frame_of((*p, RED)) for p in path])
    assert all(list(s) == [0] for s in seen)
    error = max(np.abs(s[0].points_px[0] - p).max() for s, p in zip(seen, path, strict=True))
    assert error < 0.5, error


def test_nobody_is_invented_and_a_body_that_leaves_is_gone():
    here, empty = frame_of((100, 100, RED)), frame_of()
    seen = follow([empty, here, here, empty, empty, empty])
    assert [sorted(s) for s in seen][0] == [] and [sorted(s) for s in seen][3:] == [[], [], []]
    assert sum(0 in s for s in seen) >= 1


def test_the_same_person_comes_back_with_the_same_number_another_with_a_new_one():
    red, blue, empty = frame_of((100, 100, RED)), frame_of((220, 120, BLUE)), frame_of()
    seen = follow([red] * 4 + [empty] * 8 + [red] * 4 + [empty] * 8 + [blue] * 4)
    assert 0 in seen[15] and list(seen[-1]) == [1], [sorted(s) for s in seen]


def test_two_people_are_two_numbers():
    seen = follow([frame_of((60 + t, 100, RED), (250 - t, 110, BLUE)) for t in range(12)])
    assert sorted(seen[-1]) == [0, 1]
    first = {n: b.points_px[0, 0] for n, b in seen[3].items()}
    last = {n: b.points_px[0, 0] for n, b in seen[-1].items()}
    assert all(abs(first[n] - last[n]) < 15 for n in first), (first, last)


def test_only_as_many_people_as_asked():
    assert all(len(s) <= 1 for s in follow([frame_of((60, 100, RED), (250, 110, BLUE))] * 6, people=1))


def test_recorder_picks_by_side_and_marks_absence():
    recorder = Recorder(SIZE)
    for t in range(6):
        sights = {0: Sight(body_at(60, 100, 1.0), None, {})}
        if t >= 2:
            sights[1] = Sight(body_at(250, 100, 1.0), None, {})
        recorder.add(sights)
    assert recorder.people() == {0: 6, 1: 4}
    track = recorder.track("right", fps=25.0)
    assert track.present.tolist() == [False, False, True, True, True, True]
    assert track.person_id.tolist() == [-1, -1, 1, 1, 1, 1] and np.isnan(track.joints_px[0]).all()
    assert not track.joint_valid[:2].any() and track.joint_score[0].max() == 0


def test_joints_are_mapped_by_name_and_middles_are_middles():
    body = body_at(100, 90, 1.0)
    world = np.random.default_rng(0).normal(size=(33, 3)).astype(np.float32)
    out = body_arrays(BodyResult(body.points_px, world, body.visibility, 1.0, body.next_roi), SIZE)
    px, metres = out["joints_px"], out["joints_m"]
    for name in ("nose", "left_shoulder", "right_big_toe", "left_heel"):
        assert np.allclose(px[BODY_INDEX[name]], body.points_px[BODY_AT[name]])
    assert np.allclose(px[BODY_INDEX["neck"]], [100, 78]) and np.allclose(metres[BODY_INDEX["pelvis"]], 0)
    hips = world[[BODY_AT["left_hip"], BODY_AT["right_hip"]]].mean(0)
    assert np.allclose(metres[BODY_INDEX["nose"]], world[0] - hips, atol=1e-6)
    for name in ("left_small_toe", "right_small_toe"):
        assert np.isnan(px[BODY_INDEX[name]]).all() and not out["joint_valid"][BODY_INDEX[name]]


def test_a_joint_outside_the_picture_is_not_valid():
    out = body_arrays(body_at(5, 5, 1.0), SIZE)
    assert not out["joint_valid"][BODY_INDEX["right_shoulder"]] and out["joint_valid"][BODY_INDEX["left_hip"]]


def hand_at(x, left, presence=1.0):
    points = np.column_stack([np.linspace(x, x + 20, 21), np.linspace(50, 90, 21)]).astype(np.float32)
    return HandResult(points, np.zeros((21, 3), np.float32), presence, left, Roi(x, 70, 60))


def test_one_hand_found_twice_goes_to_its_side():
    body = body_at(100, 90, 1.0)
    assert list(_settle({"left": hand_at(50, 0.95), "right": hand_at(51, 0.97)}, body)) == ["left"]
    assert list(_settle({"left": hand_at(50, 0.05), "right": hand_at(51, 0.02)}, body)) == ["right"]
    assert len(_settle({"left": hand_at(50, 0.9), "right": hand_at(140, 0.9)}, body)) == 2
    assert len(_settle({"left": hand_at(50, 0.95), "right": hand_at(52, 0.05)}, body)) == 2  # palms pressed together


@pytest.mark.parametrize("depth", [0, 3])
def test_items_made_ahead_keep_order_and_errors(depth):
    def items():
        yield from range(5)
        raise KeyError("maker")

    seen = []
    with pytest.raises(KeyError, match="maker"):
        for item in ahead(items(), depth):
            seen.append(item)
    assert seen == [0, 1, 2, 3, 4]


def test_a_consumer_who_stops_stops_the_maker():
    made = []

    def items():
        for i in range(1000):
            made.append(i)
            yield i

    stream = ahead(items(), 2)
    assert next(stream) == 0
    stream.close()
    assert len(made) < 10


class TooFrontal:
    """A face network that is right only on a region of the right size: elsewhere unsure, and the next region nearer."""

    def __init__(self, right_side, presence):
        self.right_side, self.presence, self.runs = right_side, presence, 0

    def __call__(self, picture, roi, min_presence):
        self.runs += 1
        off = roi.side / self.right_side - 1.0
        nearer = Roi(roi.x, roi.y, self.right_side * (1.0 + 0.4 * off))
        points = np.full((478, 3), off, np.float32)
        return FaceResult(points, self.presence * (1.0 if off < 0.1 else 0.03), nearer)


def test_a_face_in_profile_is_believed_on_its_settled_region_not_on_the_detectors():
    network = TooFrontal(100.0, 0.95)
    result = settled_face(None, network, Roi(50.0, 50.0, 140.0))
    assert result.presence == 0.95 and network.runs <= 5
    assert result.points_px.max() < 0.1, "the mesh of the first, too large region was kept"


def test_a_region_without_a_face_costs_one_run():
    network = TooFrontal(100.0, 0.0)
    assert settled_face(None, network, Roi(50.0, 50.0, 140.0)).presence == 0.0
    assert network.runs == 1


def test_a_face_in_profile_that_only_the_detectors_region_shows_is_kept():
    network = TooFrontal(100.0, 0.95)

    def sure_at_first(picture, roi, min_presence):
        result = network(picture, roi, min_presence)
        return FaceResult(result.points_px, 0.8 if network.runs == 1 else 0.2, result.next_roi)

    assert settled_face(None, sure_at_first, Roi(50.0, 50.0, 140.0)).presence == 0.8


class FaceAt:
    """A face network that sees one face, near its place."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __call__(self, picture, roi, min_presence):
        near = np.hypot(roi.x - self.x, roi.y - self.y) < 30
        points = np.full((478, 3), 1.0, np.float32)
        return FaceResult(points, 0.9 if near else 0.0, Roi(self.x, self.y, 60.0))


def test_a_face_stays_when_the_body_of_a_close_up_is_lost():
    face = FaceAt(100.0, 90.0)
    finder = _Finder(face=face, near=NoFaces(), far=NoFaces(), hand=None, palms=None)
    finder._details[3] = Details(face, NoFaces(), NoFaces(), None, None, _face_roi=Roi(102.0, 91.0, 60.0))
    for _ in range(3):
        sights = finder.sights(None, {}, {})
        assert list(sights) == [3] and sights[3].body is None and sights[3].face.presence == 0.9
