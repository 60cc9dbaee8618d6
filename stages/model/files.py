"""Where a model's weight files lie and what their checksums are. Imports no torch: planning takes milliseconds."""

from pathlib import Path

from stages.core.errors import WeightsError
from stages.model.config import PRESETS
from stages.weights.checkpoint import file_sha256

_SHIPPED = Path(__file__).parent / "weights"
PARTS = ("vae", "dit", "compositor")


def model_files(source: str) -> dict[str, Path]:
    """Return the path of each of `PARTS` of a shipped preset or of a folder with those .safetensors files.

    WeightsError where there is no such model.
    """
    folder = _SHIPPED / source if source in PRESETS else Path(source)
    files = {name: folder / f"{name}.safetensors" for name in PARTS}
    if not all(path.is_file() for path in files.values()):
        shipped = sorted(path.name for path in _SHIPPED.iterdir() if path.is_dir()) if _SHIPPED.is_dir() else []
        raise WeightsError(
            f"model {source!r}: no trained weights there; expected one of {shipped} "
            f"or a folder with {', '.join(f'{name}.safetensors' for name in PARTS)}, as `dreamactor train` writes them"
        )
    return files


def model_hashes(source: str) -> dict[str, str]:
    """Return the sha256 of each weight file of a model."""
    return {name: file_sha256(path) for name, path in model_files(source).items()}
