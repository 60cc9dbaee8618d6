"""Voices with known times: espeak-ng, flite and festival, as Debian packages them, say a text and when each sound was.

Nothing of them is shipped or linked into the package; they are programs a person who trains has on the machine.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np

from stages.core.errors import WeightsError
from stages.synthetic.phonemes import Timeline
from stages.training.speech_phones import from_abroad, from_ipa, from_radio

RATE_HZ = 16000
_TIMEOUT_S = 120
FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
FESTIVAL_VOICES = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
# voices of other languages, which read digits and made-up words; their packages begin with festvox-
FESTIVAL_ABROAD = {"lp_diphone": "italian", "pc_diphone": "italian", "czech_dita": "czech", "czech_machac": "czech",
                   "czech_ph": "czech", "czech_krb": "czech", "hy_fi_mv_diphone": "finnish",
                   "suo_fi_lj_diphone": "finnish", "upc_ca_ona_hts": "catalan",
                   "msu_ru_nsh_clunits": "russian"}  # fmt: skip
_FESTIVAL_PACKAGES = (
    "festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts festvox-itapc16k festvox-italp16k "
    "festvox-czech-dita festvox-czech-machac festvox-czech-ph festvox-czech-krb festvox-suopuhe-lj festvox-suopuhe-mv "
    "festvox-ca-ona-hts festvox-ru"
)
ESPEAK_VARIANTS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2", "klatt3",
                   "Annie", "Alex", "Andrea", "steph", "Denis", "grandpa", "victor", "Michael", "zac", "anika",
                   "edward", "max", "linda", "belinda", "kaukovalta", "adam", "benjamin", "boris", "caleb", "david",
                   "Diogo", "ed", "Gene", "gustave", "Henrique", "Hugo", "iven", "iven3", "Jacky", "john", "Lee",
                   "marcelo", "marco", "Mario", "michel", "miguel", "Mike", "Mr", "Nguyen", "pablo", "paul", "pedro",
                   "quincy", "rob", "robert", "sandro", "shelby", "travis", "norbert", "m8", "grandma", "aunty",
                   "Alicia", "antonio", "AnxiousAndy", "RicishayMax", "klatt4")  # fmt: skip


@dataclass(frozen=True)
class Said:
    """sound int16 [n] at 16 kHz; timeline (start_s, end_s, ARPAbet), the whole sound from its first sample on."""

    sound: np.ndarray
    timeline: Timeline


def say_flite(text: str, voice: str, *, stretch: float = 1.0, pitch_hz: float = 0.0) -> Said:
    """Speech of flite; stretch: of its times; pitch_hz, 0 = its own: of diphone voices. errors  WeightsError"""
    _need("flite", "flite")
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        file = Path(folder) / "said.wav"
        words = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(file)]
        if stretch != 1.0:
            words += ["--setf", f"duration_stretch={stretch:.3f}"]
        if pitch_hz:
            words += ["--setf", f"int_f0_target_mean={pitch_hz:.1f}"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
        rows, start = [], 0.0
        for pair in done.stdout.split():
            name, _, end = pair.rpartition(":")
            rows.append((start, float(end), name))
            start = float(end)
        return Said(_read_wave(file), from_radio(tuple(rows)))


def say_festival(texts: list[str], voice: str) -> list[Said]:
    """Speech of festival, one for each text (starting it takes longer than speaking). errors  WeightsError"""
    _need("festival", _FESTIVAL_PACKAGES)
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        lines = [f"(voice_{voice})"]
        for at, text in enumerate(texts):
            lines += [
                f"(set! u (utt.synth (eval (list 'Utterance 'Text \"{_plain(text)}\"))))",
                f'(utt.save.wave u "{folder}/{at}.wav" \'riff)',
                f'(utt.save.segs u "{folder}/{at}.lab")',
            ]
        script = Path(folder) / "say.scm"
        script.write_text("\n".join(lines))
        subprocess.run(["festival", "--batch", str(script)], capture_output=True, timeout=_TIMEOUT_S, check=True)
        if not (Path(folder) / f"{len(texts) - 1}.lab").is_file():
            raise WeightsError(f"festival: has no voice {voice}. Debian: apt-get install {_FESTIVAL_PACKAGES}")
        return [_festival_said(Path(folder) / str(at), voice) for at in range(len(texts))]


def _festival_said(stem: Path, voice: str) -> Said:
    rows, start = [], 0.0
    for line in stem.with_suffix(".lab").read_text().splitlines():
        cells = line.split()
        if len(cells) == 3:
            rows.append((start, float(cells[0]), cells[2]))
            start = float(cells[0])
    language = FESTIVAL_ABROAD.get(voice)
    timeline = from_abroad(tuple(rows), language) if language else from_radio(tuple(rows))
    return Said(_read_wave(stem.with_suffix(".wav")), timeline)


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = [
        ("type", ctypes.c_int), ("uid", ctypes.c_uint), ("text_position", ctypes.c_int), ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int), ("sample", ctypes.c_int), ("user", ctypes.c_void_p), ("string", ctypes.c_char * 8),
    ]  # fmt: skip


_PHONEME_EVENT, _END = 7, 0
_RETRIEVAL, _EVENTS_IN_IPA, _UTF8 = 1, 3, 1
_SPEED, _PITCH, _RANGE = 1, 3, 4
_LATE_S = 0.03  # its marks of stops come 25 to 50 ms after their sound (measured at 180 edges)


@cache
def _espeak() -> tuple[ctypes.CDLL, int]:
    """(the library, its sampling rate). errors  WeightsError: not installed"""
    name = ctypes.util.find_library("espeak-ng")
    if name is None:
        raise WeightsError("espeak-ng: its library is not installed. Debian: apt-get install espeak-ng")
    library = ctypes.CDLL(name)
    rate = library.espeak_Initialize(_RETRIEVAL, 200, None, _EVENTS_IN_IPA)
    if rate <= 0:
        raise WeightsError(f"espeak-ng: found no voices (code {rate}). Debian: apt-get install espeak-ng-data")
    return library, rate


def say_espeak(text: str, voice: str, *, words_per_min: int = 165, pitch: int = 50, pitch_range: int = 50) -> Said:
    """Speech of espeak-ng; voice such as en-us+f3. errors  WeightsError: not installed, or no such voice"""
    library, rate = _espeak()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise WeightsError(f"espeak-ng: has no voice {voice!r}. See: espeak-ng --voices")
    for number, value in ((_SPEED, words_per_min), (_PITCH, pitch), (_RANGE, pitch_range)):
        library.espeak_SetParameter(number, value, 0)
    blocks: list[np.ndarray] = []
    marks: list[tuple[float, str]] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
    def heard(samples, count: int, events) -> int:
        if count > 0 and samples:
            blocks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        at = 0
        while events[at].type != _END:
            if events[at].type == _PHONEME_EVENT:
                moment = max(0.0, events[at].audio_ms / 1000 - _LATE_S)
                marks.append((moment, events[at].string.decode("utf-8", "ignore")))
            at += 1
        return 0

    library.espeak_SetSynthCallback(heard)
    data = text.encode()
    library.espeak_Synth(data, len(data) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    if not blocks:
        raise WeightsError(f"espeak-ng: voice {voice!r} said nothing")
    sound = resampled(np.concatenate(blocks), rate)
    ends = [start for start, _ in marks[1:]] + [len(sound) / RATE_HZ]
    rows = tuple((start, end, name) for (start, name), end in zip(marks, ends, strict=True) if end > start)
    first = rows[0][0] if rows else 0.0
    return Said(sound, from_ipa(((0.0, first, ""), *rows)))


def espeak_ipa(text: str, voice: str) -> str:
    """What espeak-ng would say, in IPA with stress marks and without line breaks. errors  WeightsError"""
    library, _ = _espeak()
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise WeightsError(f"espeak-ng: has no voice {voice!r}. See: espeak-ng --voices")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    place = ctypes.c_char_p(text.encode())
    clauses = []
    while place.value:
        said = library.espeak_TextToPhonemes(ctypes.byref(place), _UTF8, 2)
        clauses.append((said or b"").decode("utf-8", "ignore"))
    return ", ".join(clause.strip() for clause in clauses if clause.strip())


def resampled(sound: np.ndarray, rate_hz: int, to_hz: int = RATE_HZ) -> np.ndarray:
    """int16 [n] at another rate, without aliasing."""
    from scipy.signal import resample_poly

    if rate_hz == to_hz:
        return np.asarray(sound, np.int16)
    ratio = Fraction(to_hz, rate_hz)
    out = resample_poly(np.asarray(sound, np.float64), ratio.numerator, ratio.denominator)
    return np.clip(np.round(out), -32768, 32767).astype(np.int16)


def _read_wave(path: Path) -> np.ndarray:
    with wave.open(str(path), "rb") as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return resampled(sound, file.getframerate())


def _plain(text: str) -> str:
    """Text that ends no string of festival's language."""
    return text.replace("\\", " ").replace('"', " ")


def _need(program: str, packages: str) -> None:
    if shutil.which(program) is None:
        raise WeightsError(f"{program}: not installed. Debian: apt-get install {packages}, or leave it out of --voices")
