"""The face layer from sound: frame-exact, in encode-face's arrays, for any file with sound and for none without."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from stages import audio2face
from stages.audio2face import Params
from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, open_bundle, validate
from stages.core.errors import ConflictError, InputError, UsageError, WeightsError
from stages.face.encoder import load_face_encoder
from stages.face.layer import face_specs
from stages.media import write_video
from stages.weights import describe
from tests.audio2face.conftest import RATE, voice, write_sound


def ungated(**given) -> Params:
    """Without the voice gate unless asked: these tests move the mouth by noise, which is no voice."""
    return Params(**{"voice_gate": False, **given})


def expressions(bundle) -> np.ndarray:
    return load_face_encoder().expressions_of(bundle.read("face", "tokens"))


@pytest.mark.parametrize("fps", ["25", "30000/1001", "60", "23.976"])
def test_a_sound_alone_gives_as_many_faces_as_pictures_begin_in_it(tmp_path, speech, network, fps):
    record = audio2face.run(speech, ungated(output=str(tmp_path / "a.zarr"), network=network, fps=fps))
    bundle = open_bundle(record.path)
    count = int(np.ceil(Fraction(5, 2) * Fraction(fps)))
    assert bundle.layers() == ["face"] and record.data["frames"] == count
    tokens, valid = bundle.read("face", "tokens"), bundle.read("face", "valid")
    wanted = load_face_encoder().tokens(np.zeros((1, 224, 224, 3), np.uint8))
    assert tokens.shape == (count, *wanted.shape[1:]) and tokens.dtype == np.float32
    assert valid.all() and np.isnan(bundle.read("face", "crop_affine")).all()
    assert Fraction(bundle.attrs("face")["fps"]) == Fraction(fps)
    assert validate(record.path) == []


def test_the_layer_has_the_arrays_and_names_of_encode_face(tmp_path, speech, network):
    record = audio2face.run(speech, ungated(output=str(tmp_path / "a.zarr"), network=network))
    bundle = open_bundle(record.path)
    assert set(bundle.array_names("face")) == set(face_specs()) - {"crops"}
    for name in bundle.array_names("face"):
        info, spec = bundle.array_info("face", name), face_specs()[name].to_attributes()
        assert {key: info[key] for key in spec} == spec, name
    encoder = load_face_encoder()
    assert bundle.attrs("face")["encoder"] == {"name": encoder.name, "sha256": encoder.sha256}
    assert {"face_layout", "upright", "crop_px"} <= set(bundle.attrs("face"))


def clip_with_sound(path, sound_file, frames=40, fps=Fraction(30000, 1001), said=True):
    """A bundle with nothing but a clip of grey pictures."""
    media = path.with_suffix(".mp4")
    pictures = (np.full((32, 32, 3), 90 + at % 7, np.uint8) for at in range(frames))
    write_video(media, pictures, fps, audio_from=sound_file if said else None)
    attrs = {
        "source": {"path": "x", "sha256": "0" * 64, "kind": "video"}, "fps": f"{fps.numerator}/{fps.denominator}",
        "size": [32, 32], "rotation_deg": 0, "frame_count": frames, "has_audio": said, "warnings": [],
    }  # fmt: skip
    key = layer_key("test", 1, {}, {})
    with LayerWriter(path, "clip", key=key, attrs=attrs, provenance=make_provenance("test", 1, {}, {})) as writer:
        data = np.frombuffer(media.read_bytes(), np.uint8)
        writer.put("media", data, ArraySpec("uint8", ("byte",)))
        writer.put("times_s", np.arange(frames) / float(fps), ArraySpec("float64", ("T",), "s"))
        writer.commit()
    return path


def test_a_bundle_keeps_its_own_rate_and_frames(tmp_path, speech, network):
    item = clip_with_sound(tmp_path / "clip.zarr", speech)
    record = audio2face.run(item, ungated(network=network))
    assert record.path == str(item) and record.data["frames"] == 40
    assert len(open_bundle(item).read("face", "tokens")) == 40
    alone = audio2face.run(speech, ungated(output=str(tmp_path / "a.zarr"), network=network, fps="30000/1001"))
    off = np.abs(expressions(open_bundle(item))[:, 24] - expressions(open_bundle(alone.path))[:40, 24])
    assert np.median(off) < 0.02, f"through AAC: median {np.median(off):.4f}, most {off.max():.4f}"


def test_another_sound_than_the_clips_own(tmp_path, speech, network):
    item = clip_with_sound(tmp_path / "clip.zarr", speech, said=False)
    with pytest.raises(InputError, match="no sound. Give one with --audio FILE"):
        audio2face.plan(item, ungated(network=network))
    record = audio2face.run(item, ungated(network=network, audio=str(speech)))
    assert record.data["frames"] == 40
    assert "the sound lasts 2.50 s, the clip 1.33 s" in record.data["warnings"][0]


def test_the_same_command_skips_another_seed_conflicts(tmp_path, speech, network):
    params = ungated(output=str(tmp_path / "a.zarr"), network=network)
    assert audio2face.run(speech, params).status == "written"
    assert audio2face.run(speech, params).status == "skipped"
    other = ungated(output=params.output, network=network, seed=1)
    with pytest.raises(ConflictError, match="--overwrite"):
        audio2face.run(speech, other)
    assert audio2face.run(speech, ungated(**{**vars(other), "overwrite": True})).status == "replaced"


def test_strength_and_offset_do_what_they_say(tmp_path, speech, network):
    def jaw(name: str, **settings) -> np.ndarray:
        made = audio2face.run(speech, ungated(output=str(tmp_path / name), network=network, blinks=False, **settings))
        return expressions(open_bundle(made.path))[:, 24]

    plain = jaw("plain.zarr")
    assert plain.std() > 1e-4
    assert np.abs(jaw("half.zarr", strength=0.5) - plain / 2).max() < 1e-3
    assert np.abs(jaw("late.zarr", offset=0.2)[5:] - plain[:-5]).max() < 1e-3
    assert np.abs(jaw("none.zarr", strength=0.0)).max() < 1e-3


def test_blinks_follow_the_seed_and_can_be_left_out(tmp_path, network):
    file = write_sound(tmp_path / "long.wav", voice(20))

    def lids(name: str, **settings) -> np.ndarray:
        made = audio2face.run(file, ungated(output=str(tmp_path / name), network=network, **settings))
        return expressions(open_bundle(made.path))[:, 8]

    first, again, other = lids("a.zarr"), lids("b.zarr"), lids("c.zarr", seed=7)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.max() > 0.6
    assert np.abs(lids("d.zarr", blinks=False)).max() < 1e-3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stereo96.wav", ("-ar", "96000", "-ac", "2")),
        ("float.wav", ("-c:a", "pcm_f32le", "-ar", "44100")),
        ("eight_bit.wav", ("-c:a", "pcm_u8", "-ar", "22050")),
        ("a.flac", ("-ar", "48000", "-ac", "2")),
        ("a.mp3", ("-b:a", "192k")),
        ("a.m4a", ("-c:a", "aac", "-b:a", "192k")),
        ("a.ogg", ("-c:a", "libopus", "-b:a", "96k")),
    ],
)
def test_every_kind_of_file_says_the_same_at_the_same_moment(tmp_path, network, name, words):
    from stages.media.sound import probe_sound, sound_blocks

    sound = voice(3.0)
    file = write_sound(tmp_path / name, sound, *words)
    found = np.concatenate(list(sound_blocks(file)))
    assert abs(len(found) - len(sound)) <= 0.1 * RATE, len(found)
    loud = [np.convolve(np.abs(x[:40_000].astype(float)), np.ones(400) / 400, "same")[::16] for x in (sound, found)]
    shifts = range(-40, 41)
    match = [np.corrcoef(loud[0][60:-60], np.roll(loud[1], k)[60:-60])[0, 1] for k in shifts]
    assert abs(shifts[int(np.argmax(match))]) <= 10, f"{shifts[int(np.argmax(match))]} ms late"
    assert probe_sound(file).codec
    record = audio2face.run(file, ungated(output=str(tmp_path / "a.zarr"), network=network))
    assert record.data["frames"] in (75, 76, 77)


def test_a_silent_file_is_said_to_be_silent(tmp_path, network):
    file = write_sound(tmp_path / "silent.wav", np.zeros(RATE, np.int16))
    record = audio2face.run(file, ungated(output=str(tmp_path / "a.zarr"), network=network))
    assert record.data["warnings"] == ["the sound is silent: the mouth stays closed"]


@pytest.fixture
def detector(monkeypatch):
    """A voice detector that hears nobody or, once told so, somebody in everything; nothing is fetched."""
    import torch

    from stages.audio import voice as module

    made = module.VoiceNet().eval()
    torch.nn.init.zeros_(made.voice.weight)

    def says(anybody: bool) -> None:
        torch.nn.init.constant_(made.voice.bias, 9.0 if anybody else -9.0)

    says(False)
    monkeypatch.setattr(module, "load_voice_net", lambda: made)
    return says


def test_where_nobody_speaks_the_mouth_rests_and_the_layer_says_who_judged(tmp_path, speech, network, detector):
    def made(name: str, **given):
        record = audio2face.run(speech, ungated(output=str(tmp_path / name), network=network, **given))
        return record, open_bundle(record.path).attrs("face")["voice_gate"], expressions(open_bundle(record.path))

    record, judge, rest = made("shut.zarr", voice_gate=True, blinks=False)
    assert np.abs(rest).max() < 1e-3, f"moves by {np.abs(rest).max():.4f}"
    assert record.data["warnings"] == [
        "nobody is heard speaking: the mouth stays closed. --no-voice-gate lets it follow any sound"
    ]
    assert judge == describe("silero_vad") and judge["package"] == "silero-vad==6.2.3" and judge["licence"] == "MIT"
    detector(True)
    record, judge, moved = made("open.zarr", voice_gate=True, blinks=False)
    free, nobody, plain = made("free.zarr", blinks=False)
    assert judge and nobody is None and not record.data["warnings"] and not free.data["warnings"]
    assert plain[:, 24].std() > 1e-4 and np.array_equal(moved, plain), "an open gate changes nothing, to the bit"


def test_with_and_without_the_gate_are_two_settings(tmp_path, speech, network, detector):
    params = ungated(output=str(tmp_path / "a.zarr"), network=network)
    audio2face.run(speech, params)
    with pytest.raises(ConflictError, match="--overwrite"):
        audio2face.run(speech, replace(params, voice_gate=True))
    gated = replace(params, voice_gate=True, overwrite=True)
    assert audio2face.run(speech, gated).status == "replaced" and audio2face.run(speech, gated).status == "skipped"


def test_without_the_detectors_network_nothing_is_written(tmp_path, speech, network, monkeypatch):
    monkeypatch.setenv("DREAMACTOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "none"))
    with pytest.raises(WeightsError) as caught:
        audio2face.run(speech, ungated(output=str(tmp_path / "a.zarr"), network=network, voice_gate=True))
    assert "silero-vad" in str(caught.value) and not (tmp_path / "a.zarr").exists()


def test_what_has_no_sound_is_refused_in_one_line(tmp_path, network):
    (tmp_path / "text.wav").write_text("This is no sound.\n" * 200)
    (tmp_path / "empty.wav").write_bytes(b"")
    write_video(tmp_path / "mute.mp4", (np.zeros((32, 32, 3), np.uint8) for _ in range(5)), Fraction(25))
    cut = write_sound(tmp_path / "cut.wav", voice(1.0))
    cut.write_bytes(cut.read_bytes()[:30])
    for name, said in (
        ("text.wav", "no sound in it"), ("empty.wav", "empty"), ("mute.mp4", "no sound track"),
        ("absent.wav", "no such file"), ("cut.wav", "sound"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said) as caught:
            audio2face.run(tmp_path / name, ungated(output=str(tmp_path / "a.zarr"), network=network))
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert not (tmp_path / "a.zarr").exists()


def test_settings_that_cannot_be(tmp_path, speech, network):
    item = clip_with_sound(tmp_path / "clip.zarr", speech)
    for wrong, given in (
        ({"fps": "fast"}, speech), ({"strength": -1.0}, speech), ({"head_motion": 1.0}, speech),
        ({"audio": str(speech)}, speech), ({"fps": "25"}, item), ({"head_motion": 1.0}, item), ({"output": "x"}, item),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            audio2face.plan(given, ungated(**{"network": network, **wrong}))
    with pytest.raises(WeightsError):
        audio2face.plan(speech, ungated(network=str(tmp_path / "none.safetensors")))


def test_the_command_prints_the_bundle_and_its_exit_codes(tmp_path, speech, network, dreamactor):
    done = dreamactor(
        "audio2face", str(speech), "--network", network, "--no-voice-gate", "-o", str(tmp_path / "a.zarr"), "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["frames"] == 63
    (tmp_path / "text.wav").write_text("no sound\n" * 99)
    wrong = dreamactor("audio2face", str(tmp_path / "text.wav"), "--network", network)
    assert wrong.returncode == 3 and wrong.stdout == "" and len(wrong.stderr.strip().splitlines()) == 1
