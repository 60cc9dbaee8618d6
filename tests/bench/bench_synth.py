"""Speed and memory of synthetic clips: `python tests/bench/bench_synth.py [--clips N] [--size S]`.

Prints CPU milliseconds a frame (all truth included, a new person every clip) and the peak memory after each tenth.
"""

import argparse
import resource
import time

from stages.synthetic.assets import load_assets
from stages.synthetic.clip import Studio


def main() -> None:
    """Make the clips and print a line every tenth of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--references", type=int, default=5)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--assets", default="full")
    options = parser.parse_args()
    studio = Studio(load_assets(options.assets), options.size)
    studio.clip(0, frames=1)  # compiles the kernels
    per_clip = options.frames + options.references
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(1, options.clips + 1):
        studio.clip(number, frames=options.frames, references=options.references)
        if number % max(options.clips // 10, 1) == 0:
            cpu_ms = (time.process_time() - cpu) / (number * per_clip) * 1e3
            wall_ms = (time.perf_counter() - wall) / (number * per_clip) * 1e3
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{number} clips: {cpu_ms:.1f} CPU ms/frame, {wall_ms:.1f} ms/frame, peak {peak_mb:.0f} MB", flush=True
            )


if __name__ == "__main__":
    main()
