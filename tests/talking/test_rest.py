"""What a photo's face rests in while it says nothing."""

import numpy as np

from stages.core.arkit import ARKIT_INDEX
from stages.talking.sitter import at_rest


def test_an_open_mouth_closes_and_the_brows_stay():
    weights = np.zeros(54)
    for name, value in (("jawOpen", 0.8), ("browInnerUp", 0.6), ("mouthSmileLeft", 0.5), ("mouthFunnel", 0.05)):
        weights[ARKIT_INDEX[name]] = value
    weights[52] = -0.4
    rest = at_rest(weights)
    assert rest[ARKIT_INDEX["jawOpen"]] < 0.15
    assert rest[ARKIT_INDEX["browInnerUp"]] == 0.6 and rest[52] == -0.4
    assert rest[ARKIT_INDEX["mouthSmileLeft"]] == 0.3
    assert rest[ARKIT_INDEX["mouthFunnel"]] == 0.05, "a trace is the photo's closed mouth"


def test_a_face_that_cannot_be_read_rests_in_nothing():
    assert not at_rest(np.full(54, np.nan)).any()
