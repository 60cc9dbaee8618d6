"""Marks of a person at rest that garments are cut by and that patterns and folds are laid out from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.assets import Assets
from stages.synthetic.raster import Cut

BODY_VERTICES = 13_380  # the base mesh proper; helper geometry follows
SLEEVE_MARGIN_DM = 0.12  # how far outside the shoulder joint an arm begins


@dataclass(frozen=True)
class Landmarks:
    """Heights (y), and reaches along the arm from the armhole, decimetres.

    arm, leg    f64 [2, 3] shoulder and wrist, hip and ankle of the left side; trunk_z: depth of the trunk's axis
    """

    hip: float
    waist: float
    chest: float
    neck: float
    chin: float
    crown: float
    knee: float
    ankle: float
    shoulder: np.ndarray
    elbow: np.ndarray
    wrist: np.ndarray
    thigh: np.ndarray
    foot: np.ndarray
    eye: np.ndarray
    head: np.ndarray
    trunk_z: float

    def cut(self, **fields: float) -> Cut:
        """A Cut whose sleeves are measured on this person's arms."""
        return Cut(arm_x=float(self.shoulder[0]) + SLEEVE_MARGIN_DM, shoulder_y=float(self.shoulder[1]), **fields)

    def reach(self, place: np.ndarray) -> float:
        """The `reach` of a Cut that ends at a place of the left arm."""
        beside, below = place[0] - self.shoulder[0] - SLEEVE_MARGIN_DM, self.shoulder[1] - place[1]
        return float(0.64 * beside + 0.77 * below)


def landmarks(assets: Assets, vertices: np.ndarray) -> Landmarks:
    """The marks of a person's base mesh, vertices f32 [V, 3]."""

    def joint(bone: str) -> np.ndarray:
        return vertices[assets.head_vertices[assets.bone_index[bone]]].mean(0).astype(np.float64)

    head = joint("head")
    face = assets.groups["body"].vertex
    chin = vertices[assets.tail_vertices[assets.bone_index["jaw"]]].mean(0)
    return Landmarks(
        hip=float(joint("upperleg01.L")[1]),
        waist=float(joint("spine04")[1]),
        chest=float(joint("spine02")[1]) + 0.9,
        neck=float(joint("neck01")[1]),
        chin=float(chin[1]),
        crown=float(vertices[face, 1].max()),
        knee=float(joint("lowerleg01.L")[1]),
        ankle=float(joint("foot.L")[1]),
        shoulder=joint("upperarm01.L"),
        elbow=joint("lowerarm01.L"),
        wrist=joint("wrist.L"),
        thigh=joint("upperleg01.L"),
        foot=joint("foot.L"),
        eye=joint("eye.L"),
        head=head,
        trunk_z=float(joint("spine02")[2]) * 0.5 + float(joint("spine04")[2]) * 0.5 + 0.15,
    )
