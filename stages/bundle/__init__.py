"""The bundle: one Zarr v3 directory per clip, one group per layer, every array with a unit and a sha256.

Reading what a bundle holds (layers, keys, attributes) needs neither numpy nor zarr, so planning takes milliseconds.
"""

from stages.bundle.keys import layer_key, make_provenance
from stages.bundle.plan import plan_layer
from stages.bundle.reader import Bundle, open_bundle
from stages.bundle.seal import seal_layer
from stages.bundle.spec import ArraySpec
from stages.bundle.validate import validate
from stages.bundle.writer import ArrayStream, LayerWriter

__all__ = [
    "ArraySpec",
    "ArrayStream",
    "Bundle",
    "LayerWriter",
    "layer_key",
    "make_provenance",
    "open_bundle",
    "plan_layer",
    "seal_layer",
    "validate",
]
