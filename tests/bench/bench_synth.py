"""Speed and memory of synthetic clips with all truth, on one core.

Speed   python tests/bench/bench_synth.py                     24 clips of 24 frames, 256 x 256, 2 x 2 samples, a new
                                                              person every fourth clip
Memory  python tests/bench/bench_synth.py --clips 10000 --frames 1 --size 32
        python tests/bench/bench_synth.py --clips 300 --size 128

After each tenth it prints frames a second by CPU time and by the clock, the memory held now and the most held so far.
At the end: memory now against that after the first tenth, when every buffer is filled.
"""

import argparse
import os
import resource
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Make the clips and print a line every tenth of them."""
    import cv2

    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio
    from stages.synthetic.seeds import bundle_name, seeds_of

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--references", type=int, default=0)
    parser.add_argument("--clips-per-person", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--supersample", type=int, default=2)
    parser.add_argument("--framing", default="mix")
    parser.add_argument("--assets", default="full")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    studio = Studio(load_assets(options.assets), options.size, supersample=options.supersample)
    studio.clip(600_000, frames=2)  # compiles the kernels, or reads them from the cache
    per_clip, first_mb = options.frames + options.references, 0.0
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(1, options.clips + 1):
        seeds = seeds_of(bundle_name("train", number - 1, cross=False), options.clips_per_person)
        made = studio.clip(seeds, frames=options.frames, references=options.references, framing=options.framing)
        made.wholebody()
        if number % max(options.clips // 10, 1) == 0:
            cpu_s, wall_s, frames = time.process_time() - cpu, time.perf_counter() - wall, number * per_clip
            now_mb, most_mb = held_mb(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            first_mb = first_mb or now_mb
            print(
                f"{number} clips: {frames / cpu_s:.1f} frames/s of CPU ({cpu_s / frames * 1e3:.1f} ms), "
                f"{frames / wall_s:.1f} frames/s by the clock; {now_mb:.0f} MB now, {most_mb:.0f} MB most",
                flush=True,
            )
    print(f"memory: {held_mb() - first_mb:+.0f} MB since the first tenth")


def held_mb() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
