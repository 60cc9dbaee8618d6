"""The pictures on disk: the MP4 with the driver's sound, and the contact sheet."""

from __future__ import annotations

from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import numpy as np

_SHEET_ROWS = 6


def write_film(bundle, animator, store, signals, video: Path, mark: dict, audio: str = "") -> dict[int, np.ndarray]:
    """Decode the segments and write the MP4 with its sound, frame after frame.

    store    SegmentStore of the whole clip;  mark  the metadata that says how it was made
    audio    file whose sound it gets; "" is the driver's own
    returns  the few pictures uint8 [H, W, 3] that the contact sheet shows, by frame
    """
    from stages.media import clip_media, write_video

    clip, frames = bundle.attrs("clip"), len(signals)
    wanted, kept = set(_sheet_indices(frames)), {}

    def pictures():
        index = 0
        for block in animator.decode_parts(store.read, store.latents, signals):
            for frame in block[: frames - index]:
                if index in wanted:
                    kept[index] = frame
                yield frame
                index += 1

    has_sound = clip.get("has_audio") and "media" in bundle.array_names("clip")
    rate = Fraction(clip["fps"]) if clip.get("fps") else Fraction(25)
    with clip_media(bundle) if has_sound and not audio else nullcontext(audio or None) as sound:
        write_video(video, pictures(), rate, audio_from=sound, metadata=mark)
    return kept


def write_sheet(bundle, signals, results: dict[int, np.ndarray], path: Path, mark: dict) -> None:
    """Write the contact sheet: reference | driver | skeleton and sphere | result, a row a moment."""
    from stages.media import clip_frames, contact_sheet, write_png

    height = max(256, signals.size[0])
    rows = []
    with clip_frames(bundle) as reader:
        for index in sorted(results):
            maps = signals.cut(index, index + 1).maps[0]
            controls = np.maximum(maps[..., :3], maps[..., 3:])
            rows.append([signals.ref_frames[0], reader.frame(index), controls, results[index]])
    labels = ["reference", "driver", "skeleton + sphere", "result (AI-made)"]
    names = [f"frame {index}" for index in sorted(results)]
    write_png(path, contact_sheet(rows, labels, row_labels=names, cell_height_px=height), text=mark)


def _sheet_indices(frames: int) -> list[int]:
    rows = min(_SHEET_ROWS, frames)
    return sorted({round(row * (frames - 1) / max(1, rows - 1)) for row in range(rows)})
