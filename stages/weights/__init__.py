"""Pretrained networks by name: registry with checksums, cache, local files, hubs only on request."""

from stages.weights.cache import adopt, cache_dir, describe, is_here, load_tensors, resolve, resolve_spec
from stages.weights.given import GIVEN
from stages.weights.registry import SOURCES, Sdist, Source, Wheel

__all__ = [
    "GIVEN",
    "SOURCES",
    "Sdist",
    "Source",
    "Wheel",
    "adopt",
    "cache_dir",
    "describe",
    "is_here",
    "load_tensors",
    "resolve",
    "resolve_spec",
]
