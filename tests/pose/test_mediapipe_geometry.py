"""Anchors, suppression and regions of the mediapipe backend against closed forms."""

import numpy as np
import pytest

from stages.pose.mediapipe.anchors import (
    FACE_FULL_SSD,
    FACE_SHORT_SSD,
    PALM_SSD,
    POSE_SSD,
    Boxes,
    anchor_centers,
    box_iou,
    decode_boxes,
    weighted_suppression,
)
from stages.pose.mediapipe.detector import tiles, whole_frame
from stages.pose.mediapipe.roi import Picture, Roi, roi_from_circle, roi_from_points, wrap_angle


@pytest.mark.parametrize(
    ("spec", "count"), [(POSE_SSD, 2254), (PALM_SSD, 2016), (FACE_SHORT_SSD, 896), (FACE_FULL_SSD, 2304)]
)
def test_as_many_anchors_as_the_networks_have_rows(spec, count):
    centers = anchor_centers(spec)
    assert centers.shape == (count, 2) and centers.dtype == np.float32
    first = spec.strides[0] / spec.input_px / 2
    assert np.allclose(centers[0], first) and np.allclose(centers[-1], 1 - spec.strides[-1] / spec.input_px / 2)
    per_first = spec.per_cell * sum(1 for stride in spec.strides if stride == spec.strides[0])
    assert np.allclose(centers[per_first], [3 * first, first])  # x runs fastest


def test_decoding_puts_boxes_and_points_at_their_anchor():
    centers = anchor_centers(PALM_SSD)
    regression, logits = np.zeros((len(centers), 18), np.float32), np.full(len(centers), -50.0, np.float32)
    regression[700, :6] = [19.2, -9.6, 38.4, 19.2, 96, 0]
    logits[700] = 2.0
    found = decode_boxes(regression, logits, centers, PALM_SSD, 0.5)
    x, y = centers[700]
    assert len(found) == 1 and found.score[0] == pytest.approx(1 / (1 + np.exp(-2)))
    assert np.allclose(found.box_01[0], [x, y - 0.1, x + 0.2, y], atol=1e-6)
    assert np.allclose(found.points_01[0, 0], [x + 0.5, y], atol=1e-6)


def test_overlap_of_boxes():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [1, 1, 1, 1]], float)
    assert np.allclose(box_iou(np.array([0.0, 0, 2, 2]), boxes), [1, 1 / 3, 0, 0])


def test_suppression_averages_a_cluster_by_score_and_keeps_the_rest():
    box = np.array([[0, 0, 1, 1], [0.1, 0, 1.1, 1], [5, 5, 6, 6]], np.float32)
    found = weighted_suppression(Boxes(box, box[:, None, :2], np.array([0.6, 0.9, 0.7], np.float32)))
    assert np.allclose(found.score, [0.9, 0.7])
    assert np.allclose(found.box_01, [[0.06, 0, 1.06, 1], [5, 5, 6, 6]], atol=1e-6)
    assert np.allclose(found.points_01[0, 0], [0.06, 0], atol=1e-6)
    assert len(weighted_suppression(Boxes(box[:0], box[:0, None, :2], np.zeros(0, np.float32)))) == 0


def test_region_there_and_back():
    roi = Roi(100.5, 40.0, 80.0, 0.7)
    points = np.random.default_rng(0).random((20, 2))
    error = np.abs(roi.to_local(roi.to_frame(points)) - points).max()
    assert error < 1e-12, error
    assert np.allclose(roi.to_frame(np.array([0.5, 0.5])), [100.5, 40.0])
    up = Roi(0, 0, 10, np.pi / 2).to_frame(np.array([0.5, 0.0]))  # a quarter turn clockwise: up becomes right
    assert np.allclose(up, [5, 0])
    assert np.allclose(Roi(0, 0, 1, np.pi / 2).turned(np.array([[0.0, -1.0, 7.0]])), [[1, 0, 7]])


def test_region_from_a_circle_and_from_points():
    roi = roi_from_circle(np.array([10.0, 20.0]), np.array([10.0, 12.0]), 1.25)
    assert (roi.x, roi.y, roi.side) == (10, 20, 20) and abs(roi.angle_rad) < 1e-12
    assert roi_from_circle(np.zeros(2), np.array([3.0, 0.0]), 1.0).angle_rad == pytest.approx(np.pi / 2)
    square = Roi(50, 60, 40, 0.4).corners()
    again = roi_from_points(square, 0.4, 1.5)
    assert np.allclose([again.x, again.y, again.side], [50, 60, 60])
    assert wrap_angle(3 * np.pi / 2) == pytest.approx(-np.pi / 2)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize(
    ("roi", "side"), [(Roi(61, 47, 40, 0.5), 64), (Roi(60, 50, 96, -0.3), 24), (Roi(60, 50, 100), 12)]
)
def test_crop_shows_a_blob_where_to_frame_says(roi, side, mirror):
    """Closed form: the centre of mass of a Gaussian blob in the crop, brought back, is the blob's centre."""
    height, width = 100, 120
    y, x = np.mgrid[:height, :width]
    center = np.array([66.0, 52.0])
    blob = 255 * np.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * 5.0**2))
    crop = Picture(np.repeat(blob.round().astype(np.uint8)[..., None], 3, axis=2)).crop(roi, side, mirror=mirror)
    assert crop.shape == (side, side, 3) and crop.dtype == np.uint8
    weight = crop[..., 0].astype(float)
    v, u = np.mgrid[:side, :side]
    local = (np.array([(u * weight).sum(), (v * weight).sum()]) / weight.sum() + 0.5) / side
    if mirror:
        local[0] = 1 - local[0]
    error = np.abs(roi.to_frame(local) - center).max()
    assert error < 0.15, f"{error:.3f} px"


def test_outside_of_the_frame_is_black():
    crop = Picture(np.full((20, 20, 3), 200, np.uint8)).crop(Roi(9.5, 9.5, 40), 40)
    assert (crop[:9] == 0).all() and (crop[12:28, 12:28] == 200).all()


def test_tiles_cover_every_pixel_and_stay_inside():
    for size, side in (((720, 1280), 320.0), ((1280, 720), 720.0), ((100, 100), 300.0)):
        seen = np.zeros(size, bool)
        for roi in tiles(size, side):
            x0, y0 = max(round(roi.x - side / 2 + 0.5), 0), max(round(roi.y - side / 2 + 0.5), 0)
            seen[y0 : y0 + round(side), x0 : x0 + round(side)] = True
        assert seen.all(), (size, side)
    whole = whole_frame((720, 1280))
    assert (whole.x, whole.y, whole.side) == (639.5, 359.5, 1280)
