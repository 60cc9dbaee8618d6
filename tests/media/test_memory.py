"""Reading a long clip needs no more memory than reading a short one."""

import subprocess
import sys

import pytest

from tests.media.make import clip

# VmHWM and not ru_maxrss: that one starts with the size of the process that started this one.
READ = """
import sys
from stages.media import VideoReader

def peak_kb():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

with VideoReader(sys.argv[1]) as reader:
    for index, frame in enumerate(reader):
        if index == 199:
            early = peak_kb()
    print(len(reader), early, peak_kb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_does_not_grow_with_length(tmp_path, repository):
    fast = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "48", "-pix_fmt", "yuv420p")
    path = clip(tmp_path / "long.mp4", size="1280x720", rate="30", frames=400, extra=fast)
    done = subprocess.run([sys.executable, "-c", READ, path], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
    frames, early_kb, peak_kb = map(int, done.stdout.split())
    assert frames == 400
    # 400 raw frames are 1100 MB; when the peak falls is chance, but it is that of one part of 48 frames.
    assert peak_kb - early_kb < 100_000 and peak_kb < 500_000, (early_kb, peak_kb)
