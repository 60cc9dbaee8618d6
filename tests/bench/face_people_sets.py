"""Crops of people of the test split who all make the same faces, for bench_face_encoder.py.

Two sets: `spread`, every unit on its own as in the close-ups of the training, and `natural`, moments out of films of
other faces each (what people do when they talk, smile and look around). Head turn, camera, light and background are
drawn for every crop of every person anew, so that nothing but the face is alike. People whose eyes or mouth are covered
(dark glasses, long fringes) are passed over: nothing can be read there.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIRST = 700_000  # seed of the first person: of the test split
FACES_SEED = 690_000  # of the faces they make
LEAST_SEEN = 0.8  # of brows, eyes, nose and mouth, median over a person's crops


@dataclass(frozen=True)
class Crops:
    """crops uint8 [P, E, 128, 128, 3]; labels float32 [E, 54]."""

    crops_u8: np.ndarray
    labels: np.ndarray


def natural_faces(names: tuple[str, ...], count: int):
    """One random moment of each of `count` films."""
    from stages.core.rng import numpy_rng
    from stages.synthetic.face_motion import FaceMotion

    faces = []
    for number in range(count):
        rng = numpy_rng(FACES_SEED + number, "bench", "faces", "natural")
        faces.append(FaceMotion(rng, 4.0, names)(rng.uniform(0, 4.0)))
    return faces


def make_people(
    people: int, spread: int, natural: int, cache: Path | None = None, *, assets: str = "", say=None
) -> dict[str, Crops]:
    """{"spread": Crops, "natural": Crops}; `cache` is a folder with one file a person, made again where missing.

    assets  full or anny; "" = full where it can be had;  say  called with (people found, seed looked at last)
    """
    from stages.training.face_people import draw_faces, face_studio
    from stages.training.pool import usual_assets

    studio = face_studio(assets or usual_assets("auto"))
    faces = [
        *draw_faces(studio.expression_names, FACES_SEED, spread),
        *natural_faces(studio.expression_names, natural),
    ]
    rows, seed = [], FIRST
    while len(rows) < people:
        row = _person(studio, faces, seed, cache / f"{seed}-{spread}-{natural}.npz" if cache else None)
        if np.median(row["seen_01"]) >= LEAST_SEEN:
            rows.append(row)
        seed += 1
        if say:
            say(len(rows), seed - 1)
    labels = np.stack([row["expressions"] for row in rows]).astype(np.float32)
    if np.abs(labels - labels[:1]).max() > 1e-6:
        raise AssertionError("people of one set do not make the same faces")
    crops_u8 = np.stack([row["faces"] for row in rows])
    parts = {"spread": slice(0, spread), "natural": slice(spread, spread + natural)}
    return {name: Crops(crops_u8[:, part], labels[0, part]) for name, part in parts.items()}


def _person(studio, faces, seed: int, path: Path | None) -> dict[str, np.ndarray]:
    """faces, expressions and seen_01 of one person, in the order of `faces`."""
    names = ("faces", "expressions", "seen_01")
    if path is not None and path.is_file():
        with np.load(path) as opened:
            return {name: opened[name] for name in names}
    # another order for everyone, so that no two share what neighbours in the list share: light and background
    order = np.random.default_rng(seed).permutation(len(faces))
    made = studio.close_ups(seed, [faces[index] for index in order])
    row = {name: made[name][np.argsort(order)] for name in names}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **row)
    return row
