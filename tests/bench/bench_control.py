"""Asks whether the driver is obeyed: people found again in the results by extract-pose's code, against exact truth.

    python tests/bench/score_sets.py --clips 24 --kinds self --out sets
    python tests/bench/bench_control.py sets/self --methods real,model,copy --json control.json

Every film of a method is tracked (no filling, no smoothing) and compared with what the renderer knows (KIND/truth):

  joints   mean distance of the joints seen, % of the person's height; mean of frames, then of clips
  head     angle between the heads, degrees; median of frames, then mean of clips
  mouth, lids   correlation of mouth opening and eye closure with the truth's through a clip in which these move enough
           (from the 5th to the 95th percentile: 8% of the eyes' distance, 0.15 of the eye aspect ratio), over frames in
           which the true face looks less than 50 degrees away; a face that is seldom found counts 0. Mean and median of
           clips; N beside it; beside that the mean over the clips alone in which the real film itself comes to 0.5

The row `real` is the ceiling: what these measurements say of the truth's own pictures. `copy` is the floor. Tracks are
kept in KIND/found and not made again. --enlarge makes the frames larger (bicubic) before anybody is looked for.
"""

import argparse
import json
from pathlib import Path

import numpy as np

MOUTH_LEAST, EYES_LEAST, FACING_LEAST, SEEN_LEAST = 8.0, 0.15, 0.64, 0.5
BARS = {"joints": 5.0, "head": 10.0, "mouth": 0.8, "lids": 0.6}


def track(frames_u8, enlarge, fps=25.0):
    """Arrays of the person found in a film uint8 [T, H, W, 3]; px of the film, NaN = not found."""
    import cv2

    from stages.pose.mediapipe.backend import MediaPipeBackend, MediaPipeParams
    from stages.scoring.face_following import eye_closure, mouth_opening
    from stages.scoring.track_errors import person_of_track

    stream = MediaPipeBackend(MediaPipeParams(threads=1)).stream(fps)
    for frame in frames_u8:
        size = tuple(enlarge * side for side in frame.shape[1::-1])
        stream.add(cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC) if enlarge > 1 else frame)
    person = person_of_track(stream.track())
    return {
        "joints_px": (person.joints_px + 0.5) / enlarge - 0.5,
        "R_cam_head": person.R_cam_head,
        "mouth": mouth_opening(person.face),
        "eyes": eye_closure(person.face),
    }


def found_in(folder, method, name, enlarge):
    """The same of one film of a set, kept in the set's folder."""
    file = folder / "found" / f"{method}-x{enlarge}" / f"{name}.npz"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **track(np.load(folder / method / f"{name}.npy"), enlarge))
    with np.load(file) as arrays:
        return dict(arrays)


def compare(found, truth):
    """Numbers of one clip: joints %, head degrees, shares of joints and faces found, and the two correlations."""
    from stages.core.geometry import rotation_angle_deg
    from stages.scoring.track_errors import MEASURED

    seen = np.isfinite(found["joints_px"]).all(-1)[:, MEASURED] & truth["inside"][:, MEASURED]
    away = np.linalg.norm(found["joints_px"] - truth["joints_px"], axis=-1)[:, MEASURED]
    away = np.where(seen, away, 0.0).sum(1) / np.where(seen.any(1), seen.sum(1), np.nan)
    angle = rotation_angle_deg(found["R_cam_head"], truth["R_cam_head"])
    facing = truth["facing"] > FACING_LEAST
    result = {
        "joints": float(np.nanmean(100 * away / truth["height_px"])) if seen.any() else float("nan"),
        "joints_found": float(seen.sum() / max(1, truth["inside"][:, MEASURED].sum())),
        "head": float(np.nanmedian(angle)) if np.isfinite(angle).any() else float("nan"),
        "face_found": float(np.isfinite(found["mouth"]).mean()),
    }
    for name, signal, least in (("mouth", "mouth", MOUTH_LEAST), ("lids", "eyes", EYES_LEAST)):
        leader = np.where(facing, truth[signal], np.nan)
        result[name] = follows(found[signal], leader, least)
    return result


