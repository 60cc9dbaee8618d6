"""What a studio is equipped with: assets, motion capture, backdrops and renderer, as settings and as the things."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from stages.core.device import pick_device
from stages.core.errors import ResourceError, UsageError
from stages.synthetic.assets import asset_hash, compiled_path, load_assets

if TYPE_CHECKING:  # imported where they are used: a wrong setting is to be said without loading the renderer
    from stages.synthetic.clip import Studio
    from stages.synthetic.far_images import PhotoFolder
    from stages.synthetic.mocap import MocapLibrary


@dataclass(frozen=True)
class Equipment:
    """Settings of a studio; plain values, so that they go to worker processes.

    assets       full, anny, or auto: full if it can be had;  mocap: path of a library, "" = none
    backgrounds  folder of photos, "" = none;  panoramas: the optional package too
    device       "" = the numba renderer, else the torch renderer on cpu, cuda or cuda:N
    """

    assets: str = "auto"
    mocap: str = ""
    backgrounds: str = ""
    panoramas: bool = False
    device: str = ""

    @property
    def asset_choice(self) -> str:
        """full or anny; auto is decided by what can be had (fetching and compiling on first use)."""
        return self.assets if self.assets != "auto" else auto_choice()[0]

    @property
    def renderer(self) -> str:
        """numba or torch: their pictures differ by rounding, so it belongs to what a clip is made of."""
        return "torch" if self.device else "numba"

    def inputs(self) -> dict[str, str]:
        """Name -> sha256 of everything that clips are made of.

        errors  UsageError: no such folder; InputError: no pictures in it, no motion file; WeightsError: no assets
        """
        from stages.synthetic.panoramas import PACKAGE

        inputs = {"assets": asset_hash(with_wardrobe=self.asset_choice == "full")}
        if self.mocap:
            inputs["mocap"] = _mocap(self.mocap).sha256
        if self.backgrounds:
            inputs["backgrounds"] = _photos(self.backgrounds).sha256
        if self.panoramas:
            inputs["panoramas"] = PACKAGE.sha256
        return inputs

    def prepare(self) -> None:
        """Fetch and decode once what workers would otherwise all fetch. errors  those of `inputs`; WeightsError"""
        from stages.synthetic.panoramas import load_panoramas

        self.inputs()
        if self.panoramas:
            load_panoramas()

    def studio(self, size: int, supersample: int = 2) -> Studio:
        """The studio of this process; clips of the same settings share buffers, textures and the last person.

        errors  those of `prepare` and `check_device`
        """
        return _studio(self, size, supersample)


def check_device(device: str) -> str:
    """The torch device of a name, "" for the numba renderer.

    errors  UsageError: another word; ResourceError: a device this machine has not
    """
    if device and not re.fullmatch(r"cpu|cuda(:\d+)?", device):  # what `auto` gives would depend on the machine
        raise UsageError(f"--device: found {device!r}, expected cpu, cuda or cuda:N, or nothing for the numba renderer")
    try:
        return pick_device(device) if device else ""
    except ResourceError as error:
        raise ResourceError(f"--device {device}: this machine has none. Leave --device out or use cpu") from error


@lru_cache(maxsize=1)
def auto_choice() -> tuple[str, str]:
    """full or anny, and one line that says why it is not full ("" when it is)."""
    if compiled_path(asset_hash(with_wardrobe=True)).is_file():
        return "full", ""
    notes: list[str] = []
    choice = "full" if load_assets("auto", note=notes.append).has_wardrobe else "anny"
    return choice, " ".join(notes)


@lru_cache(maxsize=1)
def _mocap(path: str) -> MocapLibrary:
    from stages.synthetic.mocap import MocapLibrary

    return MocapLibrary(path)


@lru_cache(maxsize=1)
def _photos(folder: str) -> PhotoFolder:
    from stages.synthetic.far_images import open_photos

    return open_photos(folder)


@lru_cache(maxsize=1)
def _studio(equipment: Equipment, size: int, supersample: int) -> Studio:
    from stages.synthetic.clip import Studio
    from stages.synthetic.panoramas import load_panoramas
    from stages.synthetic.staging import Sources

    sources = Sources(
        mocap=_mocap(equipment.mocap) if equipment.mocap else None,
        photos=_photos(equipment.backgrounds) if equipment.backgrounds else None,
        panoramas=load_panoramas() if equipment.panoramas else None,
    )
    device = check_device(equipment.device)
    return Studio(load_assets(equipment.asset_choice), size, supersample=supersample, sources=sources, device=device)
