"""The rtmlib backend on tiny networks in the real file format: what it must map, and the traps it must not fall into.

The networks are written by hand (an ONNX file is a small protobuf), so no further package is needed. Their scores are a
function of one colour channel: a swapped channel order shows as lost scores.
"""

import numpy as np
import pytest

from stages.core.errors import ResourceError, UsageError, WeightsError
from stages.core.skeleton import BODY_INDEX
from stages.pose.rtmlib_backend import KNOWN_FILES, RtmlibBackend, RtmlibParams, find_file
from stages.pose.yolox import decode_boxes, suppress

DET = 64  # both sides of the detector's input
POSE_W, POSE_H, POSE_Z = 48, 64, 64
RED, BLUE = (255, 0, 0), (0, 0, 255)


# ---- a writer for tiny ONNX files ---------------------------------------------------------------------------------


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, payload: bytes | str) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name: str, array: np.ndarray) -> bytes:
    kind = {np.dtype("float32"): 1, np.dtype("int64"): 7}[array.dtype]
    dims = b"".join(number(1, side) for side in array.shape)
    return dims + number(2, kind) + block(8, name) + block(9, array.tobytes())


def node(kind: str, inputs: list[str], output: str, **attributes) -> bytes:
    out = b"".join(block(1, name) for name in inputs) + block(2, output) + block(4, kind)
    for name, value in attributes.items():
        many = isinstance(value, list)
        body = b"".join(number(8, v) for v in value) if many else number(3, value)
        out += block(5, block(1, name) + body + number(20, 7 if many else 2))
    return out


def value_info(name: str, shape: tuple[int, ...], kind: int = 1) -> bytes:
    dims = b"".join(block(1, number(1, side)) for side in shape)
    return block(1, name) + block(2, block(1, number(1, kind) + block(2, dims)))


def model(nodes, tensors, inputs, outputs) -> bytes:
    graph = b"".join(block(1, n) for n in nodes) + block(2, "tiny") + b"".join(block(5, t) for t in tensors)
    graph += b"".join(block(11, i) for i in inputs) + b"".join(block(12, o) for o in outputs)
    return number(1, 8) + block(7, graph) + block(8, number(2, 13))


def brightness(channel: int) -> tuple[list[bytes], list[bytes]]:
    """Nodes that make `light` [1, 1, 1]: the mean of one input channel."""
    nodes = [
        node("Gather", ["input", "channel"], "plane", axis=1),
        node("ReduceMean", ["plane"], "mean", axes=[1, 2, 3], keepdims=0),
        node("Reshape", ["mean", "ones"], "light"),
    ]
    return nodes, [tensor("channel", np.array([channel])), tensor("ones", np.array([1, 1, 1]))]


def write_detector(path, boxes_01, classes=None):
    """A YOLOX with suppression inside: fixed boxes, score = red / 255 when it is fed BGR."""
    dets = np.array([[*(np.array(box) * DET), 1 / 255] for box in boxes_01], np.float32).reshape(1, -1, 5)
    only_score = np.tile(np.array([0, 0, 0, 0, 1], np.float32), (1, dets.shape[1], 1))
    labels = np.array([classes or [0] * dets.shape[1]], np.int64)
    nodes, tensors = brightness(2)
    nodes += [
        node("Sub", ["light", "one"], "less"),
        node("Mul", ["less", "only_score"], "gain_less"),
        node("Add", ["gain_less", "one"], "gain"),  # 1 for the boxes, `light` for the scores
        node("Mul", ["boxes", "gain"], "dets"),
        node("Identity", ["fixed_labels"], "labels"),
    ]
    tensors += [tensor("one", np.ones((1, 1, 1), np.float32)), tensor("only_score", only_score)]
    tensors += [tensor("boxes", dets), tensor("fixed_labels", labels)]
    outputs = [value_info("dets", dets.shape), value_info("labels", labels.shape, 7)]
    path.write_bytes(model(nodes, tensors, [value_info("input", (1, 3, DET, DET))], outputs))
    return str(path)


