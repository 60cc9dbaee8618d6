"""Every kind of photo comes out as upright 8-bit RGB with the right colours."""

import numpy as np
import pytest
from PIL import Image, ImageCms

from stages.core.errors import InputError
from stages.media import read_mark, read_photo, write_png

HEIGHT, WIDTH = 30, 40


@pytest.fixture
def picture():
    """Four flat quarters: red, green over blue, grey."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:15, :20], image[:15, 20:], image[15:, :20], image[15:, 20:] = (200, 0, 0), (0, 160, 0), (0, 0, 220), 90
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, picture, orientation):
    # What a camera held in that orientation stores, by the EXIF table: row 0 and column 0 of the scene.
    stored = {
        1: picture, 2: picture[:, ::-1], 3: picture[::-1, ::-1], 4: picture[::-1], 5: picture.transpose(1, 0, 2),
        6: np.rot90(picture, 1), 7: picture[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(picture, -1),
    }[orientation]  # fmt: skip
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(read_photo(tmp_path / "p.png"), picture)


def test_sixteen_bit_grey_keeps_its_tones(tmp_path):
    ramp = np.linspace(0, 65535, WIDTH).astype(np.uint16)
    Image.fromarray(np.repeat(ramp[None], HEIGHT, 0)).save(tmp_path / "p.png")
    found = read_photo(tmp_path / "p.png")
    assert found.shape == (HEIGHT, WIDTH, 3) and found.dtype == np.uint8
    assert np.abs(found[0, :, 0].astype(int) - np.round(ramp / 257)).max() <= 1


def test_sixteen_bit_rgb(tmp_path, picture):
    import cv2

    cv2.imwrite(str(tmp_path / "p.png"), picture[..., ::-1].astype(np.uint16) * 257)
    assert np.abs(read_photo(tmp_path / "p.png").astype(int) - picture).max() <= 1


def test_cmyk_jpeg(tmp_path, picture):
    Image.fromarray(picture).convert("CMYK").save(tmp_path / "p.jpg", quality=98, subsampling=0)
    found = read_photo(tmp_path / "p.jpg")
    assert np.abs(found[5:10, 5:15].astype(int) - (200, 0, 0)).max() <= 6
    assert np.abs(found[20:25, 25:35].astype(int) - 90).max() <= 6


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA"])
def test_other_modes(tmp_path, picture, mode):
    image = Image.fromarray(picture).convert(mode)
    image.save(tmp_path / "p.png")
    assert np.abs(read_photo(tmp_path / "p.png").astype(int) - np.asarray(image.convert("RGB"))).max() <= 1


def test_transparency_lies_on_white(tmp_path):
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[:, 20:, 3] = 255
    rgba[:, :10, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "p.png")
    found = read_photo(tmp_path / "p.png")
    assert (found[:, 10:20] == 255).all() and (found[:, 20:] == 0).all() and (found[:, :10] == 127).all()


def test_colour_profile_is_applied(tmp_path):
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    flat = Image.new("RGB", (WIDTH, HEIGHT), (120, 60, 200))
    for name, profile in (("srgb.png", srgb), ("unfit.png", lab), ("damaged.png", b"\0" * 64)):
        flat.save(tmp_path / name, icc_profile=profile)  # one that cannot be used leaves the numbers as they are
        assert np.abs(read_photo(tmp_path / name)[0, 0].astype(int) - (120, 60, 200)).max() <= 1, name


def test_limits(tmp_path):
    Image.new("RGB", (200, 200)).save(tmp_path / "p.png")
    with pytest.raises(InputError, match="megapixels"):
        read_photo(tmp_path / "p.png", max_pixels=39_999)
    assert read_photo(tmp_path / "p.png", max_pixels=40_000).shape == (200, 200, 3)


def test_png_carries_its_mark(tmp_path, picture):
    write_png(tmp_path / "p.png", picture, text={"ai_generated": True, "seed": 7})
    assert np.array_equal(read_photo(tmp_path / "p.png"), picture)
    assert read_mark(tmp_path / "p.png") == {"ai_generated": True, "seed": 7, "tool": "dreamactor"}
    write_png(tmp_path / "p.png", picture)
    assert read_mark(tmp_path / "p.png") is None
    assert [file.name for file in tmp_path.iterdir()] == ["p.png"]
