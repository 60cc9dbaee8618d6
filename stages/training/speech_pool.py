"""The pool of sounds audio2face learns from: speech of many voices with phoneme times, and music without a word.

A folder of .npz files, one a programme of some twelve seconds: sound int16 [n] at 16 kHz, start_s, end_s float64 [K],
phoneme uint8 [K] (index into PHONEME_NAMES). Some went through a codec and back. Voices held out are never trained on.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.core.errors import InputError
from stages.core.rng import numpy_rng
from stages.synthetic.phonemes import PHONEMES, Timeline
from stages.training.speech_voices import (
    ESPEAK_VARIANTS,
    FESTIVAL_ABROAD,
    FESTIVAL_VOICES,
    FLITE_VOICES,
    RATE_HZ,
    Said,
    say_espeak,
    say_festival,
    say_flite,
)
from stages.training.speech_words import made_up, numbers, sentences

PHONEME_NAMES = tuple(PHONEMES)
ENGINES = ("flite", "festival", "espeak", "neural", "music")
HELD_OUT = {
    "flite": ("rms",),
    "festival": ("ked_diphone",),
    "espeak": ("m7", "f5"),
    "neural": ("af_nova", "am_liam", "bf_alice", "bm_lewis", "ef_dora", "im_nicola", "jf_alpha", "zm_yunxi"),
}
# Neither trained on nor tested with: what is tried is chosen by these. flite has too few speakers to spare one.
CHOSEN_BY = {
    "flite": (),
    "festival": ("lp_diphone",),
    "espeak": ("m3", "f2"),
    "neural": ("af_sarah", "am_puck", "bf_isabella", "bm_george", "if_sara", "zf_xiaoyi"),
}
PARTS = ("test", "choose", "train")
# programmes of each engine of each of PARTS
COUNTS = {"flite": (4, 0, 40), "festival": (4, 3, 60), "espeak": (4, 3, 96), "neural": (8, 6, 108),
          "music": (6, 4, 72)}  # fmt: skip
# how often each engine is drawn to train on: real recordings, of which there are few, more than their number asks for
_DRAWN = {"flite": 0.19, "festival": 0.27, "espeak": 0.18, "neural": 0.36}
_PROGRAMME_S, _SINGER_S = 12.0, 4.0
_CODEC_SHARE, _SUNG_SHARE = 0.4, 0.6
_CODECS = (
    ("ogg", ("-c:a", "libopus", "-b:a", "16k")), ("ogg", ("-c:a", "libopus", "-b:a", "24k")),
    ("m4a", ("-c:a", "aac", "-b:a", "32k")), ("mp3", ("-c:a", "libmp3lame", "-b:a", "32k")),
    ("mp3", ("-c:a", "libmp3lame", "-b:a", "64k")), ("wav", ("-c:a", "pcm_mulaw", "-ar", "8000")),
)  # fmt: skip
_ESPEAK_LANGUAGES = ("en", "en-us", "en-us", "en-029", "en-gb-scotland", "en-gb-x-rp", "de", "es", "fr", "it", "pt",
                     "pt-br", "hi", "cmn", "ja", "ru", "pl", "nl", "sv", "tr", "id", "sw", "ar", "el", "fi", "hu",
                     "ro", "cs", "da", "ko")  # fmt: skip


@dataclass(frozen=True)
class Programme:
    """sound int16 [n] at 16 kHz; timeline, empty for music; engine, voice."""

    sound: np.ndarray
    timeline: Timeline
    engine: str
    voice: str


def fill_speech_pool(
    folder: Path, *, engines: tuple[str, ...] = ENGINES, neural: Path | None = None, share: float = 1.0, seed: int = 0,
    stop: Callable[[], bool] = lambda: False, progress: Callable[[int, int], None] | None = None,
) -> bool:  # fmt: skip
    """Make what is missing; False where `stop()` ended it before all was there.

    neural  folder of the neural voices, needed by that engine;  share  of COUNTS
    errors  WeightsError: a program or a file that an engine needs is not there
    """
    jobs = [
        (engine, part, at)
        for engine in engines
        for part, count in zip(PARTS, COUNTS[engine], strict=True)
        for at in range(max(1, round(count * share)) if count else 0)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    speakers: dict[str, object] = {}
    for done, (engine, part, at) in enumerate(jobs):
        file = folder / f"{part}-{engine}-{at:04d}.npz"
        if progress is not None:
            progress(done, len(jobs))
        if file.is_file():
            continue
        if stop():
            return False
        _save(file, _make(engine, part, at, neural, seed, speakers))
    if progress is not None:
        progress(len(jobs), len(jobs))
    return True


def read_programmes(folder: Path, part: str) -> list[Programme]:
    """All programmes of one of PARTS. errors  InputError: none"""
    found = []
    for file in sorted(folder.glob(f"{part}-*.npz")):
        with np.load(file) as held:
            names = [PHONEME_NAMES[number] for number in held["phoneme"]]
            timeline = tuple(zip(held["start_s"].tolist(), held["end_s"].tolist(), names, strict=True))
            found.append(Programme(held["sound"], timeline, str(held["engine"]), str(held["voice"])))
    if not found:
        raise InputError(f"{folder}: holds no {part}-*.npz, expected a pool of speech")
    return found


def balanced(programmes: list[Programme]) -> list[Programme]:
    """The programmes, repeated where that lets their engines be drawn as often as _DRAWN says; music stays."""
    out = [programme for programme in programmes if programme.engine not in _DRAWN]
    for engine, share in _DRAWN.items():
        some = [programme for programme in programmes if programme.engine == engine]
        count = max(len(some), round(share * 400)) if some else 0
        out += [some[at % len(some)] for at in range(count)]
    return out


def _make(engine: str, part: str, at: int, neural: Path | None, seed: int, speakers: dict) -> Programme:
    rng = numpy_rng(seed, "train-speech", f"{part} {engine} {at}", "programme")
    if engine == "music":
        from stages.training.speech_music import play_song

        singer = _singer(rng, part, at, neural, speakers) if rng.random() < _SUNG_SHARE else None
        return Programme(_coded(rng, play_song(rng, _PROGRAMME_S, singer)), (), engine, "")
    voice = _voice(engine, part, at, neural, speakers)
    parts = _SPEAKERS[engine](rng, voice, part, speakers, _PROGRAMME_S)
    sound, timeline = _joined(rng, parts)
    return Programme(_coded(rng, sound), timeline, engine, voice)


def _singer(rng, part: str, at: int, neural: Path | None, speakers: dict) -> np.ndarray:
    """int16 [n]: speech to be sung, of a neural voice where there are such."""
    engine = "neural" if neural is not None and rng.random() < 0.5 else str(rng.choice(["flite", "espeak"]))
    voice = _voice(engine, part, at, neural, speakers)
    parts = _SPEAKERS[engine](rng, voice, part, speakers, _SINGER_S)
    return np.concatenate([said.sound for said in parts])


def _voice(engine: str, part: str, at: int, neural: Path | None, speakers: dict) -> str:
    if engine == "neural" and engine not in speakers:
        from stages.core.errors import UsageError
        from stages.training.speech_neural import NeuralVoices

        if neural is None:
            raise UsageError("--voices neural: found no --neural, expected the folder of the neural voices")
        speakers[engine] = NeuralVoices(neural)
    every = {"flite": FLITE_VOICES, "festival": (*FESTIVAL_VOICES, *FESTIVAL_ABROAD), "espeak": ESPEAK_VARIANTS}
    names = speakers[engine].names if engine == "neural" else every[engine]
    names = _of_part(names, engine, part)
    return names[at % len(names)]


def _of_part(names: tuple[str, ...], engine: str, part: str) -> tuple[str, ...]:
    """Those of the voices that speak in one of PARTS; where none is to choose by, those that are trained on."""
    kept = {"test": HELD_OUT[engine], "choose": CHOSEN_BY[engine]}
    return kept.get(part) or tuple(name for name in names if not any(name in others for others in kept.values()))


def _long_enough(make: Callable[[], Said], seconds: float) -> list[Said]:
    parts, have = [], 0.0
    while have < seconds:
        parts.append(make())
        have += len(parts[-1].sound) / RATE_HZ
    return parts


def _flite(rng, voice: str, part: str, speakers, seconds: float) -> list[Said]:
    def one() -> Said:
        text = _sentence(rng, part)
        if part != "train":
            return say_flite(text, voice)
        return say_flite(text, voice, stretch=float(rng.uniform(0.85, 1.25)), pitch_hz=float(rng.uniform(80, 180)))

    return _long_enough(one, seconds)


def _festival(rng, voice: str, part: str, speakers, seconds: float) -> list[Said]:
    if voice in FESTIVAL_ABROAD:
        return say_festival([*numbers(rng, 2), *made_up(rng, 4)], voice)
    return say_festival(sentences(rng, 6, held_out=part == "test"), voice)


def _espeak(rng, variant: str, part: str, speakers, seconds: float) -> list[Said]:
    """One variant throughout, except to train on: there every sentence has another one, language, height and pace."""
    variants = _of_part(ESPEAK_VARIANTS, "espeak", part)

    def manner() -> tuple[str, dict]:
        language = _ESPEAK_LANGUAGES[int(rng.integers(len(_ESPEAK_LANGUAGES)))]
        return language, {
            "words_per_min": int(rng.integers(120, 220)), "pitch": int(rng.integers(25, 75)),
            "pitch_range": int(rng.integers(25, 80)),
        }  # fmt: skip

    language, settings = manner()

    def one() -> Said:
        nonlocal language, settings, variant
        text = _sentence(rng, part) if language.startswith("en") else numbers(rng, 1)[0]
        said = say_espeak(text, f"{language}+{variant}", **settings)
        if part == "train":
            language, settings = manner()
            variant = str(rng.choice(variants))
        return said

    return _long_enough(one, seconds)


def _neural(rng, voice: str, part: str, speakers, seconds: float) -> list[Said]:
    """One voice throughout, except to train on: there every sentence but the first is read by a blend with another."""
    from stages.training.speech_neural import LANGUAGES

    own = LANGUAGES[voice[0]]
    speed = float(rng.uniform(0.85, 1.2))
    others = _of_part(speakers["neural"].names, "neural", part)
    blend: tuple[str, float] | None = None

    def one() -> Said:
        nonlocal blend, speed
        english = own.startswith("en") or rng.random() < 0.5
        text = _sentence(rng, part) if english else numbers(rng, 1)[0]
        language = own if not english or own[:2] == "en" else "en-us"
        said = speakers["neural"].say(text, voice, language=language, speed=speed, blend=blend)
        if part == "train":
            blend, speed = (str(rng.choice(others)), float(rng.uniform(0.3, 0.9))), float(rng.uniform(0.8, 1.25))
        return said

    return _long_enough(one, seconds)


def _sentence(rng, part: str) -> str:
    return sentences(rng, 1, held_out=part == "test")[0]


_SPEAKERS = {"flite": _flite, "festival": _festival, "espeak": _espeak, "neural": _neural}


def _joined(rng, parts: list[Said]) -> tuple[np.ndarray, Timeline]:
    """The utterances one after another with pauses, equally loud."""
    sounds, rows, at = [], [], 0.0
    for said in parts:
        pause = np.zeros(round(float(rng.uniform(0.05, 1.2)) * RATE_HZ), np.int16)
        level = np.sqrt(np.mean(np.square(said.sound, dtype=np.float64))) + 1.0
        loud = np.clip(said.sound * (2500.0 / level), -32768, 32767).astype(np.int16)
        for sound, timeline in ((pause, ((0.0, len(pause) / RATE_HZ, "sil"),)), (loud, said.timeline)):
            rows += [(start + at, end + at, name) for start, end, name in timeline]
            sounds.append(sound)
            at += len(sound) / RATE_HZ
    return np.concatenate(sounds), tuple(rows)


def _coded(rng, sound: np.ndarray) -> np.ndarray:
    """The sound, or what a codec leaves of it; its length stays."""
    if rng.random() > _CODEC_SHARE:
        return sound
    suffix, words = _CODECS[int(rng.integers(len(_CODECS)))]
    back = through_codec(sound, suffix, words)[: len(sound)]
    return np.pad(back, (0, len(sound) - len(back)))


def through_codec(sound: np.ndarray, suffix: str, words: tuple[str, ...]) -> np.ndarray:
    """int16 [about n] at 16 kHz, encoded into a file of this suffix by these words of ffmpeg, and read again."""
    from stages.media.ffmpeg import command
    from stages.media.sound import sound_blocks

    raw = ("-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1")
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        file = Path(folder) / f"coded.{suffix}"
        arguments = command(*raw, "-i", "pipe:0", *words, str(file))
        arguments.remove("-nostdin")
        subprocess.run(arguments, input=sound.astype("<i2").tobytes(), capture_output=True, check=True)
        return np.concatenate(list(sound_blocks(file, RATE_HZ)))


def _save(file: Path, programme: Programme) -> None:
    numbers_of = {name: at for at, name in enumerate(PHONEME_NAMES)}
    rows = programme.timeline
    partial = file.with_name(f".{file.name}.{os.getpid()}.npz")
    np.savez(
        partial,
        sound=programme.sound,
        start_s=np.array([row[0] for row in rows]),
        end_s=np.array([row[1] for row in rows]),
        phoneme=np.array([numbers_of[row[2]] for row in rows], np.uint8),
        engine=programme.engine,
        voice=programme.voice,
    )
    os.replace(partial, file)
