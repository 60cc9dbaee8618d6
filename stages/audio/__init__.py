"""Sound into what a face does: log-mel features, networks that read mouths and tell voices, life beyond the mouth."""

from pathlib import Path

from stages.core.errors import WeightsError

VOICE_NET = "silero_vad"  # in stages.weights.SOURCES: what says whether anybody speaks


def speech_file(source: str = "default") -> Path:
    """Path of the weights of a speech network; needs no torch, so that planning stays cheap.

    source  "default" (shipped with the package) or the path of a safetensors file made by train-speech
    errors  WeightsError when there is no such file
    """
    path = Path(__file__).parent / "weights" / "default.safetensors" if source == "default" else Path(source)
    if not path.is_file():
        raise WeightsError(f"speech network: {path} not found; give 'default' or the path of a .safetensors file")
    return path
