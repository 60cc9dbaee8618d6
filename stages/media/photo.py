"""Still pictures: reads any of them as upright 8-bit RGB, writes PNG."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, ResourceError
from stages.media.ffmpeg import AtomicFile, checked_file, command, input_arguments, stop

MAX_PHOTO_PIXELS = 80_000_000
# An allow-list: Pillow also has readers that start other programs (EPS) or that take any bytes for a picture (TGA).
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "ICO")
_MOVING = ("PNG", "WEBP", "GIF", "AVIF")
_CLOCKWISE_DEG = {1: 0, 2: 0, 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
BACKGROUND_U8 = 255


class Photo:
    """An opened but not yet decoded still picture; a context manager.

    upright_size  (width, height) px after the EXIF rotation
    """

    def __init__(self, image) -> None:
        self.image = image
        try:
            orientation = image.getexif().get(0x0112, 1)
        except Exception:  # a damaged EXIF block (many kinds of errors) says nothing about the pixels
            orientation = 1
        self.orientation = orientation if orientation in _CLOCKWISE_DEG else 1
        self.rotation_deg = _CLOCKWISE_DEG[self.orientation]
        width, height = image.size
        self.upright_size = (height, width) if self.orientation >= 5 else (width, height)
        self.format, self.mode = str(image.format).lower(), image.mode

    def __enter__(self) -> Photo:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.image.close()


def open_photo(file: Path) -> Photo | None:
    """The still picture in a file, not yet decoded; None when it is not one (or is an animation).

    errors  InputError when the header claims a decompression bomb
    """
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.init()
            image = Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])
        except Image.DecompressionBombError:
            raise InputError(
                f"{file}: the picture claims more than {MAX_PHOTO_PIXELS / 1e6:.0f} megapixels; scale it down"
            ) from None
        except UnidentifiedImageError:
            return None
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise InputError(f"{file}: the picture is damaged ({error})") from None
        try:
            moving = image.format in _MOVING and getattr(image, "n_frames", 1) > 1
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            image.close()
            raise InputError(f"{file}: the picture is damaged ({error})") from None
    if moving:
        image.close()
        return None
    return Photo(image)


def read_photo(path: str | os.PathLike[str], max_pixels: int = MAX_PHOTO_PIXELS) -> np.ndarray:
    """One photo as uint8 [H, W, 3] RGB, upright.

    path        JPEG (also CMYK), PNG (also 16 bit, palette, alpha), WebP, TIFF, AVIF, HEIC. EXIF rotation is applied,
                a colour profile is converted to sRGB, transparency lies on white, 16 bit keeps the upper 8 bits
    max_pixels  larger pictures are refused before they are decoded
    errors      InputError: not a readable picture, an animation, under 16 px or over 16384 px a side, over max_pixels
    """
    from stages.media.probe import check_size

    file = checked_file(path)
    photo = open_photo(file)
    if photo is None:
        return _read_with_ffmpeg(file, max_pixels)
    with photo:
        check_size(file, *photo.upright_size, max_pixels)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                photo.image.load()
                image_u8 = _to_rgb(photo.image)
        except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
            raise InputError(f"{file}: the picture is damaged or cut short ({error})") from None
    return np.ascontiguousarray(_turn_upright(image_u8, photo.orientation))


def _to_rgb(image) -> np.ndarray:
    """uint8 [H, W, 3] of any Pillow mode."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        values = np.asarray(image, np.float64)
        top = values.max(initial=0.0)
        full = 1.0 if image.mode == "F" and top <= 1.0 else 255.0 if image.mode == "F" or top <= 255 else 65535.0
        if image.mode.startswith("I;16"):
            full = 65535.0
        grey_u8 = np.clip(values * (255.0 / full) + 0.5, 0, 255).astype(np.uint8)
        return np.repeat(grey_u8[..., None], 3, axis=-1)
    alpha_u8 = None
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        profile = image.info.get("icc_profile")
        image = image.convert("RGBA")
        alpha_u8 = np.asarray(image.getchannel("A"))
        image = image.convert("RGB")
        image.info["icc_profile"] = profile
    rgb_u8 = np.asarray(_to_srgb(image))
    if alpha_u8 is None or alpha_u8.min(initial=255) == 255:
        return rgb_u8
    alpha = alpha_u8[..., None].astype(np.uint16)
    mixed = rgb_u8.astype(np.uint16) * alpha + np.uint16(BACKGROUND_U8) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def _to_srgb(image):
    """An RGB image; the embedded colour profile is applied where there is a usable one."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile: the plain numbers are the best guess
            return image.convert("RGB")
    return image.convert("RGB")


def _turn_upright(image_u8: np.ndarray, orientation: int) -> np.ndarray:
    """The picture with its EXIF orientation (1..8) undone."""
    if orientation in (5, 6, 7, 8):
        image_u8 = image_u8.transpose(1, 0, 2)
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return image_u8[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _read_with_ffmpeg(file: Path, max_pixels: int) -> np.ndarray:
    """The only picture of a file that Pillow cannot read (HEIC and the like)."""
    from stages.media.probe import check_size, probe_video

    info = probe_video(file)
    check_size(file, info.width, info.height, max_pixels)
    size = info.width * info.height * 3
    child = subprocess.Popen(
        command(
            *input_arguments(file), "-map", "0:V:0", "-vf", f"scale={info.width}:{info.height}",
            "-frames:v", "2", "-f", "rawvideo", "-pix_fmt", "rgb24", "-",
        ),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        data = child.stdout.read(2 * size + 1)
    finally:
        stop(child)
    if len(data) > size:
        raise InputError(f"{file}: found a video or animation, expected a photo; save one of its frames as PNG")
    if len(data) < size:
        raise InputError(f"{file}: no picture could be decoded from it, expected a photo")
    return np.frombuffer(data, np.uint8).reshape(info.height, info.width, 3).copy()


def write_png(path: str | os.PathLike[str], image_u8: np.ndarray, *, text: dict | None = None) -> None:
    """Nothing; writes one PNG in a single rename.

    image_u8  uint8 [H, W, 3] RGB
    text      goes into the `comment` text chunk as JSON, where `read_mark` finds it
    errors    InputError when the folder does not exist; ResourceError when the disk is full
    """
    from PIL import Image, PngImagePlugin

    chunks = PngImagePlugin.PngInfo()
    if text:
        chunks.add_text("comment", json.dumps({"tool": "dreamactor", **text}, sort_keys=True))
    with AtomicFile(path) as target:
        try:
            Image.fromarray(np.asarray(image_u8, np.uint8)).save(target.path, format="PNG", pnginfo=chunks)
            target.commit()
        except OSError as error:
            raise ResourceError(f"{path}: cannot be written ({error.strerror or error})") from None
