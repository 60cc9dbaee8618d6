"""Measures what extract-pose finds: synthetic clips against exact truth, real videos by how often it finds anyone.

    python tests/bench/bench_extraction.py [--clips 6] [--size 512] [--real FOLDER] [--json extraction.json]

Synthetic, per framing: mean 2D error of the seen joints in percent of the person's height in the picture, and the
median error of the head's rotation (stages.head.track) over all frames. The clips go through an MP4, as a user's would.
Real: the share of frames with a body and with a face, for every video of the folder.
"""

import argparse
import json
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

FRAMES = 25


def extract(video, folder):
    """The arrays of the pose layer of one video, and its layout of the face."""
    from stages import extract_pose
    from stages.bundle import open_bundle

    out = folder / (Path(video).stem + ".zarr")
    extract_pose.run(str(video), extract_pose.Params(output=str(out)))
    bundle = open_bundle(out)
    pose = {name: bundle.read("pose", name) for name in bundle.array_names("pose")}
    return pose, bundle.attrs("pose")["face_layout"]


def errors(clip, pose, layout):
    """(2D joint errors in % of the person's height, head rotation errors in degrees) of one clip."""
    from stages.core.geometry import rotation_angle_deg
    from stages.head.track import track_head

    height_px = clip.height_m * clip.K_px[0, 0] / clip.transl_m[:, 2]
    off = np.linalg.norm(pose["joints_px"] - clip.joints_px, axis=-1) / height_px[:, None]
    seen = clip.joint_visible & pose["joint_valid"] & np.isfinite(off)
    head = track_head(pose, pose["K_px"], layout)
    pairs = zip(clip.R_cam_head, head.R_cam_head, strict=True)
    turned = [float(rotation_angle_deg(true, found)) for true, found in pairs if np.isfinite(found).all()]
    return 100.0 * off[seen], turned


def synthetic(folder, clips, size):
    """{framing: figures} over test people."""
    from stages.media import write_video
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio
    from stages.synthetic.seeds import clip_seed

    studio, result = Studio(load_assets(), size), {}
    for number, framing in enumerate(("portrait", "half", "full")):
        joints, heads, present = [], [], []
        for index in range(clips):
            clip = studio.clip(clip_seed("test", 1000 * (number + 1) + index), frames=FRAMES, framing=framing)
            video = folder / f"{framing}{index}.mp4"
            write_video(video, iter(clip.frames_u8), Fraction(24))
            pose, layout = extract(video, folder)
            off, turned = errors(clip, pose, layout)
            joints.extend(off)
            heads.extend(turned)
            present.extend(pose["present"])
        result[framing] = {
            "clips": clips, "found": float(np.mean(present)), "joint_error_percent": float(np.mean(joints)),
            "head_error_deg_median": float(np.median(heads)), "head_error_deg_p90": float(np.percentile(heads, 90)),
            "heads": len(heads) / (clips * FRAMES),
        }  # fmt: skip
        print(framing, {name: round(value, 3) for name, value in result[framing].items()}, flush=True)
    return result


def real(folder, videos):
    """{video: shares of frames with a body and with a face}."""
    result = {}
    for video in sorted(videos.glob("*.mp4")):
        pose, _ = extract(video, folder)
        body = pose["joint_valid"].sum(1) >= 4
        result[video.name] = {"frames": len(body), "body": float(body.mean()), "face": float(pose["face_valid"].mean()),
                              "last_frame_present": bool(pose["present"][-1])}  # fmt: skip
        print(video.name, result[video.name], flush=True)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--real", default="")
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = {"synthetic": synthetic(Path(name), arguments.clips, arguments.size)} if arguments.clips else {}
        if arguments.real:
            result["real"] = real(Path(name), Path(arguments.real))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
