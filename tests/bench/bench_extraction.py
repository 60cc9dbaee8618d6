"""Measures what extract-pose finds: synthetic people against exact truth, real videos by how often it finds anyone.

    python tests/bench/bench_extraction.py [--clips 20] [--size 512] [--json FILE] [--markdown FILE] [--real FOLDER]

Synthetic: 100 frames per framing (portrait, half, full) of the test split: 20 people, 13 frames of film each at 24 a
second, every third of them compared, so that the tracker and the filters work on a film as a user's and the frames are
unlike each other. The films go through an MP4. Real: the share of frames with a body and with a face, for every video.
"""

import argparse
import json
import tempfile
from fractions import Fraction
from pathlib import Path

from extraction_markdown import markdown
from extraction_tables import figures
from extraction_truth import joined, pair

FRAMINGS = ("portrait", "half", "full")
FILM_FRAMES, STEP = 13, 3
COMPARED = slice(0, FILM_FRAMES, STEP)


def extract(video, folder):
    """The arrays of the pose layer of one video, and its layout of the face."""
    from stages import extract_pose
    from stages.bundle import open_bundle

    out = folder / (Path(video).stem + ".zarr")
    extract_pose.run(str(video), extract_pose.Params(output=str(out), threads=1))
    bundle = open_bundle(out)
    pose = {name: bundle.read("pose", name) for name in bundle.array_names("pose")}
    return pose, bundle.attrs("pose")["face_layout"]


def films(clips, size):
    """Yield (number, SyntheticClip) of test people, the same for the same generator."""
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio
    from stages.synthetic.seeds import clip_seed

    studio = Studio(load_assets(), size)
    for group, framing in enumerate(FRAMINGS, 1):
        for index in range(clips):
            number = 1000 * group + index
            yield number, studio.clip(clip_seed("test", number), frames=FILM_FRAMES, framing=framing)


def compared(number, clip, folder):
    """Pairs of one clip."""
    from stages.head.track import track_head
    from stages.media import write_video

    video = folder / f"{number}.mp4"
    write_video(video, iter(clip.frames_u8), Fraction(clip.fps))
    pose, layout = extract(video, folder)
    return pair(clip, pose, track_head(pose, pose["K_px"], layout), layout, number, COMPARED)


def real(folder, videos):
    """{video: shares of frames with a body and with a face}."""
    result = {}
    for video in sorted(videos.glob("*.mp4")):
        pose, _ = extract(video, folder)
        body = pose["joint_valid"].sum(1) >= 4
        result[video.name] = {
            "frames": len(body),
            "body": float(body.mean()),
            "face": float(pose["face_valid"].mean()),
            "hands": float(pose["hand_valid"].mean()),
            "last_frame_present": bool(pose["present"][-1]),
        }
        print(video.name, result[video.name], flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=20, help="people per framing")
    parser.add_argument("--size", type=int, default=512, help="side of the pictures, px")
    parser.add_argument("--real", default="", help="folder of videos without truth")
    parser.add_argument("--json", default="", help="file for the figures")
    parser.add_argument("--markdown", default="", help="file for the tables, beside the screen")
    arguments = parser.parse_args()
    result = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.clips:
            pairs = joined([compared(number, clip, folder) for number, clip in films(arguments.clips, arguments.size)])
            result = figures(pairs)
            text = markdown(result)
            print(text, flush=True)
            if arguments.markdown:
                Path(arguments.markdown).write_text(text)
        if arguments.real:
            result["real"] = real(folder, Path(arguments.real))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
