"""PSNR and SSIM of large frames against scikit-image, the same numbers in one run on one core.

    python tests/bench/bench_pixel_metrics.py [--size 1080 1920] [--frames 5]

Prints for each metric CPU milliseconds a frame of ours and of scikit-image, how many times faster, and the largest
difference of the two numbers. Kernels are compiled (or read from the cache) before the clock starts; how long that
takes is printed too.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Print one line for each metric and one for all together."""
    import cv2
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from stages.metrics import psnr, ssim

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=2, default=[1080, 1920])
    parser.add_argument("--frames", type=int, default=5)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    generator = np.random.default_rng(0)
    y, x = np.mgrid[: options.size[0], : options.size[1]]
    scene = np.stack([127 + 100 * np.sin(x / 17), y % 256, np.where((x // 90 + y // 90) % 2, 220, 30)], axis=-1)
    frames = [
        [np.clip(scene + generator.normal(0, sd, scene.shape), 0, 255).astype(np.uint8) for sd in (20, 2)]
        for _ in range(options.frames)
    ]
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}

    def luma(frame):
        return frame @ np.array([0.299, 0.587, 0.114])

    def gray(frame):
        return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)

    y_options, rgb_options = ssim.Options(), ssim.Options(colour="rgb")
    disco_options = ssim.Options(window="uniform", colour="cv2-gray", covariance="sample")
    rows = {
        "PSNR": (lambda a, b: psnr.psnr(a, b, psnr.Options()), lambda a, b: peak_signal_noise_ratio(b, a)),
        "SSIM luma": (
            lambda a, b: ssim.ssim(a, b, y_options),
            lambda a, b: structural_similarity(luma(a), luma(b), **wang),
        ),
        "SSIM rgb": (
            lambda a, b: ssim.ssim(a, b, rgb_options),
            lambda a, b: structural_similarity(a, b, channel_axis=2, **wang),
        ),
        "SSIM of DisCo": (
            lambda a, b: ssim.ssim(a, b, disco_options),
            lambda a, b: structural_similarity(gray(a), gray(b), full=True)[0],
        ),
    }
    start = time.perf_counter()
    for ours, _ in rows.values():
        ours(*(frame[:32, :32] for frame in frames[0]))
    print(f"{options.size[0]}x{options.size[1]}, kernels ready after {time.perf_counter() - start:.1f} s")
    totals = [0.0, 0.0]
    for name, metrics in rows.items():
        spent, values = zip(*(timed(metric, frames) for metric in metrics), strict=True)
        totals = [total + seconds for total, seconds in zip(totals, spent, strict=True)]
        difference = np.abs(np.subtract(*values)).max()
        print(line(name, *spent, len(frames)) + f"; largest difference {difference:.1e}", flush=True)
    print(line("all", *totals, len(frames)))


def timed(metric, frames):
    """(CPU seconds, values) of all pairs of frames."""
    start = time.process_time()
    values = [metric(*pair) for pair in frames]
    return time.process_time() - start, values


def line(name: str, ours_s: float, theirs_s: float, frames: int) -> str:
    """Milliseconds a frame of both."""
    ours, theirs = 1e3 * ours_s / frames, 1e3 * theirs_s / frames
    return f"{name}: {ours:.1f} ms, scikit-image {theirs:.1f} ms, {theirs / ours:.1f} times faster"


if __name__ == "__main__":
    main()
