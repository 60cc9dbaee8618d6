"""The stage encode-face on a small bundle, with an encoder whose tokens are known."""

import types

import numpy as np
import pytest

from stages import encode_face
from stages.bundle import open_bundle, validate
from stages.core.errors import ConflictError, InputError, UsageError, WeightsError
from stages.encode_face import Params
from tests.view.small import SMALL_FACES, small_bundle


class FakeEncoder:
    """Tokens = mean colour of the crop, so that the expected values are known."""

    name, sha256 = "fake", "f" * 64

    def __init__(self):
        self.batches = []

    def tokens(self, crops_u8):
        assert crops_u8.dtype == np.uint8 and crops_u8.shape[1:] == (224, 224, 3)
        self.batches.append(len(crops_u8))
        return np.repeat(crops_u8.mean((1, 2), dtype=np.float64)[:, None].astype(np.float32), 2, 1)


@pytest.fixture
def encoder(monkeypatch, tmp_path):
    """A fake encoder in the place of the real one, and the file that stands for its weights."""
    fake = FakeEncoder()
    module = types.ModuleType("stages.face.encoder")
    module.load_face_encoder = lambda source="default", device="cpu": fake
    monkeypatch.setitem(__import__("sys").modules, "stages.face.encoder", module)
    fake.file = tmp_path / "fake.safetensors"
    fake.file.write_bytes(b"weights one")
    return fake


def settings(encoder, **others):
    return Params(encoder=str(encoder.file), device="cpu", **others)


def test_layer(tmp_path, encoder):
    path = small_bundle(tmp_path / "a.zarr")
    seen = []
    record = encode_face.run(path, settings(encoder, keep_crops=True, batch=3), lambda *step: seen.append(step))
    assert record.status == "written" and record.data == {"frames": 12, "faces": sum(SMALL_FACES), "encoder": "fake"}
    assert max(encoder.batches) == 3 and sum(encoder.batches) == sum(SMALL_FACES)
    assert seen[-1] == (12, 12, "face")
    bundle = open_bundle(path)
    tokens, valid, crops = (bundle.read("face", name) for name in ("tokens", "valid", "crops"))
    assert tokens.dtype == np.float32 and tokens.shape == (12, 2, 3) and valid.tolist() == list(SMALL_FACES)
    assert np.isnan(tokens[~valid]).all() and (crops[~valid] == 0).all()
    assert np.allclose(tokens[valid, 0], crops[valid].mean((1, 2)), atol=1e-3)
    assert np.isnan(bundle.read("face", "crop_affine")[~valid]).all()
    assert bundle.attrs("face")["encoder"] == {"name": "fake", "sha256": "f" * 64}
    assert validate(path) == []


def test_same_settings_skip_others_conflict(tmp_path, encoder):
    path = small_bundle(tmp_path / "a.zarr")
    first = encode_face.run(path, settings(encoder))
    again = encode_face.run(path, settings(encoder, batch=1))  # the batch decides nothing
    assert (again.status, again.key) == ("skipped", first.key)
    with pytest.raises(ConflictError):
        encode_face.plan(path, settings(encoder, keep_crops=True))
    encoder.file.write_bytes(b"weights two")  # the same name, other weights
    with pytest.raises(ConflictError):
        encode_face.plan(path, settings(encoder))
    assert encode_face.run(path, settings(encoder, overwrite=True)).status == "replaced"


def test_clip_without_a_face(tmp_path, encoder):
    path = small_bundle(tmp_path / "a.zarr", faces=(False,) * 12)
    record = encode_face.run(path, settings(encoder))
    tokens = open_bundle(path).read("face", "tokens")
    assert record.data["faces"] == 0 and tokens.shape == (12, 2, 3) and np.isnan(tokens).all()


def test_errors(tmp_path, encoder):
    path = small_bundle(tmp_path / "a.zarr", pose=False)
    with pytest.raises(InputError, match="layer 'pose' is missing"):
        encode_face.run(path, settings(encoder))
    whole = small_bundle(tmp_path / "b.zarr")
    with pytest.raises(UsageError, match="--batch"):
        encode_face.plan(whole, settings(encoder, batch=0))
    with pytest.raises(WeightsError, match="not found"):
        encode_face.plan(whole, Params(encoder=str(tmp_path / "nothing.safetensors")))
    short = small_bundle(tmp_path / "c.zarr", faces=SMALL_FACES[:7])
    with pytest.raises(InputError, match="7 frames"):
        encode_face.run(short, settings(encoder))
    assert open_bundle(short).layers() == ["clip", "pose"] and validate(short) == []
