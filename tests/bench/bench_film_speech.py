"""What a film of somebody speaking lets one hear of its mouth: sync, sounds against lips, and the most r can be.

    python tests/bench/bench_film_speech.py FILM --text "the words that are said" [--network FILE] [--json FILE]

An aligner that is not ours (pocketsphinx, pip install pocketsphinx==5.1.1) places the words. Then no ear is needed:
the exact sounds, through the visemes audio2face is trained with, are compared with the face mesh, and so are openings
fitted to this very film, one for each viseme. What those cannot reach no network that only hears can.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from bench_audio2face import opening

from stages.audio.network import FRAMES_PER_S, load_speech_face
from stages.audio.predict import expressions_of, hear
from stages.synthetic.expressions import VISEME_NAMES
from stages.synthetic.phonemes import PHONEMES, Timeline, viseme_curves
from stages.training.speech_loop import true_units
from stages.training.speech_phones import from_radio

_UPPER_LIP, _LOWER_LIP, _FOREHEAD, _CHIN, _CORNERS, _EYES = 13, 14, 10, 152, (61, 291), (33, 263)
_SHUT, _ROUND = ("PP", "FF"), ("U", "O", "CH", "RR")
_MOST = 10  # pictures of shift looked at either way
_FOLDS = 8


def spoken_words(sound: np.ndarray, text: str) -> Timeline:
    """Phoneme times of the words, by pocketsphinx with its own dictionary."""
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=16000, loglevel="FATAL")
    words = re.findall(r"[a-z']+", text.lower())
    unknown = [word for word in words if decoder.lookup_word(word) is None]
    if unknown:
        raise SystemExit(f"--text: the dictionary has no {', '.join(unknown)}; write words that sound the same")
    decoder.set_align_text(" ".join(words))
    for stage in ("words", "sounds"):
        decoder.start_utt()
        decoder.process_raw(sound.astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        if stage == "words":
            decoder.set_alignment()
    phones = [phone for word in decoder.get_alignment() for phone in word]
    rows = ((p.start / 100, (p.start + p.duration) / 100, "pau" if p.name.upper() == "SIL" else p.name) for p in phones)
    return from_radio(tuple(rows))


def lips_of(path: Path, folder: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """(gap between the lips of the face's height, width of the mouth in eye distances, pictures a second)"""
    from stages import extract_pose
    from stages.bundle import open_bundle

    item = folder / "film.zarr"
    extract_pose.run(path, extract_pose.Params(output=str(item), smooth=False))
    bundle = open_bundle(item)
    points = bundle.read("pose", "face_px").astype(np.float64)[..., :2]

    def apart(first: int, second: int) -> np.ndarray:
        return np.linalg.norm(points[:, first] - points[:, second], axis=-1)

    fps = float(Fraction(bundle.attrs("clip")["fps"]))
    return apart(_UPPER_LIP, _LOWER_LIP) / apart(_FOREHEAD, _CHIN), apart(*_CORNERS) / apart(*_EYES), fps


def fitted(visemes: np.ndarray, gap: np.ndarray, folds: int) -> float:
    """r of the gap with openings fitted to it, one a viseme; folds 1 = fitted to what is measured."""
    out, fold = np.zeros(len(gap)), np.arange(len(gap)) * folds // len(gap)
    for at in range(folds):
        known = fold != at if folds > 1 else np.ones(len(gap), bool)
        middle, mean = visemes[known].mean(0), gap[known].mean()
        rows = visemes[known] - middle
        weights = np.linalg.solve(rows.T @ rows + 0.3 * np.eye(rows.shape[1]), rows.T @ (gap[known] - mean))
        out[fold == at] = (visemes[fold == at] - middle) @ weights + mean
    return float(np.corrcoef(out, gap)[0, 1])


def measure(film: Path, text: str, source: str) -> dict:
    from stages.media.sound import sound_blocks

    sound = np.concatenate(list(sound_blocks(film)))
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        gap, width, fps = lips_of(film, Path(folder))
    timeline = spoken_words(sound, text)
    heard = hear(load_speech_face(source).network, [sound])
    exact = true_units(timeline, len(heard.units))[0]
    curves = {"network": opening(expressions_of(heard.units)), "exact sounds": opening(expressions_of(exact)),
              "loudness": heard.level_db}  # fmt: skip
    inner = np.arange(_MOST, len(gap) - _MOST)

    def at_lead(values: np.ndarray, lead: float) -> np.ndarray:
        places = (inner + lead) / fps * FRAMES_PER_S
        return np.stack([np.interp(places, np.arange(len(values)), column) for column in np.atleast_2d(values.T)], -1)

    visemes = viseme_curves(np.arange(len(heard.units)) / FRAMES_PER_S, timeline)
    shut, narrow = (visemes[:, [VISEME_NAMES.index(name) for name in names]].sum(1) for names in (_SHUT, _ROUND))
    leads = np.arange(-_MOST, _MOST + 1)

    def r(values: np.ndarray, seen: np.ndarray, lead: float) -> float:
        return float(np.corrcoef(at_lead(values, lead)[:, 0], seen[inner])[0, 1])

    closing = np.array([r(-shut, gap, lead) for lead in leads])
    rounding = np.array([r(-narrow, width, lead) for lead in leads])
    best = int(leads[np.argmax(closing + rounding)])
    found: dict = {"fps": fps, "pictures": len(gap), "lead_ms": 1000 * best / fps, "closing": closing.tolist(),
                   "rounding": rounding.tolist(), "gap_of": {}}  # fmt: skip
    print(f"lips ahead of the sound by {1000 * best / fps:.0f} ms: there r of the lips' gap with p b m f v "
          f"{closing[leads == best][0]:.2f} (in place {closing[_MOST]:.2f}), of the width with rounded sounds "
          f"{rounding[leads == best][0]:.2f} ({rounding[_MOST]:.2f})")  # fmt: skip
    for lead in dict.fromkeys((0, best)):
        rows = {name: r(values, gap, lead) for name, values in curves.items()}
        rows["fitted openings"] = fitted(at_lead(visemes, lead), gap[inner], 1)
        rows["fitted, on other parts"] = fitted(at_lead(visemes, lead), gap[inner], _FOLDS)
        found[f"r at {1000 * lead / fps:.0f} ms"] = rows
        print(f"r of the gap, sound {1000 * lead / fps:.0f} ms late:",
              ", ".join(f"{name} {value:.2f}" for name, value in rows.items()))  # fmt: skip
    for start, end, name in timeline:
        seen = gap[max(0, round(start * fps) - best) : max(0, round(end * fps) - best)]
        found["gap_of"].setdefault(PHONEMES[name][0], []).extend(seen.tolist())
    shares = (f"{name} {100 * np.mean(seen):.1f} ({len(seen)})" for name, seen in found["gap_of"].items() if seen)
    print("gap in percent of the face's height (pictures):", ", ".join(shares))
    network, phonemes = curves["network"], curves["exact sounds"]
    found["network against exact sounds"] = float(np.corrcoef(network, phonemes)[0, 1])
    print(f"network against the exact sounds of this voice: r {found['network against exact sounds']:.2f}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--text", required=True)
    parser.add_argument("--network", default="default")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    found = measure(args.film, args.text, args.network)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
