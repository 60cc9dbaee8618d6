"""The Frechet distance against the formula with scipy's matrix root, on the same random features in one run, one core.

    python tests/bench/bench_frechet.py [--width 2048] [--samples 300 2500]

300 samples of 2048 dimensions make singular covariances, 2500 full ones. Features have the spectrum 1/k that networks'
features have, the second set is shifted and scaled. It prints for each: CPU seconds of ours (best of three) and of the
root (once; with the covariances it needs), how many times faster, both values and their relative difference. For
singular covariances the root is the one that is off.
"""

import argparse
import os
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def main() -> None:
    """Print one line for each number of samples."""
    import numpy as np
    import scipy

    from stages.metrics.frechet_distance import frechet_distance

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--samples", type=int, nargs="+", default=[300, 2500])
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    root_of_variance = np.arange(1, options.width + 1) ** -0.5
    print(f"scipy {scipy.__version__}, numpy {np.__version__}, D = {options.width}")
    for samples in options.samples:
        a = generator.standard_normal((samples, options.width)) * root_of_variance
        b = generator.standard_normal((samples, options.width)) * root_of_variance * 1.2 + 0.01
        ours_s, ours = min((timed(frechet_distance, a, b) for _ in range(3)), key=lambda pair: pair[0])
        root_s, root = timed(by_matrix_root, a, b)
        print(
            f"N = {samples}: ours {ours_s:.3f} s, matrix root {root_s:.1f} s, {root_s / ours_s:.0f} times faster; "
            f"{ours:.9f}, {root:.9f}, relative difference {abs(ours / root - 1):.1e}",
            flush=True,
        )


def by_matrix_root(a, b) -> float:
    """The formula as it is usually written."""
    import numpy as np
    from scipy.linalg import sqrtm

    covariances = [np.cov(x, rowvar=False) for x in (a, b)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = sqrtm(covariances[0] @ covariances[1])
    means = np.sum((a.mean(axis=0) - b.mean(axis=0)) ** 2)
    return float(means + np.trace(covariances[0]) + np.trace(covariances[1]) - 2.0 * np.trace(root).real)


def timed(function, *arguments):
    """(CPU seconds, result)."""
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


if __name__ == "__main__":
    main()
