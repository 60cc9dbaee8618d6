"""Readers of the source formats: Wavefront OBJ, MakeHuman targets, proxies and rig."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Surface:
    """Triangles over corners. vertex i32 [C] point of each corner; uv f32 [C,2]; triangles i32 [F,3] of corners."""

    vertex: np.ndarray
    uv: np.ndarray
    triangles: np.ndarray


@dataclass(frozen=True)
class Proxy:
    """A garment, hair style or organ bound to the base mesh: each point is a weighted sum of three base vertices.

    corner i32 [P,3]; weight f32 [P,3]; offset f32 [P,3] in proxy units; surface over the points; texture name or ""
    """

    corner: np.ndarray
    weight: np.ndarray
    offset: np.ndarray
    surface: Surface
    texture: str


@dataclass(frozen=True)
class Rig:
    """Bones, parents first. head_vertices, tail_vertices: base vertices whose mean is the joint; weight f32 [V,B]."""

    names: tuple[str, ...]
    parents: np.ndarray
    head_vertices: tuple[tuple[int, ...], ...]
    tail_vertices: tuple[tuple[int, ...], ...]
    weight: np.ndarray


def surface_of_faces(faces: list[list[tuple[int, int]]], uv: np.ndarray) -> Surface:
    """The surface of polygons with 3 or 4 (vertex, texture vertex) corners; equal corners are shared."""
    corner_of: dict[tuple[int, int], int] = {}
    triangles = []
    for face in faces:
        ids = [corner_of.setdefault(corner, len(corner_of)) for corner in face]
        triangles.append((ids[0], ids[1], ids[2]))
        if len(ids) == 4:
            triangles.append((ids[0], ids[2], ids[3]))
    corners = np.array(list(corner_of), np.int32).reshape(-1, 2)
    return Surface(corners[:, 0], uv[corners[:, 1]].astype(np.float32), np.array(triangles, np.int32))


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, dict[str, list[list[tuple[int, int]]]]]:
    """Vertices f32 [V,3], texture vertices f32 [U,2], and the faces of each group."""
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    current = groups.setdefault("", [])
    for line in path.read_text().splitlines():
        fields = line.split()
        if not fields:
            continue
        if fields[0] == "v":
            vertices.append([float(value) for value in fields[1:4]])
        elif fields[0] == "vt":
            uv.append([float(value) for value in fields[1:3]])
        elif fields[0] == "g":
            current = groups.setdefault(fields[1], [])
        elif fields[0] == "f":
            corners = (corner.split("/") for corner in fields[1:])
            current.append([(int(corner[0]) - 1, int(corner[1]) - 1) for corner in corners])
    return np.array(vertices, np.float32), np.array(uv, np.float32), groups


def read_target(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A morph: vertex index i32 [K] and shift f32 [K,3] in decimetres. Plain or gzip text."""
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    rows = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    table = np.fromstring(rows, np.float64, sep=" ").reshape(-1, 4)
    return table[:, 0].astype(np.int32), table[:, 1:].astype(np.float32)


# three.js JSON model, version 3: bits of the face type that decide how many numbers follow
_QUAD, _MATERIAL, _FACE_UV, _VERTEX_UV, _FACE_NORMAL, _VERTEX_NORMAL, _FACE_COLOUR, _VERTEX_COLOUR = (
    1 << bit for bit in range(8)
)


def read_proxy(path: Path) -> Proxy:
    """A MakeHuman web proxy (three.js JSON model with ref_vIdxs, weights, offsets)."""
    model = json.loads(path.read_text())
    uv = np.array(model["uvs"][0], np.float32).reshape(-1, 2) if model["uvs"] else np.zeros((1, 2), np.float32)
    stream = model["faces"]
    faces, at = [], 0
    while at < len(stream):
        kind = stream[at]
        corners = 4 if kind & _QUAD else 3
        at += 1
        vertex = stream[at : at + corners]
        at += corners + bool(kind & _MATERIAL) + bool(kind & _FACE_UV)
        texture_vertex = [0] * corners
        if kind & _VERTEX_UV:
            texture_vertex = stream[at : at + corners]
            at += corners
        at += bool(kind & _FACE_NORMAL) + corners * bool(kind & _VERTEX_NORMAL)
        at += bool(kind & _FACE_COLOUR) + corners * bool(kind & _VERTEX_COLOUR)
        faces.append(list(zip(vertex, texture_vertex, strict=True)))
    material = model["materials"][0] if model["materials"] else {}
    return Proxy(
        np.array(model["ref_vIdxs"], np.int32),
        np.array(model["weights"], np.float32),
        np.array(model["offsets"], np.float32),
        surface_of_faces(faces, uv),
        material.get("mapDiffuse") or "",
    )


def read_rig(rig_path: Path, weights_path: Path, groups: dict[str, list], vertex_count: int) -> Rig:
    """The default rig: bones ordered so that parents come first; vertices without a weight follow the root."""
    document = json.loads(rig_path.read_text())
    bones = document.get("bones", document)
    order: list[str] = []

    def place(name: str) -> None:
        if name not in order:
            if bones[name]["parent"]:
                place(bones[name]["parent"])
            order.append(name)

    for name in bones:
        place(name)

    def joint_vertices(joint: dict) -> tuple[int, ...]:
        if joint["strategy"] == "CUBE":
            return tuple(sorted({corner[0] for face in groups[joint["cube_name"]] for corner in face}))
        if joint["strategy"] == "VERTEX":
            return (joint["vertex_index"],)
        return tuple(joint["vertex_indices"])

    index = {name: at for at, name in enumerate(order)}
    weight = np.zeros((vertex_count, len(order)), np.float32)
    for name, pairs in json.loads(weights_path.read_text())["weights"].items():
        if name in index:
            for vertex, value in pairs:
                weight[vertex, index[name]] += value
    weight[weight.sum(1) < 1e-6, 0] = 1.0
    return Rig(
        tuple(order),
        np.array([index[bones[name]["parent"]] if bones[name]["parent"] else -1 for name in order], np.int32),
        tuple(joint_vertices(bones[name]["head"]) for name in order),
        tuple(joint_vertices(bones[name]["tail"]) for name in order),
        weight / weight.sum(1, keepdims=True),
    )
