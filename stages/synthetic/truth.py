"""Exact joints of a posed person in the project's names and conventions, and which of them the camera sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.skeleton import BODY_JOINTS, HAND_JOINTS
from stages.synthetic import kernels
from stages.synthetic.character import BODY_VERTICES, Character, Pose
from stages.synthetic.face_points import FACE_COUNT, FacePoints
from stages.synthetic.orders import SMPLX_BONES

FLIP = np.diag([1.0, -1.0, -1.0])  # y up and z towards the viewer -> y down and z away; the same for the head
BODY_BONES = {
    "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist", "hip": "upperleg01", "knee": "lowerleg01",
    "ankle": "foot",
}  # fmt: skip
TOE_TAILS = {"big_toe": "toe1-2", "small_toe": "toe5-3"}
FINGERS = ("thumb", "index", "middle", "ring", "pinky")  # finger1..finger5 of the rig
SIDE_LETTERS = {"left": "L", "right": "R"}
FACE_SLACK_M = 0.01  # a face point this far under hair or lashes still counts as seen
HEAD_BONES = ("oculi", "orbicularis", "levator", "risorius", "temporalis", "special")


@dataclass(frozen=True)
class JointTruth:
    """Camera axes, metres: body f64 [25,3]; hands f64 [2,21,3], left first; face f64 [68,3]; smplx f64 [55,3]; centres
    f64 [3]; R_cam_head f64 [3,3].
    """

    body_m: np.ndarray
    hands_m: np.ndarray
    face_m: np.ndarray
    smplx_m: np.ndarray
    head_center_m: np.ndarray
    face_center_m: np.ndarray
    R_cam_head: np.ndarray


class JointReader:
    """Reads joints off one person. Surface points (nose, eyes, ears, heels) are chosen once, at rest, by shape.

    head_radius_m   half of chin to crown; the sphere's centre is mid-way chin to crown and face to back of the head
    thickness_m     f64 [25 + 42 + 68 + 55] how far each joint of JointTruth, in that order, may lie under the surface
                    and still count as seen
    """

    def __init__(self, character: Character) -> None:
        self.character = character
        rest = character.rest_dm
        weight = character.assets.weight
        anchors = _anchor_vertices(character)
        self._anchor_names = list(anchors)
        self._anchor_ids = np.concatenate(list(anchors.values()))
        self._anchor_start = np.cumsum([0] + [len(ids) for ids in anchors.values()])[:-1]
        self._anchor_bone, self._anchor_weight = kernels.largest_weights(weight[self._anchor_ids])
        self._face = FacePoints(character.assets)
        self._smplx = [character.assets.bone_index[bone] for bone in SMPLX_BONES.values()]
        bones = character.assets.bone_names
        on_head = [at for at, bone in enumerate(bones) if bone in ("head", "jaw") or bone.startswith(HEAD_BONES)]
        skull = rest[:BODY_VERTICES][weight[:BODY_VERTICES][:, on_head].sum(1) > 0.6]
        low, high = skull.min(0), skull.max(0)
        self._head_center_dm = (low + high).astype(np.float64) / 2
        self._radius_dm = float(high[1] - low[1]) / 2
        self._face_center_dm = self._head_center_dm + np.array([0.0, -0.15, 0.55 * self._radius_dm])
        self.thickness_m = self._thickness()

    @property
    def head_radius_m(self) -> float:
        """Radius of the head sphere."""
        return self._radius_dm / 10

    def in_head(self, rest_dm: np.ndarray) -> np.ndarray:
        """Points f64 [n, 3] at rest, decimetres, in head axes about the sphere's centre, in its radii."""
        return (rest_dm.astype(np.float64) - self._head_center_dm) @ FLIP / self._radius_dm

    def read(self, pose: Pose, world_to_view: np.ndarray) -> JointTruth:
        """Joints of the character's last pose in camera axes. world_to_view f64 [4, 4] with OpenGL axes."""
        head = pose.transform[self.character.assets.bone_index["head"]].astype(np.float64)

        def camera(points_dm: np.ndarray) -> np.ndarray:
            return (points_dm @ world_to_view[:3, :3].T + world_to_view[:3, 3]) @ FLIP / 10

        base_dm = self.character.expressed_rest()
        body, hands = self._world(pose, base_dm)
        face, smplx = self._face.world(pose, base_dm), pose.head_dm[self._smplx]
        centres = np.stack([self._head_center_dm, self._face_center_dm]) @ head[:, :3].T + head[:, 3]
        centre_m, face_m = camera(centres)
        rotation = FLIP @ world_to_view[:3, :3] @ head[:, :3] @ FLIP
        return JointTruth(camera(body), camera(hands), camera(face), camera(smplx), centre_m, face_m, rotation)

    def rest_m(self) -> np.ndarray:
        """Body joints of the rest pose, f64 [25, 3] metres, x to the person's left, y down, z to the back."""
        body, _ = self._world(self._rest_pose(), self.character.rest_dm)
        return body @ FLIP / 10

    def rest_smplx_m(self) -> np.ndarray:
        """SMPL-X joints of the rest pose, f64 [55, 3] metres, axes as rest_m."""
        return self.character.head_dm[self._smplx] @ FLIP / 10

    def _world(self, pose: Pose, base_dm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Body [25, 3] and hands [2, 21, 3] in world decimetres."""
        index = self.character.assets.bone_index
        named = self._anchors(pose, base_dm)
        for side, letter in SIDE_LETTERS.items():
            for joint, bone in BODY_BONES.items():
                named[f"{side}_{joint}"] = pose.head_dm[index[f"{bone}.{letter}"]]
            for joint, bone in TOE_TAILS.items():
                named[f"{side}_{joint}"] = pose.tail_dm[index[f"{bone}.{letter}"]]
        named["neck"] = (named["left_shoulder"] + named["right_shoulder"]) / 2
        named["pelvis"] = (named["left_hip"] + named["right_hip"]) / 2
        hands = []
        for letter in SIDE_LETTERS.values():
            points = {"wrist": pose.head_dm[index[f"wrist.{letter}"]]}
            for number, finger in enumerate(FINGERS, start=1):
                for knuckle in (1, 2, 3):
                    points[f"{finger}{knuckle}"] = pose.head_dm[index[f"finger{number}-{knuckle}.{letter}"]]
                points[f"{finger}4"] = pose.tail_dm[index[f"finger{number}-3.{letter}"]]
            hands.append(np.stack([points[name] for name in HAND_JOINTS]))
        return np.stack([named[name] for name in BODY_JOINTS]), np.stack(hands)

    def _anchors(self, pose: Pose, base_dm: np.ndarray) -> dict[str, np.ndarray]:
        """Mean of each anchor's skinned base vertices, world decimetres f64 [3]."""
        points = np.empty((len(self._anchor_ids), 3), np.float32)
        kernels.skin(base_dm[self._anchor_ids], self._anchor_bone, self._anchor_weight, pose.transform, points)
        sums = np.add.reduceat(points.astype(np.float64), self._anchor_start, axis=0)
        counts = np.diff(np.append(self._anchor_start, len(points)))
        return dict(zip(self._anchor_names, sums / counts[:, None], strict=True))

    def _rest_pose(self) -> Pose:
        count = len(self.character.assets.bone_names)
        still = np.tile(np.eye(3, 4, dtype=np.float32), (count, 1, 1))
        return Pose(still, self.character.head_dm, self.character.tail_dm)

    def _thickness(self) -> np.ndarray:
        """1.6 times a joint's distance to the nearest skin at rest, plus cloth (35 mm on the body, 15 mm on hands)."""
        from scipy.spatial import cKDTree

        body, hands = self._world(self._rest_pose(), self.character.rest_dm)
        skin = cKDTree(self.character.rest_dm[:BODY_VERTICES])
        smplx = self.character.head_dm[self._smplx]
        distance, _ = skin.query(np.concatenate([body, hands.reshape(-1, 3), smplx]))
        on_hand = [False] * len(body) + [True] * (hands.size // 3)
        on_hand += [bone.startswith(("finger", "wrist")) for bone in SMPLX_BONES.values()]
        inner_m = (1.6 * distance + np.where(on_hand, 0.15, 0.35)) / 10
        face_m = np.full(FACE_COUNT, FACE_SLACK_M)
        return np.insert(inner_m, [len(inner_m) - len(smplx)] * FACE_COUNT, face_m)


def visible(points_m: np.ndarray, points_px: np.ndarray, depth_m: np.ndarray, thickness_m: np.ndarray) -> np.ndarray:
    """True where a joint lies in the picture and nothing but its own flesh is in front of it.

    points_m  f64 [N, 3] camera axes; points_px f64 [N, 2]; depth_m f32 [S, S], inf where empty; thickness_m f64 [N]
    source: depth test against the z-buffer at the nearest pixel
    """
    size = depth_m.shape[0]
    column, row = np.round(points_px).astype(int).T
    inside = (points_m[:, 2] > 0) & (column >= 0) & (column < size) & (row >= 0) & (row < size)
    surface = depth_m[np.clip(row, 0, size - 1), np.clip(column, 0, size - 1)]
    return inside & (surface >= points_m[:, 2] - thickness_m)


def _anchor_vertices(character: Character) -> dict[str, np.ndarray]:
    """Base vertices of nose, eyes, ears and heels, found by shape."""
    rest, assets = character.rest_dm, character.assets
    body = rest[:BODY_VERTICES]
    dominant = assets.weight[:BODY_VERTICES].argmax(1)
    crown = body[:, 1].max()
    middle = np.flatnonzero((np.abs(body[:, 0]) < 0.05) & (body[:, 1] > crown - 2.2))
    anchors = {"nose": middle[[body[middle, 2].argmax()]]}
    for side, letter in SIDE_LETTERS.items():
        eye = np.unique(assets.groups[f"helper-{side[0]}-eye"].vertex)
        anchors[f"{side}_eye"] = eye[[rest[eye, 2].argmax()]]
        ear = assets.morphs[f"ears/{side[0]}-ear-scale-incr"][0]
        anchors[f"{side}_ear"] = ear[ear < BODY_VERTICES]
        foot = np.flatnonzero(dominant == assets.bone_index[f"foot.{letter}"])
        sole = foot[body[foot, 1] < body[foot, 1].min() + 0.35]
        anchors[f"{side}_heel"] = sole[[body[sole, 2].argmin()]]
    return {name: np.asarray(ids, np.int64) for name, ids in anchors.items()}
