"""A tiny speech network with random weights, and sounds of every kind."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

RATE = 16000


@pytest.fixture(scope="session")
def network(tmp_path_factory) -> str:
    """Path of a network that opens a mouth the more, the louder it is; the rest of it is random."""
    import torch

    from stages.audio.network import SpeechFaceNet, SpeechNetConfig, config_to_dict
    from stages.weights.checkpoint import save_checkpoint

    torch.manual_seed(1)
    made = SpeechFaceNet(SpeechNetConfig(name="tiny", width=8))
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    save_checkpoint(path, made.state_dict(), config_to_dict(made.config))
    return str(path)


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """int16 [n] at 16 kHz: noise that swells and falls four times a second."""
    times = np.arange(round(seconds * RATE)) / RATE
    swelling = np.maximum(np.sin(2 * np.pi * 4 * times), 0)
    return (6000 * swelling * np.random.default_rng(seed).normal(size=len(times))).clip(-32768, 32767).astype(np.int16)


def write_sound(path: Path, sound: np.ndarray, *words: str) -> Path:
    """The sound in a file of the suffix's kind, made by ffmpeg with more words if given."""
    from stages.media.ffmpeg import command

    arguments = command("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "pipe:0", *words, str(path))
    arguments.remove("-nostdin")
    subprocess.run(arguments, input=sound.astype("<i2").tobytes(), capture_output=True, check=True)
    return path


@pytest.fixture
def speech(tmp_path) -> Path:
    return write_sound(tmp_path / "speech.wav", voice(2.5))
