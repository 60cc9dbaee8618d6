"""Our own checkpoints: one safetensors file with the configuration inside, loaded strictly."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from stages.core.errors import WeightsError

_CONFIG_KEY = "dreamactor.config"


def save_checkpoint(path: str | os.PathLike, tensors: Mapping, config: dict, *, bfloat16: bool = False) -> None:
    """Write tensors and their configuration to `path` in one rename.

    tensors   name -> torch.Tensor; with `bfloat16` the matrices (2 axes or more) are stored in half the bytes
    config    JSON-able; it is what `load_checkpoint` gives back
    """
    import torch
    from safetensors.torch import save_file

    def stored(value):
        value = value.detach().cpu().contiguous()
        return value.to(torch.bfloat16) if bfloat16 and value.ndim >= 2 and value.is_floating_point() else value

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    save_file(
        {name: stored(value) for name, value in tensors.items()}, partial, metadata={_CONFIG_KEY: json.dumps(config)}
    )
    os.replace(partial, path)


def load_checkpoint(path: str | os.PathLike) -> tuple[dict, dict]:
    """Return (tensors as float32 where floating, configuration) of a file written by `save_checkpoint`.

    WeightsError where the file is missing, is no safetensors file or carries no configuration of ours.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint; give the path of a .safetensors file or the name of a preset")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a readable safetensors file ({error})") from error
    if _CONFIG_KEY not in metadata:
        raise WeightsError(f"{path}: a safetensors file, but not one of dreamactor (no '{_CONFIG_KEY}' in its header)")
    floats = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
    return floats, json.loads(metadata[_CONFIG_KEY])


def load_strictly(network, tensors: Mapping, where: str) -> None:
    """Put tensors into a torch network; WeightsError naming the first names or shapes that differ."""
    wanted, given = network.state_dict(), dict(tensors)
    missing = sorted(set(wanted) - set(given))
    unknown = sorted(set(given) - set(wanted))
    shapes = sorted(name for name in set(wanted) & set(given) if wanted[name].shape != given[name].shape)
    if missing or unknown or shapes:
        raise WeightsError(
            f"{where}: the weights do not fit the network: missing {missing[:3]}, unknown {unknown[:3]}, "
            f"other shape {shapes[:3]}"
        )
    network.load_state_dict(given)


def file_sha256(path: str | os.PathLike) -> str:
    """Return the sha256 of a file as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
