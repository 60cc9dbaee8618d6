"""Optical flow: where the surface point that each pixel shows lies in the next frame, and whether it is seen there."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from stages.synthetic.canvas import pixel_slopes
from stages.synthetic.character import Character
from stages.synthetic.renderer import Picture, View

OCCLUSION_SLACK_M = 0.004  # a point this far behind the nearest surface of the next frame still counts as that surface


@dataclass(frozen=True)
class Flow:
    """From one frame to the next.

    flow_px       f32 [S, S, 2] shift of the point shown by each pixel; 0 where not valid
    flow_valid    bool [S, S] the shift is known: all of the person, and of the background where it is known
    flow_visible  bool [S, S] valid, inside the next picture and not hidden there
    """

    flow_px: np.ndarray
    flow_valid: np.ndarray
    flow_visible: np.ndarray


@dataclass(frozen=True)
class Behind:
    """What stands behind the person in one frame: nothing that hides other parts of it is looked at.

    distance_dm  f32 [S, S] along the ray through each pixel's centre, inf = infinitely far, NaN = not known; None = the
                 background is fixed to the picture;  size: S
    """

    view: View
    size: int
    distance_dm: np.ndarray | None

    def depth_m(self) -> np.ndarray | None:
        """Along z, f32 [S, S], NaN where infinitely far or not known; None where nothing is known."""
        if self.distance_dm is None:
            return None
        across = pixel_slopes(self.view, self.size)
        ray = np.sqrt(1 + across[None] ** 2 + across[:, None] ** 2)
        return np.where(np.isfinite(self.distance_dm), self.distance_dm / ray / 10, np.nan).astype(np.float32)

    def shift_px(self, after: View) -> np.ndarray:
        """Where what each pixel shows lies in another view, minus where it is, f32 [S, S, 2]; NaN where not known."""
        if self.distance_dm is None or (
            np.array_equal(self.view.world_to_view, after.world_to_view)
            and np.array_equal(self.view.projection, after.projection)
        ):
            return np.zeros((self.size, self.size, 2), np.float32)
        size = self.size
        across = pixel_slopes(self.view, size)
        shift = np.empty((size, size, 2), np.float32)
        change = after.world_to_view @ np.linalg.inv(self.view.world_to_view)
        _carry(across, across, self.distance_dm, change, float(after.projection[0, 0]), shift)
        return shift


@dataclass(frozen=True)
class Shown:
    """Which point of the person's surface each pixel shows: triangle i32 [S, S], -1 = none; bary_b, bary_c f32 [S, S].

    It is the point of the pixel's middle sample, which with an even number of samples an axis lies half a sample right
    of and below the pixel's centre: by (steps // 2 + 0.5) / steps - 0.5 px.
    """

    triangle: np.ndarray
    bary_b: np.ndarray
    bary_c: np.ndarray

    @classmethod
    def of(cls, picture: Picture, steps: int) -> Shown:
        """Copies from the renderer's buffers, which the next frame overwrites. steps: samples per pixel and axis"""
        middle = slice(steps // 2, None, steps)
        return cls(*(buffer[middle, middle].copy() for buffer in (picture.triangle, picture.bary_b, picture.bary_c)))


class FlowReader:
    """Flow of one person through one camera. steps: samples per pixel and axis."""

    def __init__(self, character: Character, K_px: np.ndarray, steps: int) -> None:
        self._character = character
        self._points = np.ascontiguousarray(character.corner_point[np.concatenate(character.part_triangles)], np.int32)
        self._focal, self._cx, self._cy = float(K_px[0, 0]), float(K_px[0, 2]), float(K_px[1, 2])
        self._steps = steps

    def to_pose(
        self, shown: Shown, world_to_camera: np.ndarray, depth_m: np.ndarray | None, behind_px: np.ndarray
    ) -> Flow:
        """Flow from what a frame showed to the character's present pose.

        world_to_camera  f64 [3, 4] metres, of the present frame
        depth_m          f32 [C, C] of the person in the present frame, all samples; None = not drawn, so nothing is
                         known to be visible
        behind_px        f32 [S, S, 2] shift of the background, NaN where it is not known
        """
        triangle, bary_b, bary_c = shown.triangle, shown.bary_b, shown.bary_c
        known = np.isfinite(behind_px).all(-1)
        flow, valid = np.where(known[..., None], behind_px, 0).astype(np.float32), known | (triangle >= 0)
        visible = np.zeros(triangle.shape, np.bool_)
        _follow(
            triangle, bary_b, bary_c, self._points, self._character.position, np.asarray(world_to_camera, np.float64),
            self._focal, self._cx, self._cy, self._steps, np.empty((0, 0), np.float32) if depth_m is None else depth_m,
            flow, visible,
        )  # fmt: skip
        return Flow(flow, valid, visible & valid)


@numba.njit(cache=True)
def _follow(triangle, bary_b, bary_c, points, position, camera, focal, cx, cy, steps, depth, flow, visible):
    """Flow of the person's pixels and visibility of all, written to flow and visible. depth f32 [C,C] or [0,0]."""
    size, canvas = triangle.shape[0], depth.shape[0]
    offset = (steps // 2 + 0.5) / steps - 0.5
    for y in range(size):
        for x in range(size):
            t = triangle[y, x]
            z = np.inf
            u, v = x + offset + flow[y, x, 0], y + offset + flow[y, x, 1]
            if t >= 0:
                a, b, c = points[t, 0], points[t, 1], points[t, 2]
                wb, wc = bary_b[y, x], bary_c[y, x]
                wa = 1.0 - wb - wc
                px = (wa * position[a, 0] + wb * position[b, 0] + wc * position[c, 0]) / 10
                py = (wa * position[a, 1] + wb * position[b, 1] + wc * position[c, 1]) / 10
                pz = (wa * position[a, 2] + wb * position[b, 2] + wc * position[c, 2]) / 10
                z = camera[2, 0] * px + camera[2, 1] * py + camera[2, 2] * pz + camera[2, 3]
                u = (camera[0, 0] * px + camera[0, 1] * py + camera[0, 2] * pz + camera[0, 3]) / z * focal + cx
                v = (camera[1, 0] * px + camera[1, 1] * py + camera[1, 2] * pz + camera[1, 3]) / z * focal + cy
                flow[y, x, 0], flow[y, x, 1] = u - x - offset, v - y - offset
            if canvas == 0 or not (-0.5 <= u < size - 0.5 and -0.5 <= v < size - 0.5):
                continue
            column = int(np.floor((u + 0.5) * steps - 0.5))
            row = int(np.floor((v + 0.5) * steps - 0.5))
            deepest, free = -1.0, 0
            for k in range(4):
                i = min(max(row + (k >> 1), 0), canvas - 1)
                j = min(max(column + (k & 1), 0), canvas - 1)
                if np.isinf(depth[i, j]):
                    free += 1
                else:
                    deepest = max(deepest, depth[i, j])
            visible[y, x] = free == 4 if t < 0 else deepest >= z - OCCLUSION_SLACK_M


@numba.njit(cache=True)
def _carry(across, along, distance, change, zoom, shift):
    """Shift of the background, written. change f64 [4,4] from one view's axes to the other's (y up, z backwards)."""
    size = len(distance)
    for y in range(size):
        for x in range(size):
            far = distance[y, x]
            if np.isnan(far):
                shift[y, x, 0] = shift[y, x, 1] = np.nan
                continue
            scale = 1.0 / np.sqrt(1.0 + across[x] ** 2 + along[y] ** 2)
            near = 0.0 if np.isinf(far) else 1.0 / far  # homogeneous: points infinitely far are directions
            px, py, pz = across[x] * scale, -along[y] * scale, -scale
            qx = change[0, 0] * px + change[0, 1] * py + change[0, 2] * pz + change[0, 3] * near
            qy = change[1, 0] * px + change[1, 1] * py + change[1, 2] * pz + change[1, 3] * near
            qz = change[2, 0] * px + change[2, 1] * py + change[2, 2] * pz + change[2, 3] * near
            if qz >= -1e-9:
                shift[y, x, 0] = shift[y, x, 1] = np.nan
                continue
            shift[y, x, 0] = ((qx / -qz * zoom + 1) / 2) * size - 0.5 - x
            shift[y, x, 1] = ((-qy / -qz * zoom + 1) / 2) * size - 0.5 - y
