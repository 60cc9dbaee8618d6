"""What synth may be asked for: looks, backdrops, a device; what it says is spoken; and that other stages read it."""

import dataclasses

import cv2
import numpy as np
import pytest

from stages import encode_face, render_spheres, synth
from stages.bundle import open_bundle
from stages.core.errors import InputError, ResourceError, StageError, UsageError, WeightsError
from stages.core.rng import numpy_rng
from stages.synthetic.background import draw_kind
from stages.synthetic.expressions import VISEME_NAMES
from stages.synthetic.layers import truth_attrs
from stages.synthetic.panoramas import CREDIT, PACKAGE
from stages.synthetic.phonemes import PHONEMES, cut_timeline

PARAMS = synth.Params(frames=2, size=64, references=0, split="test", framing="half", assets="full", look="plain")
GREEN_RGB = (40, 200, 60)


def key(**other):
    params = dataclasses.replace(PARAMS, **other)
    return synth.plan(synth.items(params)[0], params).key


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with one plain green photo."""
    folder = tmp_path_factory.mktemp("photos")
    cv2.imwrite(str(folder / "green.png"), np.full((90, 120, 3), GREEN_RGB[::-1], np.uint8))
    return str(folder)


def test_what_changes_the_bytes_is_in_the_key(full, photos):
    keys = [key(), key(look="drawn"), key(device="cpu"), key(backgrounds=photos), key(panoramas=True)]
    assert len(set(keys)) == len(keys)
    assert key(workers=2) == keys[0]


def test_panoramas_are_an_input_that_is_credited(full, studio):
    params = dataclasses.replace(PARAMS, panoramas=True)
    assert synth.plan(synth.items(params)[0], params).inputs["panoramas"] == PACKAGE.sha256
    clip = studio.clip(600_000, frames=1)
    credited = {
        kind: [row["asset"] for row in truth_attrs(dataclasses.replace(clip, background=kind), full)["credits"]]
        for kind in ("panorama", "room")
    }
    assert CREDIT.asset in credited["panorama"] and CREDIT.asset not in credited["room"]


def test_a_photo_of_the_folder_stands_behind_people(full, photos, tmp_path):
    def shows_photo(number):
        rng = numpy_rng(600_000 + number, "synthetic", "clip", "background kind")
        return draw_kind(rng, "half", photos=True) == "photo"

    number = next(filter(shows_photo, range(100)))
    params = dataclasses.replace(PARAMS, out=str(tmp_path), backgrounds=photos, seed=number)
    (record,) = synth.run_all(params)
    bundle = open_bundle(record.path)
    assert (
        bundle.provenance("truth")["decides"]["inputs"]["backgrounds"]
        == synth.plan(record.path, params).inputs["backgrounds"]
    )
    truth = bundle.attrs("truth")
    assert (truth["background"], truth["look"]) == ("photo", "photo")
    behind = bundle.read("truth", "frames")[bundle.read("truth", "mask") == 0]
    assert len(behind) > 500
    assert np.abs(np.median(behind, axis=0) - GREEN_RGB).max() < 12, np.median(behind, axis=0)


@pytest.mark.parametrize(("words", "kind"), [
    ({"look": "odd"}, UsageError), ({"device": "gpu"}, UsageError), ({"device": "auto"}, UsageError),
    ({"device": "cuda:77"}, ResourceError), ({"backgrounds": "{tmp}/nowhere"}, UsageError),
    ({"backgrounds": "{tmp}"}, InputError),
])  # fmt: skip
def test_what_is_not_there_is_one_line(full, tmp_path, words, kind):
    words = {name: value.format(tmp=tmp_path) for name, value in words.items()}
    with pytest.raises(StageError) as caught:
        key(**words)
    assert type(caught.value) is kind
    assert f"--{next(iter(words))}" in str(caught.value)


def test_the_command_that_makes_it_again(full, photos, tmp_path):
    from dreamactor_cli.provenance import command_for

    params = dataclasses.replace(PARAMS, out=str(tmp_path))
    item = synth.items(params)[0]
    decides = {"stage": "synth", "params": synth._decides(item, params), "inputs": {"assets": "", "panoramas": ""}}
    command = command_for({"decides": decides}, item, "truth")
    assert "--look plain" in command and "--panoramas" in command and "--device" not in command
    with pytest.raises(InputError, match="--backgrounds"):
        command_for({"decides": {**decides, "inputs": {"assets": "", "backgrounds": ""}}}, item, "truth")


def test_phonemes_are_cut_to_the_clip():
    rows = ((-1.0, 0.5, "sil"), (0.5, 1.5, "AA"), (1.5, 2.0, "M"), (2.0, 3.0, "S"))
    assert cut_timeline(rows, 1.0, 1.75) == ((0.0, 0.5, "AA"), (0.5, 0.75, "M"))
    assert cut_timeline((), 0.0, 1.0) == ()


def test_phonemes_agree_with_the_visemes(studio):
    fps, frames, agree = 50.0, 40, []
    for seed in (600_010, 600_011):
        clip = studio.clip(seed, frames=frames, fps=fps, framing="portrait", talking=True, look="plain")
        starts, ends, names = zip(*clip.phonemes, strict=True)
        assert starts[0] == 0 and ends[-1] == pytest.approx(frames / fps) and starts[1:] == ends[:-1]
        for start, end, name in clip.phonemes:
            weight = clip.viseme[min(round((start + end) / 2 * fps), frames - 1)]
            agree.append(VISEME_NAMES.index(PHONEMES[name][0]) in np.argsort(weight)[-2:])
        assert truth_attrs(clip, studio.assets)["phonemes"] == [list(row) for row in clip.phonemes]
    assert len(agree) > 8 and np.mean(agree) > 0.8, agree
    assert studio.clip(600_010, frames=1, framing="portrait", talking=False).phonemes == ()


def test_the_stages_behind_read_a_bundle(full, tmp_path):
    params = dataclasses.replace(PARAMS, out=str(tmp_path), size=128, framing="portrait", seed=5)
    (record,) = synth.run_all(params)
    assert render_spheres.run(record.path, render_spheres.Params(size="128")).data["heads"] == params.frames
    try:
        encoded = encode_face.run(record.path, encode_face.Params(device="cpu"))
    except WeightsError as error:
        pytest.skip(f"the face encoder cannot be had here: {error}")
    assert encoded.data["faces"] == params.frames
    bundle = open_bundle(record.path)
    affine, point = bundle.read("face", "crop_affine"), bundle.read("truth", "head_center_px")
    crop_px = np.einsum("tij,tj->ti", affine[..., :2], point) + affine[..., 2]
    side = bundle.attrs("face")["crop_px"]
    assert (np.abs(crop_px / side - 0.5) < 0.25).all(), "the head is not in the middle of the face crop"
    assert np.isfinite(bundle.read("face", "tokens")).all()