def bins(count: int, size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(4, 2 * size - 4, count)


def write_pose(path, dims=2, points=133, channel=0):
    """A SimCC network: fixed peaks, height = sigmoid of the normalised mean of a channel, red when it is fed RGB."""
    nodes, tensors = brightness(channel)
    nodes.append(node("Sigmoid", ["light"], "height"))
    outputs = []
    for axis, size in list(zip("xyz", (POSE_W, POSE_H, POSE_Z), strict=True))[:dims]:
        peaks = np.zeros((1, points, 2 * size), np.float32)
        peaks[0, np.arange(points), bins(points, size, ord(axis))] = 1.0
        tensors.append(tensor(f"peaks_{axis}", peaks))
        nodes.append(node("Mul", [f"peaks_{axis}", "height"], f"simcc_{axis}"))
        outputs.append(value_info(f"simcc_{axis}", peaks.shape))
    path.write_bytes(model(nodes, tensors, [value_info("input", (1, 3, POSE_H, POSE_W))], outputs))
    return str(path)


def frame(colour, size=(240, 320)) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (*size, 3)).copy()


def expected_px(box_px, points=133):
    """Where the fixed peaks lie in the frame: the box widened by 1.25 to the network's aspect, bins of half a pixel."""
    box = np.array(box_px, np.float64)
    middle, side = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 1.25
    aspect = POSE_W / POSE_H
    side = (
        np.array([side[0], side[0] / aspect]) if side[0] > side[1] * aspect else np.array([side[1] * aspect, side[1]])
    )
    peak = np.stack([bins(points, POSE_W, ord("x")), bins(points, POSE_H, ord("y"))], -1) / 2
    return peak / [POSE_W, POSE_H] * side + middle - side / 2


ONE_BOX = [(0.25, 0.2, 0.5, 0.7)]
ONE_BOX_PX = np.array([0.25, 0.2, 0.5, 0.7]) * 320  # the detector sees the frame at 64 / 320


@pytest.fixture
def backend(tmp_path):
    def make(dims=2, boxes=ONE_BOX, classes=None, **params):
        files = {
            "detector": write_detector(tmp_path / "detector.onnx", boxes, classes),
            "pose": write_pose(tmp_path / f"pose{dims}.onnx", dims),
        }
        return RtmlibBackend(RtmlibParams(dims=dims, **{**files, **params}))

    return make


# ---- tests --------------------------------------------------------------------------------------------------------


def test_points_land_in_the_right_joints_hands_and_face(backend):
    track = backend().process([frame(RED)] * 3, 25.0)
    points = expected_px(ONE_BOX_PX)
    np.testing.assert_allclose(track.joints_px[0, :23], points[:23], atol=1e-3)
    np.testing.assert_allclose(track.hands_px[0, 0], points[91:112], atol=1e-3)
    np.testing.assert_allclose(track.hands_px[0, 1], points[112:133], atol=1e-3)
    np.testing.assert_allclose(track.face_px[0, :, :2], points[23:91], atol=1e-3)
    assert np.isnan(track.face_px[..., 2]).all(), "a 2D network says nothing about depth"
    neck = (points[5] + points[6]) / 2
    np.testing.assert_allclose(track.joints_px[0, BODY_INDEX["neck"]], neck, atol=1e-3)
    np.testing.assert_allclose(track.box_px[0], ONE_BOX_PX, rtol=1e-4)
    assert track.present.all() and (track.person_id == 0).all() and track.hand_valid.all() and track.face_valid.all()
    assert track.face_layout == "ibug68" and len(track.weights["pose"]["sha256"]) == 64
    assert np.isfinite(track.joints_m).all() and np.abs(track.joints_m[:, BODY_INDEX["pelvis"]]).max() == 0


def test_detector_is_fed_bgr_and_the_pose_network_rgb(backend):
    red, blue = backend().process([frame(RED)], 25.0), backend().process([frame(BLUE)], 25.0)
    assert red.present[0] and red.joint_score[0].min() > 0.85, f"red: scores {red.joint_score[0]}"
    assert not blue.present[0], "the detector reads red; with RGB it would find someone in a blue frame"


def test_nobody_found_means_the_pose_network_is_not_asked(backend):
    made = backend()
    calls = []
    made._pose.inference = lambda crop: calls.append(crop)
    track = made.process([frame(BLUE)] * 4, 25.0)
    assert not calls and not track.present.any() and (track.person_id == -1).all()
    assert np.isnan(track.joints_px).all() and np.isnan(track.box_px).all() and not track.joint_score.any()


def test_appears_disappears_and_comes_back(backend):
    frames = [frame(RED)] * 3 + [frame(BLUE)] * 2 + [frame(RED)] * 3
    track = backend().process(iter(frames), 25.0)
    assert track.present.tolist() == [True] * 3 + [False] * 2 + [True] * 3
    assert set(track.person_id[track.present].tolist()) == {0}


