"""pick-refs against exact truth: extreme yaws of turn-around clips, and strangers in mixed lists of 200 frames.

    dreamactor synth --suite v1.1 --split test --out v11
    python tests/bench/bench_pick_refs.py v11

First: how far the exact yaw of the picked maximum and minimum lies from the exact extremes (of 100 degrees at most) of
the clip. Second: for every person with a readable face, lists of 200 frames (his own nine, the rest of all others), as
clips and with all frames shuffled into one, looked for with one of his own faces and without; a frame of anybody else
that is accepted counts as a stranger.
"""

import argparse
from pathlib import Path

import numpy as np

YAW_MOST, FRAMES, EVERY = 100.0, 200, 4


def extremes(paths, looker):
    """Degrees by which the picked maximum and minimum miss the exact ones, of every clip."""
    from stages.bundle import open_bundle
    from stages.core.errors import InputError
    from stages.core.geometry import euler_yaw_pitch_roll_rad
    from stages.references.harvest import harvest

    missed, skipped = [], []
    for path in paths:
        bundle = open_bundle(path)
        exact = np.degrees(euler_yaw_pitch_roll_rad(bundle.read("truth", "R_cam_head"))[:, 0])
        try:
            picks, _ = harvest([bundle], 3, yaw_most=YAW_MOST, looker=looker, half_body=False)
        except InputError as error:
            skipped.append(str(error))
            continue
        within = exact[np.abs(exact) <= YAW_MOST]
        picked = exact[[pick.frame for pick in picks]]
        missed.append((path.name, float(within.max() - picked.max()), float(picked.min() - within.min())))
    return missed, skipped


def looks(paths, looker):
    """(name, yaw, Look) of every EVERY-th frame of every clip."""
    from stages.bundle import open_bundle
    from stages.core.geometry import euler_yaw_pitch_roll_rad
    from stages.references.subject import person_of_bundle

    found = []
    for path in paths:
        bundle = open_bundle(path)
        person, frames = person_of_bundle(bundle), bundle.read("truth", "frames")
        yaw = np.degrees(euler_yaw_pitch_roll_rad(person.R_cam_head)[:, 0])
        for frame in range(0, len(frames), EVERY):
            if np.isfinite(yaw[frame]) and np.isfinite(person.head_m[frame]).all():
                found.append((path.name, float(yaw[frame]), looker.look(frames[frame], person.frame(frame))))
    return found


def strangers(found, shuffled, named):
    """(lists, lists with a stranger, strangers, share of the person's own frames found)."""
    from stages.references.likeness import READABLE_DEG, same_person

    rng = np.random.default_rng(0)
    names, yaw = np.array([row[0] for row in found]), np.array([row[1] for row in found])
    people = sorted(set(names))
    wrong, recall = [], []
    for who in people:
        mine, others = np.nonzero(names == who)[0], rng.permutation(np.nonzero(names != who)[0])
        face = found[mine[np.argmin(np.abs(yaw[mine]))]][2]
        if not np.isfinite(face.face[0]) or np.abs(yaw[mine]).min() > READABLE_DEG:
            continue
        chosen = rng.permutation(np.r_[mine, others[: FRAMES - len(mine)]])
        clips = [0] * len(chosen) if shuffled else [people.index(names[at]) for at in chosen]
        shots = list(range(len(chosen))) if shuffled else [0] * len(chosen)
        ours, _ = same_person([found[at][2] for at in chosen], yaw[chosen], clips, shots, face if named else None)
        taken = names[chosen[ours]]
        kinds, counts = np.unique(taken, return_counts=True)
        target = who if named or not len(kinds) else kinds[np.argmax(counts)]
        wrong.append(int((taken != target).sum()))
        recall.append((taken == target).sum() / (names[chosen] == target).sum())
    return len(wrong), sum(count > 0 for count in wrong), sum(wrong), float(np.mean(recall))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path)
    arguments = parser.parse_args()
    from stages.references.likeness import Looker

    looker, paths = Looker(), sorted(arguments.bundles.glob("*.zarr"))
    missed, skipped = extremes([path for path in paths if not path.stem.endswith("_cross")], looker)
    off = np.array([row[1:] for row in missed])
    print(
        f"extreme yaws, {len(off)} clips ({len(skipped)} refused): off by {np.median(off):.1f} degrees in the median,"
    )
    print(f"  {off.max():.1f} at most; within 5 on both sides: {(off <= 5).all(1).mean():.0%} of clips")
    for name, most, least in missed:
        if max(most, least) > 5:
            print(f"  {name}: maximum {most:+.1f}, minimum {least:+.1f}")
    for line in skipped:
        print(f"  refused: {line}")
    found = looks(paths, looker)
    for shuffled in (False, True):
        for named in (True, False):
            lists, bad, count, recall = strangers(found, shuffled, named)
            what = f"{'one shuffled list' if shuffled else 'clips'}, {'a face' if named else 'most frames'}"
            print(f"{what:32s}{lists} lists of {FRAMES}: {bad} with a stranger, {count} strangers, {recall:.0%} found")


if __name__ == "__main__":
    main()
