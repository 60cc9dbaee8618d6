"""A neural voice (Kokoro, 82M, Apache-2.0) from a folder the user has, which tells how long it made each sound.

The network takes IPA, a voice's style and a speed. How many steps of 25 ms each sound gets is a number inside it; a
few bytes after the file's own, which is how protocol buffers add to a list, make that number an output too.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stages.core.errors import WeightsError
from stages.training.speech_phones import from_ipa
from stages.training.speech_voices import Said, espeak_ipa, resampled

NETWORK, VOCABULARY, VOICES = "kokoro-quantized.onnx", "tokenizer.json", "voices"
_DURATIONS = "/encoder/Clip_output_0"
_RATE_HZ, _STEP_S, _STYLE, _MOST = 24000, 0.025, 256, 480
_LONGEST_GAP_S = 0.08  # between words that are spoken as one
_EARLY_S = 0.065  # what is heard comes this much before the steps say (measured at 211 edges of stops, three voices)
# which reader of espeak-ng belongs to the first letter of a voice's name
LANGUAGES = {"a": "en-us", "b": "en", "e": "es", "f": "fr", "h": "hi", "i": "it", "p": "pt-br", "j": "ja",
             "z": "cmn"}  # fmt: skip


class NeuralVoices:
    """The network of a folder with NETWORK, VOCABULARY and VOICES/*.bin in it.

    errors  WeightsError: a file is missing, or the network is another one
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        import onnxruntime

        self.folder = Path(folder)
        for name in (NETWORK, VOCABULARY, VOICES):
            if not (self.folder / name).exists():
                raise WeightsError(f"{self.folder}: holds no {name}, expected the build folder of the neural voices")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 3
        data = (self.folder / NETWORK).read_bytes() + _one_more_output(_DURATIONS)
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own kinds are not public
            raise WeightsError(f"{self.folder / NETWORK}: cannot be loaded ({error})") from None
        self._ids = json.loads((self.folder / VOCABULARY).read_text())["model"]["vocab"]
        self.names = tuple(sorted(path.stem for path in (self.folder / VOICES).glob("*.bin")))

    def say(
        self, text: str, voice: str, *, language: str = "en-us", speed: float = 1.0,
        blend: tuple[str, float] | None = None,
    ) -> Said:  # fmt: skip
        """Speech of one of `names` reading in a language of espeak-ng.

        blend  another of `names` and its share: styles add up to voices nobody has
        """
        letters = [letter for letter in _joined(espeak_ipa(text, language)) if letter in self._ids][:_MOST]
        styles = self._styles(voice)
        if blend is not None:
            other, share = blend
            styles = (1 - share) * styles + share * self._styles(other)
        feed = {
            "input_ids": np.array([[0, *(self._ids[letter] for letter in letters), 0]], np.int64),
            "style": styles[min(len(letters), len(styles) - 1)][None],
            "speed": np.array([speed], np.float32),
        }
        sound, steps = self._session.run(["waveform", _DURATIONS], feed)
        sound, ends = np.asarray(sound, np.float32).reshape(-1), np.cumsum(np.asarray(steps).reshape(-1)) * _STEP_S
        ends = np.append(np.maximum(ends[:-1] - _EARLY_S, 0.0), ends[-1])
        starts = np.concatenate([[0.0], ends[:-1]])
        rows = _merged(list(zip(starts, ends, ["", *letters, ""], strict=True)))
        wave = np.clip(np.round(sound * 32767), -32768, 32767).astype(np.int16)
        return Said(resampled(wave, _RATE_HZ), from_ipa(rows))

    def _styles(self, voice: str) -> np.ndarray:
        """float32 [N, 256]: row n for texts of n sounds."""
        return np.fromfile(self.folder / VOICES / f"{voice}.bin", np.float32).reshape(-1, _STYLE)


def _joined(ipa: str) -> str:
    """espeak-ng's IPA in the letters the network was trained with."""
    for pair, letter in (("eɪ", "A"), ("aɪ", "I"), ("oʊ", "O"), ("əʊ", "Q"), ("aʊ", "W"), ("ɔɪ", "Y"), ("tʃ", "ʧ"),
                         ("dʒ", "ʤ"), ("r", "ɹ"), ("ɬ", "l"), ("x", "k"), ("ä", "a")):  # fmt: skip
        ipa = ipa.replace(pair, letter)
    return ipa


def _merged(rows: list[tuple[float, float, str]]) -> tuple[tuple[float, float, str], ...]:
    """Time given to a mark of stress goes to the sound that follows, that of length or tone to the one before."""
    out: list[tuple[float, float, str]] = []
    waiting: float | None = None
    for start, end, letter in rows:
        if letter in "ˈˌ" and letter:
            waiting = start if waiting is None else waiting
        elif letter in "ːʰʲ̃↓→↗↘" and letter and out:
            out[-1] = (out[-1][0], end, out[-1][2])
        elif letter == " " and out and end - start <= _LONGEST_GAP_S:
            out[-1] = (out[-1][0], end, out[-1][2])
        else:
            out.append((start if waiting is None else waiting, end, letter))
            waiting = None
    return tuple(out)


def _one_more_output(name: str) -> bytes:
    """A ModelProto { graph { output { name } } }: fields 7, 12, 1 of ONNX's messages."""
    inner = b"\x0a" + bytes([len(name)]) + name.encode()
    graph = b"\x62" + bytes([len(inner)]) + inner
    return b"\x3a" + bytes([len(graph)]) + graph
