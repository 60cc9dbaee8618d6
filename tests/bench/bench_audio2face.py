"""How well mouths follow voices: held-out synthetic speech with exact truth, real films, silence, music, speed.

    python tests/bench/bench_audio2face.py --pool RUN/pool [--aligner] [--assets DIR] [--music DIR] [--json FILE]
        [--no-voice-gate]

Held-out means both: other voices and other words than were trained on (stages/training/speech_pool.py, HELD_OUT).
Mouth opening is how far the inner lips of an average head are apart (stages/face/weights/shape.safetensors), in head
radii. A closure counts as hit when the mouth is closed (a quarter of an `aa` or less) within 40 ms of when it should
be; how often a vowel is taken for closed stands beside it, because a mouth that never opens would hit them all.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.audio.network import FRAMES_PER_S, load_speech_face
from stages.audio.predict import at_frames, expressions_of, hear
from stages.audio.voice import load_voice_net
from stages.face.shape import face_shape
from stages.training.speech_align import ROUGH
from stages.training.speech_loop import true_units
from stages.training.speech_pool import Programme, read_programmes
from stages.training.speech_sphinx import sphinx_aligned

CLOSED_SHARE = 0.25
CLOSE_WITHIN = 2  # frames of 20 ms
_BILABIAL, _OPEN_VOWELS = ("P", "B", "M"), ("AA", "AE", "AH", "AO")
_TALKING = ("face_talking_speech.mp4",)
_MUSIC = ("face_grimaces_long.mp4", "full_dance_odd_size.mp4", "two_people.mp4", "hevc_turns_to_profile.mp4",
          "ends_without_person.mp4", "full_dance_outdoors.mp4")  # fmt: skip
_SPEECH = ("english_60s_16k_mono.wav", "english_8s_16k_stereo.wav", "chinese_4s_44k_stereo.wav",
           "chinese_3s_48k_stereo.wav")  # fmt: skip
_UPPER_LIP, _LOWER_LIP, _FOREHEAD, _CHIN = 13, 14, 10, 152  # of the 478 points


def opening(weights: np.ndarray) -> np.ndarray:
    """float [T] of ARKit weights [T, 52]: inner lips apart, head radii, 0 = as at rest."""
    shape = face_shape()
    rows = np.array([shape.points(row)[:, 1] for row in weights])
    rest = shape.neutral[:, 1]
    return (rows[:, 65:68].mean(1) - rows[:, 61:64].mean(1)) - (rest[65:68].mean() - rest[61:64].mean())


def interval(values: list[float]) -> str:
    """mean (low to high) of 95%, from the spread over clips (Student's t)."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}"
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return f"{mean:.3f} ({mean - half:.3f} to {mean + half:.3f}; {len(values)})"


def measure_programme(network, programme: Programme, wide: float, voice=None) -> dict:
    """Correlation, closures hit and vowels missed of one held-out programme; `wide` is the opening of an aa."""
    said = hear(network, [programme.sound], voice).units
    truth, _ = true_units(programme.timeline, len(said))
    heard, true = opening(expressions_of(said)), opening(expressions_of(truth))
    hits, shut, vowels = [], [], []
    for start, end, name in programme.timeline:
        first, last = round(start * FRAMES_PER_S) - 1, round(end * FRAMES_PER_S) + 2
        if first < CLOSE_WITHIN or last + CLOSE_WITHIN >= len(said):
            continue
        if name in _BILABIAL:
            at = first + int(np.argmin(true[first:last]))
            if true[at] <= CLOSED_SHARE * wide:
                hits.append(heard[at - CLOSE_WITHIN : at + CLOSE_WITHIN + 1].min() <= CLOSED_SHARE * wide)
        elif name in _OPEN_VOWELS and end - start > 0.07:
            middle = round((start + end) / 2 * FRAMES_PER_S)
            vowels.append(true[middle] > 0.5 * wide)
            shut.append(true[middle] > 0.5 * wide and heard[middle] <= CLOSED_SHARE * wide)
    offsets = range(-10, 11)
    shifted = [np.corrcoef(heard[10 + k : len(heard) - 10 + k], true[10:-10])[0, 1] for k in offsets]
    return {
        "engine": programme.engine, "voice": programme.voice, "r": float(np.corrcoef(heard, true)[0, 1]),
        "offset_ms": 20 * offsets[int(np.argmax(shifted))], "hits": hits, "shut": shut, "vowels": int(sum(vowels)),
    }  # fmt: skip


def held_out(network, pool: Path, aligner: bool, voice=None) -> dict:
    """Everything about the programmes of held-out voices, and about music.

    aligner  measure voices that know their times only roughly against those of pocketsphinx, and say so beside it
    """
    wide = float(opening(expressions_of(true_units(((0.0, 1.0, "AA"),), 50)[0]))[25])
    programmes = read_programmes(pool, "test")
    rows = [measure_programme(network, programme, wide, voice) for programme in programmes if programme.timeline]
    if aligner:
        rough = [row for row in rows if row["engine"] in ROUGH]
        print(f"  rough     {summary(rough)}")
        found = [sphinx_aligned(programme) for programme in programmes if programme.engine in ROUGH]
        print(f"  aligned   {100 * np.mean([share for _, share in found]):.0f}% of the sounds of these voices")
        rows = [row for row in rows if row["engine"] not in ROUGH]
        print(f"  exact     {summary(rows)}")
        rows += [measure_programme(network, programme, wide, voice) for programme, _ in found]
    for engine in dict.fromkeys(row["engine"] for row in rows):
        some = [row for row in rows if row["engine"] == engine]
        print(f"  {engine:9} {summary(some)}")
    print(f"  {'all':9} {summary(rows)}")
    quiet = [chatter(network, programme.sound, wide, voice) for programme in programmes if not programme.timeline]
    print(f"  music    {quiet_summary(quiet)}")
    for row in rows:
        row["hits"], row["shut"] = [int(np.sum(row["hits"])), len(row["hits"])], int(np.sum(row["shut"]))
    return {"rows": rows, "music": quiet, "wide": wide}


def summary(rows: list[dict]) -> str:
    hits, shut = (np.concatenate([row[name] for row in rows]) for name in ("hits", "shut"))
    vowels, late = sum(row["vowels"] for row in rows), np.median([row["offset_ms"] for row in rows])
    return (
        f"r {interval([row['r'] for row in rows])}; closures hit {100 * hits.mean():.1f}% of {len(hits)}, by programme "
        f"{interval([float(np.mean(row['hits'])) for row in rows if row['hits']])}; open vowels taken for closed "
        f"{100 * shut.sum() / max(1, vowels):.1f}% of {vowels}; offset {late:.0f} ms"
    )


def chatter(network, sound: np.ndarray, wide: float, voice=None) -> dict:
    """How much a mouth moves to a sound nobody speaks in, in openings of an aa."""
    gap = opening(expressions_of(hear(network, [sound], voice).units)) / wide
    opened = (gap[1:] > 0.35) & (gap[:-1] <= 0.35)
    return {
        "mean": float(gap.mean()), "p95": float(np.percentile(gap, 95)), "std": float(gap.std()),
        "opens_per_s": float(opened.sum() / (len(gap) / FRAMES_PER_S)),
    }  # fmt: skip


def quiet_summary(rows: list[dict]) -> str:
    parts = (f"{name} {np.mean([row[name] for row in rows]):.3f}" for name in ("mean", "p95", "std", "opens_per_s"))
    return ", ".join(parts) + f" of an aa ({len(rows)} sounds)"


def quiet_sounds() -> dict[str, np.ndarray]:
    """int16 sounds of ten seconds in which nobody speaks."""
    rng = np.random.default_rng(5)
    count = 160_000
    white = rng.normal(size=count)
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(np.maximum(np.arange(count // 2 + 1), 1)), count)
    gusts = np.interp(np.arange(count), np.linspace(0, count, 40), rng.uniform(0, 1, 40) ** 2)
    times = np.arange(count) / 16000
    made = {
        "silence": np.zeros(count), "faint noise": white * 1e-4, "white noise": white * 0.05,
        "pink noise": pink / pink.std() * 0.05, "wind": pink / pink.std() * 0.1 * gusts,
        "sweep": 0.2 * np.sin(2 * np.pi * 40 * times**2), "hum": 0.1 * np.sign(np.sin(2 * np.pi * 50 * times)),
    }  # fmt: skip
    return {name: np.clip(sound * 32767, -32768, 32767).astype(np.int16) for name, sound in made.items()}


def real_film(path: Path, folder: Path, gated: bool = True) -> dict:
    """Correlation of the heard opening with the face mesh's, and by how much the heard one is late."""
    from stages import audio2face, extract_pose
    from stages.bundle import open_bundle
    from stages.face.encoder import load_face_encoder

    item = folder / f"{path.stem}.zarr"
    extract_pose.run(path, extract_pose.Params(output=str(item), smooth=False))
    audio2face.run(item, audio2face.Params(blinks=False, voice_gate=gated))
    bundle = open_bundle(item)
    seen, points = bundle.read("pose", "face_valid"), bundle.read("pose", "face_px").astype(np.float64)
    lips = np.linalg.norm(points[:, _LOWER_LIP] - points[:, _UPPER_LIP], axis=-1)
    true = lips / np.linalg.norm(points[:, _CHIN] - points[:, _FOREHEAD], axis=-1)
    heard = opening(load_face_encoder().expressions_of(bundle.read("face", "tokens")))
    fps = float(Fraction(bundle.attrs("clip")["fps"]))
    reach = round(0.4 * fps)
    both = np.flatnonzero(seen[reach:-reach]) + reach
    shifts = np.arange(-reach, reach + 1)
    curve = np.array([np.corrcoef(heard[both + k], true[both])[0, 1] for k in shifts])
    best = int(np.clip(np.argmax(curve), 1, len(curve) - 2))
    low, top, high = curve[best - 1 : best + 2]
    fine = shifts[best] + 0.5 * (low - high) / (low - 2 * top + high)
    return {"film": path.name, "frames": len(both), "r": float(curve[reach]), "r_best": float(curve.max()),
            "late_ms": float(1000 * fine / fps)}  # fmt: skip


def film_sync(film: Path, bundle: Path, sound: Path) -> dict:
    """By how many ms sound and picture of a talking portrait are late, in its first and its last four seconds.

    The sound against the file it was made from; how much pictures change against how much the face layer does.
    """
    from stages.bundle import open_bundle
    from stages.face.encoder import load_face_encoder
    from stages.media import VideoReader
    from stages.media.sound import sound_blocks

    given, found = (np.concatenate(list(sound_blocks(file))).astype(np.float64) for file in (sound, film))
    with VideoReader(film) as reader:
        pictures = np.stack([frame.astype(np.float32).mean(-1) for frame in reader])
        fps = float(reader.fps)
    faces = load_face_encoder().expressions_of(open_bundle(bundle).read("face", "tokens"))
    seen = np.abs(np.diff(pictures, axis=0)).mean((1, 2))
    meant = np.abs(np.diff(faces, axis=0)).sum(1)[: len(seen)]
    part, frames = 4 * 16000, round(4 * fps)
    length = min(len(given), len(found))
    ends = {"start": (slice(0, part), slice(0, frames)),
            "end": (slice(length - part, length), slice(len(seen) - frames, len(seen)))}  # fmt: skip
    out: dict = {"pictures": len(pictures), "fps": fps, "sound_s": len(found) / 16000}
    for name, (samples, shown) in ends.items():
        out[f"sound_late_ms_{name}"] = round(lag(given[samples], found[samples], 3200) / 16, 2)
        out[f"picture_late_ms_{name}"] = round(1000 * lag(meant[shown], seen[shown], 6) / fps, 2)
    return out


def lag(given: np.ndarray, found: np.ndarray, most: int) -> float:
    """By how many places `found` is late, between places by a parabola."""
    given, found = (x - x.mean() for x in (given, found))
    inner = slice(most, len(given) - most)
    curve = np.array([np.dot(given[inner], found[most + k : len(given) - most + k]) for k in range(-most, most + 1)])
    best = int(np.clip(np.argmax(curve), 1, len(curve) - 2))
    low, top, high = curve[best - 1 : best + 2]
    return float(best - most + 0.5 * (low - high) / (low - 2 * top + high))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, help="pool of a train-speech run: its held-out voices")
    parser.add_argument("--aligner", action="store_true", help="neural voices at the times pocketsphinx finds")
    parser.add_argument("--assets", type=Path, help="folder with audio/ and videos/ of real speech and music")
    parser.add_argument("--music", type=Path, help="folder of further music: 15 s from the middle of each")
    parser.add_argument("--voice-gate", action=argparse.BooleanOptionalAction, default=True, help="as in audio2face")
    parser.add_argument("--film", type=Path, nargs=3, metavar=("MP4", "BUNDLE", "SOUND"), help="a talking portrait")
    parser.add_argument("--network", default="default")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    network = load_speech_face(args.network).network
    voice = load_voice_net() if args.voice_gate else None
    found: dict = {"voice_gate": args.voice_gate}
    if args.film:
        found["film"] = film_sync(*args.film)
        print(found["film"])
        return
    if args.pool:
        print("held-out voices and words")
        found["held_out"] = held_out(network, args.pool, args.aligner, voice)
    wide = float(opening(expressions_of(true_units(((0.0, 1.0, "AA"),), 50)[0]))[25])
    print("nobody speaks")
    for name, sound in quiet_sounds().items():
        found.setdefault("quiet", {})[name] = row = chatter(network, sound, wide, voice)
        print(f"  {name:12} {quiet_summary([row])}")
    if args.music:
        found["more_music"] = more_music(network, args.music, wide, voice)
    if args.assets:
        real(network, args.assets, wide, found, voice)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


def more_music(network, folder: Path, wide: float, voice=None) -> dict[str, dict]:
    """How much the mouth moves to the files of a folder, and of how many it leaves the mouth quite at rest."""
    from stages.media.sound import sound_blocks

    rows = {}
    for file in sorted(file for file in folder.rglob("*") if file.suffix in (".mp3", ".ogg", ".flac", ".wav")):
        sound = np.concatenate(list(sound_blocks(file)))
        middle = sound[max(0, len(sound) // 2 - 120_000) :][:240_000]
        if len(middle) == 240_000:
            rows[f"{file.parent.name}/{file.name}"] = chatter(network, middle, wide, voice)
    still = sum(row["opens_per_s"] == 0 for row in rows.values())
    print(f"  further music {quiet_summary(list(rows.values()))}; {still} never open the mouth")
    return rows


def real(network, assets: Path, wide: float, found: dict, voice=None) -> None:
    from stages.media.sound import sound_blocks

    for name in _MUSIC:
        file = next((assets / part / name for part in ("videos", "edge") if (assets / part / name).is_file()), None)
        if file is not None:
            sound = np.concatenate(list(sound_blocks(file)))
            found.setdefault("real_music", {})[name] = row = chatter(network, sound, wide, voice)
            print(f"  {name:28} {quiet_summary([row])}")
    print("real speech: how the mouth moves, and speed")
    for name in _SPEECH:
        started = time.perf_counter()
        heard = hear(network, sound_blocks(assets / "audio" / name), voice)
        at_frames(heard.units, 0, int(heard.seconds * 25), Fraction(25))
        spent = time.perf_counter() - started
        gap = opening(expressions_of(heard.units)) / wide
        opens = ((gap[1:] > 0.35) & (gap[:-1] <= 0.35)).sum() / heard.seconds
        found.setdefault("speech", {})[name] = {"opens_per_s": float(opens), "times_real_time": heard.seconds / spent}
        print(f"  {name:28} opens {opens:.2f} times a second, {heard.seconds / spent:.0f} times real time")
    print("real films: against the face mesh")
    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        for name in _TALKING:
            row = real_film(assets / "videos" / name, Path(folder), voice is not None)
            found.setdefault("films", []).append(row)
            print(f"  {name:28} r {row['r']:.3f}, best {row['r_best']:.3f} when heard is {row['late_ms']:.0f} ms late")


if __name__ == "__main__":
    main()
