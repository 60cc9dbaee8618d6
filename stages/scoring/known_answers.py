"""Questions whose answers are known without anybody's pictures, with the numbers that known mistakes give instead."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stages.scoring.trial import make_measure, make_metric, measure_frames, value_of

NOISE_SEED = 7
_SIDE = 64
_OTHER = "other weights"


@dataclass(frozen=True)
class Fixture:
    """One question.

    name       of the row
    expected   float;  tolerance  the greatest |found - expected| that passes
    find       torch device -> float
    networks   registered networks that take part
    mistakes   (number, cause): what else has been seen, and why
    otherwise  the cause when the number is none of those
    """

    name: str
    expected: float
    tolerance: float
    find: Callable[[str], float]
    networks: tuple[str, ...] = ()
    mistakes: tuple[tuple[float, str], ...] = ()
    otherwise: str = "another arithmetic"


def fixtures() -> tuple[Fixture, ...]:
    """Every question, cheap ones first. Provenance of the numbers: docs/metrics.md, "Known answers"."""
    return (*_closed_forms(), *_resizes(), *_decodes(), _precision(), *_networks())


def flat(value: int, frames: int) -> np.ndarray:
    """uint8 [frames, 64, 64, 3] of one value."""
    return np.full((frames, _SIDE, _SIDE, 3), value, np.uint8)


def noise(*shape: int) -> np.ndarray:
    """uint8 noise, the same on every machine (MT19937)."""
    return np.random.RandomState(NOISE_SEED).randint(0, 256, shape).astype(np.uint8)


def _closed_forms() -> list[Fixture]:
    def constant(kind: str, generated: int, real: int, **options) -> Callable[[str], float]:
        pair = {"clip": (flat(generated, 2), flat(real, 2))}
        return lambda device: value_of(make_metric(make_measure(kind, **options)), pair, device)

    def gaussians(device: str) -> float:
        from stages.metrics.frechet_distance import frechet_distance

        deviations = np.array([[1.0, 2.0, 0.5], [3.0, 2.0, 1.5]])
        sides = [np.concatenate([np.diag(d), -np.diag(d)]) * np.sqrt(2.5) for d in deviations]  # covariance diag(d^2)
        return frechet_distance(sides[0], sides[1] + np.array([2.0, 0.0, 1.0]))

    c1 = (0.01 * 255) ** 2
    ssim = (2 * 100 * 140 + c1) / (100**2 + 140**2 + c1)
    plain, wrapped = (float(10 * np.log10(255**2 / mse)) for mse in (20**2, 20**2 % 256))
    overflow = "8-bit numbers wrap around (DisCo's code before April 2024)"
    return [
        Fixture("PSNR of 100 and 120", plain, 1e-9, constant("psnr", 120, 100), (), ((wrapped, overflow),)),
        Fixture("PSNR with 8-bit overflow", wrapped, 1e-9, constant("psnr", 120, 100, overflow=True)),
        Fixture("SSIM of 100 and 140", ssim, 1e-9, constant("ssim", 140, 100)),
        Fixture("Frechet of two Gaussians", 10.0, 1e-9, gaussians, otherwise="the matrix root is inexact (scipy?)"),
    ]


def _resizes() -> list[Fixture]:
    """Noise of 53x37 made 31x24, summed with random signs: another filter gives a number some tens away."""

    def fingerprint(how: str) -> Callable[[str], float]:
        def find(device: str) -> float:
            from stages.metrics.resize import resize_u8

            small = resize_u8(noise(1, 53, 37, 3), (31, 24), how)[0].astype(np.int64)
            signs = np.random.RandomState(NOISE_SEED + 1).randint(0, 2, small.shape) * 2 - 1
            return float((small * signs).sum()) / 100

        return find

    known = {"lanczos": -24.78, "cv2-bilinear": -20.38, "torch-bilinear": -20.48}
    rows = []
    for how, expected in known.items():
        others = tuple((value, f"resized like {other}") for other, value in known.items() if other != how)
        rows.append(Fixture(f"resize {how}", expected, 0.05, fingerprint(how), (), others, "another resize code"))
    return rows


def _decodes() -> list[Fixture]:
    def lossless(device: str) -> float:
        frames = noise(3, 48, 64, 3)
        back = _through_ffmpeg(frames.tobytes(), "rgb24", ["-c:v", "ffv1", "-pix_fmt", "gbrp"])
        return float(np.abs(back.astype(int) - frames).max()) if back.shape == frames.shape else float("inf")

    def tagged(device: str) -> float:
        planes = np.concatenate([np.full(48 * 64, 120), np.full(24 * 32, 110), np.full(24 * 32, 150)]).astype(np.uint8)
        tags = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
        film = _through_ffmpeg(planes.tobytes() * 3, "yuv420p", ["-vf", tags, "-c:v", "ffv1", "-pix_fmt", "yuv420p"])
        return float(film[..., 0].mean())

    limited = (120 - 16) * 255 / 219
    red = limited + 1.5748 * 22 * 255 / 224
    mistakes = (
        (limited + 1.402 * 22 * 255 / 224, "the colour matrix written in the file is ignored (BT.601 taken)"),
        (120 + 1.5748 * 22, "the range written in the file is ignored (full range taken)"),
    )
    return [
        Fixture("lossless film, greatest error", 0.0, 0.0, lossless, otherwise="ffmpeg changes lossless RGB frames"),
        Fixture("BT.709 film, its red", red, 1.0, tagged, (), mistakes, "ffmpeg converts colours in another way"),
    ]


def _through_ffmpeg(raw: bytes, pixels: str, encode: list[str]) -> np.ndarray:
    """uint8 [3, 48, 64, 3] (if all is well): three raw 48x64 frames written by ffmpeg and read as `score` reads."""
    from stages.core.errors import InputError
    from stages.media.exact import open_film
    from stages.media.ffmpeg import ffmpeg_exe

    with tempfile.TemporaryDirectory(prefix="dreamactor-") as folder:
        path = Path(folder) / "film.mkv"
        words = ["-loglevel", "error", "-f", "rawvideo", "-pix_fmt", pixels, "-s", "64x48", "-r", str(Fraction(25))]
        done = subprocess.run(
            [ffmpeg_exe(), *words, "-i", "-", *encode, str(path)], input=raw, capture_output=True, check=False
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise InputError(f"ffmpeg: could not write a test film ({said[-1] if said else 'no message'})")
        return np.concatenate(list(open_film(path).blocks(3)))


def _precision() -> Fixture:
    def find(device: str) -> float:
        import torch

        values = np.random.RandomState(NOISE_SEED).standard_normal((2, 192, 192)).astype(np.float32)
        a, b = torch.from_numpy(values).to(device)
        images = torch.from_numpy(values[None]).to(device)
        kernels = torch.from_numpy(values.reshape(-1)[: 16 * 2 * 49].reshape(16, 2, 7, 7).copy()).to(device)
        exact_images, exact_kernels = images.double().cpu(), kernels.double().cpu()
        errors = []
        for found, exact in (
            (a @ b, a.double().cpu() @ b.double().cpu()),
            (torch.nn.functional.conv2d(images, kernels), torch.nn.functional.conv2d(exact_images, exact_kernels)),
        ):
            errors.append(float((found.double().cpu() - exact).abs().max() / exact.abs().max()))
        return max(errors)

    cause = (
        "the device rounds to TF32 or half: set torch.backends.cudnn.allow_tf32 = False and matmul precision highest"
    )
    return Fixture("float32 arithmetic, relative error", 0.0, 2e-5, find, otherwise=cause)


def _networks() -> list[Fixture]:
    return [*_lpips_rows(), *_inception_rows(), *_i3d_rows()]


def _lpips_rows() -> list[Fixture]:
    noisy = {"clip": noise(2, 1, _SIDE, _SIDE, 3)}
    ends = {"clip": (flat(255, 1), flat(0, 1))}

    def find(net: str, pair: dict[str, np.ndarray]) -> Callable[[str], float]:
        return lambda device: value_of(make_metric(make_measure("lpips", net=net)), pair, device)

    rows = []
    # net, black to white, noise to noise, noise as 0..1 instead of -1..1, noise with the channels turned round
    for net, far, near, near_01, near_bgr in (
        ("alex", 0.8139544, 0.1033262, 0.0899910, 0.1240300),
        ("vgg", 0.4538372, 0.3373569, 0.3303166, 0.3093684),
    ):
        mistakes = ((near_01, "pixels given as 0..1 instead of -1..1"), (near_bgr, "BGR instead of RGB"))
        network = (f"lpips_{net}",)
        rows += [
            Fixture(f"LPIPS {net}, black and white", far, 2e-5, find(net, ends), network, (), _OTHER),
            Fixture(f"LPIPS {net}, noise", near, 2e-5, find(net, noisy), network, mistakes, _OTHER),
        ]
    return rows


def _inception_rows() -> list[Fixture]:
    """The length of the feature vector of noise."""

    def find(resize: str) -> Callable[[str], float]:
        def length(device: str) -> float:
            frame = noise(120, 90, 3)[None]
            clip = measure_frames(make_measure("inception", resize=resize), frame, frame, device)
            return float(np.linalg.norm(clip.arrays["generated"][0].astype(np.float64)))

        return length

    known = {"legacy": (18.570200, "pytorch-fid"), "clean": (17.675127, "clean-fid")}
    rows = []
    for resize, (expected, _) in known.items():
        mistakes = tuple((value, f"resized as {code} does") for value, code in known.values() if value != expected)
        name = f"Inception features, {resize}"
        rows.append(Fixture(name, expected, 1e-3, find(resize), ("inception_fid",), mistakes, _OTHER))
    return rows


def _i3d_rows() -> list[Fixture]:
    """FVD of one black against one white film: between two samples only their difference counts."""

    def find(frames: int) -> Callable[[str], float]:
        def fvd(device: str) -> float:
            metric = make_metric(make_measure("i3d", resize="crop", length=0), "frechet", single="mean-term")
            return value_of(metric, {"clip": (flat(255, frames), flat(0, frames))}, device)

        return fvd

    rows = []
    # frames, FVD, FVD with the batch norm of VideoGPT's and cd-fvd's copy, FVD with DisCo's average pool
    for frames, expected, epsilon, pool in (
        (10, 569.77131, 570.91811, 569.77131),
        (16, 152.90202, 153.27416, 152.90202),
        (30, 151.39247, 151.75945, 143.85732),
    ):
        mistakes = ((epsilon, "batch norm epsilon 1e-5 instead of 1e-3"), (pool, "average pool 1x7x7, not 2x7x7"))
        name = f"FVD of black and white, {frames} frames"
        rows.append(Fixture(name, expected, 1e-4 * expected, find(frames), ("i3d_kinetics400",), mistakes, _OTHER))
    return rows