def test_other_classes_are_not_people(backend):
    boxes = [(0.0, 0.0, 0.9, 0.7), *ONE_BOX]
    track = backend(boxes=boxes, classes=[16, 0]).process([frame(RED)], 25.0)
    np.testing.assert_allclose(track.box_px[0], ONE_BOX_PX, rtol=1e-4)


@pytest.mark.parametrize(("person", "index"), [("largest", 1), ("left", 0), ("right", 2), ("center", 1)])
def test_person_is_picked(backend, person, index):
    boxes = [(0.05, 0.3, 0.2, 0.6), (0.35, 0.1, 0.65, 0.7), (0.8, 0.3, 0.95, 0.6)]
    track = backend(boxes=boxes, person=person).process([frame(RED)] * 2, 25.0)
    np.testing.assert_allclose(track.box_px[0], np.array(boxes[index]) * 320, rtol=1e-4)


def test_three_dimensions(backend):
    track = backend(dims=3).process([frame(RED)] * 2, 25.0)
    np.testing.assert_allclose(track.joints_px[0, :23], expected_px(ONE_BOX_PX)[:23], atol=1e-3)
    depth = (bins(133, POSE_Z, ord("z")) / 2 / (POSE_Z / 2) - 1) * 2.1744869
    root = (depth[11] + depth[12]) / 2
    np.testing.assert_allclose(track.joints_m[0, :17, 2], depth[:17] - root, atol=1e-4)
    np.testing.assert_allclose(track.hands_m[0, 0, :, 2], depth[91:112] - depth[91], atol=1e-4)
    assert np.isfinite(track.face_px).all() and track.backend == "rtmlib 3D"


def test_stdout_stays_silent(backend, capfd):
    backend().process([frame(RED)], 25.0)
    assert capfd.readouterr().out == ""


def test_missing_weights_name_the_remedy_and_nothing_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr("urllib.request.urlopen", lambda *a, **k: pytest.fail("asked the network"))
    monkeypatch.setenv("DREAMACTOR_CACHE", str(tmp_path / "ours"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "theirs"))
    with pytest.raises(WeightsError, match=r"no such file"):
        RtmlibBackend(RtmlibParams(detector=str(tmp_path / "mistyped.onnx")))
    with pytest.raises(WeightsError, match=r"Put an RTMPose ONNX file there"):
        RtmlibBackend(RtmlibParams())
    folder = tmp_path / "theirs" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / f"{KNOWN_FILES['pose3d'][0]}.onnx").write_bytes(b"x")
    assert find_file("pose3d").parent == folder
    assert not (tmp_path / "ours").exists()


def test_files_that_are_no_network_or_the_wrong_one(tmp_path, backend):
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(WeightsError, match="not a network"):
        backend(detector=str(tmp_path / "text.onnx"))
    with pytest.raises(WeightsError, match=r"expected 2 of \[N, 133, bins\]"):
        backend(pose=write_pose(tmp_path / "body17.onnx", points=17))
    with pytest.raises(WeightsError, match=r"expected 3 of"):
        backend(dims=3, pose=write_pose(tmp_path / "flat.onnx"))


def test_devices(backend):
    with pytest.raises(UsageError, match="expected cpu, cuda"):
        backend(device="gpu")
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        with pytest.raises(ResourceError, match="no CUDAExecutionProvider"):
            backend(device="cuda")


def test_raw_yolox_cells_are_decoded_and_only_people_count():
    raw = np.zeros((1, 84, 5 + 80), np.float32)
    raw[0, 9, :6] = [0.5, 0.25, np.log(2), np.log(3), 0.9, 0.9]  # second row of the stride-8 grid, cell (1, 1)
    raw[0, 10, :6] = [0.0, 0.25, np.log(2), np.log(3), 0.9, 0.8]  # nearly the same box: suppressed
    raw[0, 40, 4], raw[0, 40, 5 + 16] = 0.99, 0.99  # a dog
    box, score = decode_boxes([raw], 0.5, (64, 64))
    np.testing.assert_allclose(score, [0.81], rtol=1e-6)
    np.testing.assert_allclose(box, [[(12 - 8) / 0.5, (10 - 12) / 0.5, (12 + 8) / 0.5, (10 + 12) / 0.5]], rtol=1e-6)
    with pytest.raises(WeightsError, match="84"):
        decode_boxes([raw], 1.0, (96, 96))


def test_suppress_keeps_the_best_of_each_heap():
    box = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10], [0.0, 0, 10, 9]])
    assert suppress(box, np.array([0.5, 0.9, 0.4, 0.8])) == [1, 2]
