"""Tokens written from expressions say those expressions, and are of the kind the encoder itself writes."""

import numpy as np

from stages.face.encoder import CROP_SIDE, load_face_encoder


def test_tokens_say_the_expressions_they_were_made_of():
    encoder = load_face_encoder()
    wanted = np.random.default_rng(0).uniform(0, 1, (7, 54)).astype(np.float32)
    tokens = encoder.tokens_of_expressions(wanted)
    read = encoder.tokens(np.zeros((1, CROP_SIDE, CROP_SIDE, 3), np.uint8))
    assert tokens.shape[1:] == read.shape[1:] and tokens.dtype == read.dtype
    worst = float(np.abs(encoder.expressions_of(tokens) - wanted).max())
    assert worst < 1e-3, worst


def test_what_no_crop_changes_is_said_of_expressions_too():
    """The transformer learned with it: without it, spoken faces would be strange to it."""
    encoder = load_face_encoder()
    crops = np.random.default_rng(0).integers(0, 255, (3, 128, 128, 3), dtype=np.uint8)
    seen = encoder.tokens(crops)
    said = encoder.tokens_of_expressions(encoder.expressions(crops))
    assert np.abs(seen - said).max() < 1e-3 * np.abs(seen).max()
