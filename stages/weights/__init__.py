"""Pretrained networks by name: registry with checksums, cache, local files, hubs only on request."""

from stages.weights.cache import cache_dir, describe, is_here, resolve, resolve_spec
from stages.weights.registry import SOURCES, Source, Wheel

__all__ = ["SOURCES", "Source", "Wheel", "cache_dir", "describe", "is_here", "resolve", "resolve_spec"]
