"""Sound into what a face does: log-mel features, the network that reads mouths off them, and life beyond the mouth."""

from pathlib import Path

from stages.core.errors import WeightsError


def speech_file(source: str = "default") -> Path:
    """Path of the weights of a speech network; needs no torch, so that planning stays cheap.

    source  "default" (shipped with the package) or the path of a safetensors file made by train-speech
    errors  WeightsError when there is no such file
    """
    path = Path(__file__).parent / "weights" / "default.safetensors" if source == "default" else Path(source)
    if not path.is_file():
        raise WeightsError(f"speech network: {path} not found; give 'default' or the path of a .safetensors file")
    return path