def follows(found, leader, least):
    """Correlation of one signal with the truth's; 0 = found in less than half of the frames, NaN = nothing is asked."""
    from stages.scoring.face_following import following

    wanted = np.isfinite(leader)
    if following(leader, leader, least).asked and np.isfinite(found[wanted]).mean() < SEEN_LEAST:
        return 0.0
    return following(found, leader, least).correlation


def interval(values, draws=2000):
    """95% interval of the mean over clips."""
    picks = np.random.default_rng(0).choice(values, (draws, len(values))).mean(1)
    return tuple(np.percentile(picks, [2.5, 97.5]))


def summary(values, ceiling):
    """N, mean with its interval, median; where the ceiling is given, N and mean of the clips it reads (0.5 or more)."""
    known = np.isfinite(values)
    if not known.any():
        return {"n": 0}
    numbers = {"n": int(known.sum()), "mean": float(values[known].mean()), "median": float(np.median(values[known]))}
    numbers["interval"] = [float(end) for end in interval(values[known])]
    if ceiling is not None:
        read = known & (ceiling >= 0.5)
        numbers["n_read"] = int(read.sum())
        numbers["mean_read"] = float(values[read].mean()) if read.any() else None
    return numbers


def table(rows, chosen):
    """Print one line a method over the clips that are chosen; give back the numbers."""
    out = {}
    for method, clips in rows.items():
        line, out[method] = f"  {method:10s}", {}
        for name in ("joints", "head", "mouth", "lids"):
            follows_truth = name in ("mouth", "lids")
            ceiling = np.array([rows["real"][clip][name] for clip in chosen]) if "real" in rows else None
            numbers = summary(np.array([clips[clip][name] for clip in chosen]), ceiling if follows_truth else None)
            out[method][name] = numbers
            line += f"  {name} N={numbers['n']:2d}"
            if numbers["n"]:
                low, high = numbers["interval"]
                line += f" {numbers['mean']:5.2f} ({low:.2f}..{high:.2f})"
                line += f" median {numbers['median']:.2f}" if follows_truth else ""
                line += f" [{numbers['n_read']}: {numbers['mean_read']:.2f}]" if numbers.get("n_read") else ""
        for name in ("joints_found", "face_found"):
            out[method][name] = float(np.mean([clips[clip][name] for clip in chosen]))
        print(line + f"  joints found {out[method]['joints_found']:.0%}, faces {out[method]['face_found']:.0%}")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="one kind's folder of score_sets.py, for example sets/self")
    parser.add_argument("--methods", default="real,model,copy")
    parser.add_argument("--framings", default="portrait,half,full")
    parser.add_argument("--clips", type=int, default=0, help="the first so many; 0 = all")
    parser.add_argument("--enlarge", type=int, default=1)
    parser.add_argument("--json", default="")
    arguments = parser.parse_args()

    from stages.core.device import set_threads

    set_threads(1)
    folder, framings = Path(arguments.folder), arguments.framings.split(",")
    names = sorted(path.stem for path in (folder / "truth").glob("*.npz"))
    names = [name for name in sorted(names, key=lambda name: name.split("-")[1]) if name.split("-")[0] in framings]
    names = names[: arguments.clips or None]
    rows = {method: {} for method in arguments.methods.split(",")}
    for name in names:
        with np.load(folder / "truth" / f"{name}.npz") as arrays:
            truth = dict(arrays)
        for method, clips in rows.items():
            clips[name] = compare(found_in(folder, method, name, arguments.enlarge), truth)
    result = {"bars": BARS, "enlarge": arguments.enlarge, "clips": rows}
    for framing in (*framings, "all"):
        chosen = [name for name in names if framing in (name.split("-")[0], "all")]
        if chosen:
            print(f"{framing}, {len(chosen)} clips")
            result[framing] = table(rows, chosen)
    print("bars: " + ", ".join(f"{name} {value:g}" for name, value in BARS.items()))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
