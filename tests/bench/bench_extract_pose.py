"""Measures extract-pose on one video: CPU and wall per frame, peak memory, milliseconds per network.

    python tests/bench/bench_extract_pose.py VIDEO [--threads 2] [--repeat 1] [--networks] [--json speed.json]

The video is normalised first (ffmpeg, counted apart), then body, hands and face are measured and the bundle is written.
`--repeat N` plays it N times over, to see that memory does not grow with the length. On a busy machine trust the CPU
milliseconds: frames a second on two idle cores lie between 1000 / cpu_ms and 2000 / cpu_ms.
"""

import argparse
import json
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np


def cpu_s(who):
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def network_ms(runs=20):
    """CPU milliseconds of one run of every network on one thread."""
    from stages.pose.mediapipe.networks import NETWORKS
    from stages.weights import resolve
    from stages.weights.litert import Net

    out = {}
    for name in NETWORKS:
        net = Net(resolve(name), 1)
        crop = np.random.default_rng(0).integers(0, 255, (net.side_px, net.side_px, 3), dtype=np.uint8)
        net(crop)
        started = time.process_time()
        for _ in range(runs):
            net(crop)
        out[name] = round(1000 * (time.process_time() - started) / runs, 2)
    return out


def repeated(video, times, folder):
    """The video `times` times over, in one file."""
    if times == 1:
        return video
    from stages.media.ffmpeg import ffmpeg_exe

    out = folder / "long.mp4"
    loop = ["-stream_loop", str(times - 1), "-i", str(video), "-c", "copy", str(out)]
    subprocess.run([ffmpeg_exe(), "-loglevel", "error", *loop], check=True, stdin=subprocess.DEVNULL)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    from stages.extract_pose import Params, run

    with tempfile.TemporaryDirectory() as scratch:
        video = repeated(options.video, options.repeat, Path(scratch))
        before = cpu_s(resource.RUSAGE_SELF), cpu_s(resource.RUSAGE_CHILDREN), time.monotonic()
        record = run(video, Params(output=f"{scratch}/out.zarr", threads=options.threads))
        own, children, wall = (
            cpu_s(resource.RUSAGE_SELF) - before[0],
            cpu_s(resource.RUSAGE_CHILDREN) - before[1],
            time.monotonic() - before[2],
        )
    frames = record.data["frames"]
    report = {
        "video": options.video.name,
        "frames": frames,
        "present": record.data["present"],
        "faces": record.data["faces"],
        "threads": options.threads,
        "cpu_ms_per_frame": round(1000 * own / frames, 1),
        "ffmpeg_cpu_ms_per_frame": round(1000 * children / frames, 1),
        "wall_frames_per_s": round(frames / wall, 1),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    if options.networks:
        report["network_cpu_ms"] = network_ms()
    print(json.dumps(report, indent=1))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
