"""Crops of people of the test split who all make the same faces, for bench_face_encoder.py.

Two sets: `spread`, every unit on its own as in the close-ups of the training, and `natural`, moments out of films of
other faces each (what people do when they talk, smile and look around). Head turn, camera, light and background are
drawn for every crop of every person anew, so that nothing but the face is alike.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIRST = 700_000  # seed of the first person: of the test split
FACES_SEED = 690_000  # of the faces they make
SETS = ("spread", "natural")


@dataclass(frozen=True)
class Crops:
    """crops uint8 [P, E, 64, 64, 3]; labels float32 [E, 54]; facing [P, E] cosine between face and camera axis."""

    crops_u8: np.ndarray
    labels: np.ndarray
    facing: np.ndarray


def natural_faces(names: tuple[str, ...], count: int):
    """One random moment of each of `count` films."""
    from stages.core.rng import numpy_rng
    from stages.synthetic.face_motion import FaceMotion

    faces = []
    for number in range(count):
        rng = numpy_rng(FACES_SEED + number, "bench", "faces", "natural")
        faces.append(FaceMotion(rng, 4.0, names)(rng.uniform(0, 4.0)))
    return faces


def make_people(people: int, spread: int, natural: int, cache: Path | None = None, say=None) -> dict[str, Crops]:
    """{"spread": Crops, "natural": Crops}; `cache` is a folder with one file a person, made again where missing."""
    from stages.training.face_people import draw_faces, face_studio
    from stages.training.pool import usual_assets

    studio, rows = None, []
    for number in range(people):
        path = cache / f"{FIRST + number}-{spread}-{natural}.npz" if cache else None
        if path is None or not path.is_file():
            if studio is None:
                studio = face_studio(usual_assets("auto"))
                names = studio.expression_names
                faces = [*draw_faces(names, FACES_SEED, spread), *natural_faces(names, natural)]
            # another order for everyone, so that no two share what neighbours in the list share: light and background
            order = np.random.default_rng(FIRST + number).permutation(len(faces))
            made = studio.close_ups(FIRST + number, [faces[index] for index in order])
            back = np.argsort(order)
            row = {key: made[key][back] for key in ("faces", "expressions", "R_cam_head", "seen_01")}
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez(path, **row)
        else:
            with np.load(path) as opened:
                row = {key: opened[key] for key in opened.files}
        rows.append(row)
        if say:
            say(number + 1, people)
    labels = np.stack([row["expressions"] for row in rows]).astype(np.float32)
    if np.abs(labels - labels[:1]).max() > 1e-6:
        raise AssertionError("people of one set do not make the same faces")
    parts = {"spread": slice(0, spread), "natural": slice(spread, spread + natural)}
    return {
        name: Crops(
            np.stack([row["faces"][part] for row in rows]),
            labels[0, part],
            np.stack([row["R_cam_head"][part, 2, 2] for row in rows]),
        )
        for name, part in parts.items()
    }
