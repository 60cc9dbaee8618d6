"""The face signal: where the face is cut out of the frame, and what the motion encoder reads from the crop."""

from pathlib import Path

from stages.core.errors import WeightsError


def encoder_file(source: str = "default") -> Path:
    """Path of the weights of a face motion encoder; needs no torch, so that planning stays cheap.

    source  "default" (shipped with the package) or the path of a safetensors file
    errors  WeightsError when there is no such file
    """
    path = Path(__file__).parent / "weights" / "default.safetensors" if source == "default" else Path(source)
    if not path.is_file():
        raise WeightsError(f"face encoder: {path} not found; give 'default' or the path of a .safetensors file")
    return path
