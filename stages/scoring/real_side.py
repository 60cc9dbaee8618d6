"""Numbers of the real film alone, taken over from a bundle of another method: made once, not once per method.

A number taken over is the number that would be made: same measurement, same networks, same decoding, and the frames of
both passes are compared by their sha256 when this one ends.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from stages.bundle import open_bundle
from stages.core.errors import InputError
from stages.media.exact import DECODE
from stages.metrics.protocol import Measure
from stages.scoring import FRAMES, VERSION


def known_arrays(path: str, measure: Measure, sources: Mapping[str, Any], weights: Mapping[str, str]) -> dict:
    """{array name: array} of the measurement that hang on the real film alone; {} where nothing can be taken over.

    path     bundle of the same clip, of another method or of the films themselves; "" = none
    sources  role -> {path, sha256} of this clip;  weights  registered network name -> sha256
    errors   InputError: the bundle is damaged
    """
    of_real = getattr(measure.module, "of_real", None)
    names = () if of_real is None else of_real(measure.options)
    if not names or not same_film(path, sources):
        return {}
    bundle = open_bundle(path)
    if not bundle.has(measure.layer):
        return {}
    attrs = bundle.attrs(measure.layer)
    if attrs.get("why") or attrs["weights"] != dict(weights):
        return {}
    return {name: bundle.read(measure.layer, name) for name in names}


def same_film(path: str, sources: Mapping[str, Any]) -> bool:
    """True when the bundle is there, of this VERSION, and was made of the same real file, decoded alike."""
    if not path or "real" not in sources or not os.path.isdir(os.path.join(path, FRAMES)):
        return False
    attrs = open_bundle(path).attrs(FRAMES)
    there = attrs["sources"].get("real", {})
    alike = (attrs["decode"], attrs["version"]) == (DECODE, VERSION)
    return alike and there.get("sha256") == sources["real"]["sha256"]


def check_frames(path: str, root: str) -> None:
    """errors  InputError: the real film's frames are not those the taken numbers were made of"""
    there = open_bundle(path).attrs(FRAMES)["roots"].get("real")
    if there != root:
        raise InputError(f"{path}: was made of other frames of the real film than it has now. Leave --real-from away")


def bundle_of(run: str, name: str) -> str:
    """Path of a clip's bundle in the folder of a run. errors  InputError: no such run or clip"""
    path = os.path.join(run, "clips", f"{name}.zarr")
    if not os.path.isdir(path):
        raise InputError(f"--real-from {run}: has no clip {name}, expected a run of the same test set")
    return path
