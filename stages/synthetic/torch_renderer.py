"""The renderer of people on a GPU (or, for tests, on the CPU) in torch: the pictures of Renderer but for rounding.

Poses are made on the CPU as always; depth buffer, shadow map and shading run on the device. Its pictures are not the
bytes of the numba renderer (a sample in a hundred thousand shows the neighbouring triangle, values differ by rounding),
so clips made with it carry its name and are another data set.
"""

from __future__ import annotations

import numpy as np
import torch

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.character import Character
from stages.synthetic.detail import Detail
from stages.synthetic.renderer import ALPHA_MIN, SHADOW_ALPHA_MIN, Light, Picture, Renderer, View
from stages.synthetic.torch_raster import Surfaces, project, rasterise
from stages.synthetic.torch_shading import Inputs, shade


class TorchRenderer(Renderer):
    """As Renderer; device: of torch, such as "cuda" or "cpu"."""

    def __init__(self, assets: Assets, size: int, *, shadow_size: int = 256, device: str = "cuda") -> None:
        super().__init__(assets, size, shadow_size=shadow_size)
        self._device = torch.device(device)
        self._on_device: Surfaces | None = None
        self._table: dict[str, torch.Tensor] = {}
        self._maps = Detail(*(self._send(array) for array in self._detail))

    def load(self, character: Character, *, texture_halvings: int = 0) -> None:
        """As Renderer.load."""
        super().load(character, texture_halvings=texture_halvings)
        materials = [part.material for part in character.parts]
        part = np.repeat(np.arange(len(materials)), [len(triangles) for triangles in character.part_triangles])
        casts = np.array([material.casts_shadow for material in materials])
        limits = np.array([ALPHA_MIN if material.alpha_test else 0 for material in materials])
        soft = np.array([material.soft_edge for material in materials])
        cut_kinds = []
        for material, triangles, whole in zip(materials, character.part_triangles, character.part_whole, strict=True):
            cut_kinds += [np.full(whole, raster.UNCUT), np.full(len(triangles) - whole, raster.cut_kind(material.cut))]
        self._on_device = Surfaces(
            triangles=self._send(self._triangles.astype(np.int64)),
            part=self._send(part),
            uv=self._send(character.uv),
            rest=self._send(character.rest_corner_dm),
            casts=self._send(casts[part]),
            alpha=self._send(np.concatenate([alpha.ravel() for alpha in self._alphas])),
            alpha_start=self._send(np.cumsum([0] + [alpha.size for alpha in self._alphas])[:-1]),
            alpha_size=self._send(np.array([alpha.shape for alpha in self._alphas])),
            alpha_min=self._send(np.where(soft, raster.DITHERED, limits)),
            shadow_alpha_min=self._send(np.where(limits > 0, SHADOW_ALPHA_MIN, 0)),
            cut=self._send(self._cuts.astype(np.float32)),
            cut_kind=self._send(np.concatenate(cut_kinds)),
            one_sided=self._send(np.array([material.kind == raster.SKIN for material in materials])[part]),
        )
        self._table = {name: self._send(array) for name, array in self._materials._asdict().items()}
        self._surface = self._send(character.surface)

    def draw(self, character: Character, view: View, light: Light) -> Picture:
        """As Renderer.draw."""
        if self._on_device is None:
            raise RuntimeError("TorchRenderer.draw before TorchRenderer.load")
        position = self._send(character.position[character.corner_point])
        normal = self._send(character.normal[character.corner_point])
        shadow_size = self._shadow.depth.shape[0]
        towards_light = self._send(light.view_projection.astype(np.float32))
        shadow = rasterise(project(position, towards_light, shadow_size), self._on_device, shadow_size, shadow=True)
        camera = self._send((view.projection @ view.world_to_view).astype(np.float32))
        samples = rasterise(project(position, camera, self.size), self._on_device, self.size, shadow=False)
        shadow_matrix = raster.to_samples(light.view_projection, shadow_size)
        given = Inputs(
            materials=self._table,
            detail=self._maps,
            position=position,
            normal=normal,
            surface=self._surface,
            eye=self._send(view.eye_dm.astype(np.float32)),
            light=light.table._replace(texel_dm=np.float32(2 * light.extent_dm / shadow_size)),
            shadow_depth=shadow.depth,
            shadow_matrix=self._send(shadow_matrix),
        )
        self._linear[:] = shade(samples, self._on_device, given).cpu().numpy()
        triangle = samples.triangle.cpu().numpy()
        self._buffers.depth[:] = samples.depth.cpu().numpy()
        self._buffers.triangle[:] = triangle
        self._buffers.bary_b[:], self._buffers.bary_c[:] = samples.bary[..., 1:].cpu().numpy().transpose(2, 0, 1)
        part = self._on_device.part.cpu().numpy()
        self._buffers.part[:] = np.where(triangle >= 0, part[triangle], -1)
        self._shadow.depth[:] = shadow.depth.cpu().numpy()
        return self._resolve(view, shadow_matrix)

    def _send(self, array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), device=self._device)
