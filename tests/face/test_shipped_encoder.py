"""What the shipped face encoder reads on people it never saw; the figures of many people: bench_face_encoder.py."""

import numpy as np
import pytest

from stages.core.errors import WeightsError
from stages.face.encoder import load_face_encoder
from stages.training.face_measures import identity_probe, retrieval_top1

FIRST, FACES_SEED = 700_001, 690_000  # of the test split
PEOPLE, FACES = 4, 24


@pytest.fixture(scope="module")
def people():
    """(crops uint8 [P, E, 128, 128, 3], labels [E, 54], names of the units) of people making the same faces."""
    from stages.training.face_people import draw_faces, face_studio

    try:
        studio = face_studio("anny")
    except WeightsError as error:
        pytest.skip(f"assets cannot be had here: {error}")
    faces = draw_faces(studio.expression_names, FACES_SEED, FACES)
    made = [studio.close_ups(FIRST + number, faces) for number in range(PEOPLE)]
    return np.stack([row["faces"] for row in made]), made[0]["expressions"], studio.expression_names


def test_the_mouth_of_strangers_is_read(people):
    crops_u8, labels, names = people
    found = load_face_encoder().expressions(crops_u8.reshape(-1, *crops_u8.shape[2:]))
    jaw = names.index("jawOpen")
    r = np.corrcoef(found[:, jaw], np.tile(labels[:, jaw], PEOPLE))[0, 1]
    assert r > 0.7, r  # 0.80 when this was written


def test_tokens_find_the_face_on_others_better_and_name_the_person_worse_than_pixels_do(people):
    crops_u8 = people[0]
    tokens = load_face_encoder().tokens(crops_u8.reshape(-1, *crops_u8.shape[2:])).reshape(PEOPLE, FACES, -1)
    grey = crops_u8.mean(-1).reshape(PEOPLE, FACES, 16, 8, 16, 8).mean((3, 5)).reshape(PEOPLE, FACES, -1)
    found, known = retrieval_top1(tokens) * FACES, identity_probe(tokens) * PEOPLE
    found_by_pixels, known_by_pixels = retrieval_top1(grey) * FACES, identity_probe(grey) * PEOPLE
    # In multiples of chance, when this was written: 1.6 and 2.5, pixels 0.6 and 3.1. Wanted are 20 and at most 3: the
    # identity of four people cannot be 3 times chance without being 75% known, so only the bench judges that.
    assert found > 1.4 and found > 1.3 * found_by_pixels, (found, found_by_pixels)
    assert known < 2.75 and known < 0.9 * known_by_pixels, (known, known_by_pixels)
