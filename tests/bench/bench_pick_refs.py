"""pick-refs against exact truth: extreme yaws of turn-around clips, and strangers in mixed lists of 200 frames.

    dreamactor synth --suite v1.1 --split test --out v11
    python tests/bench/bench_pick_refs.py v11
    python tests/bench/bench_pick_refs.py turns twins --alike      # the most alike people of several folders

First: how far the exact yaw of the picked maximum and minimum lies from the exact extremes of every turn-around of the
first folder, with the usual limit of 100 degrees and with none. Second: for every person with a readable face, lists of
200 frames, looked for with one of his own faces (which is then not in the list) and without, as clips and with all
frames shuffled into one: his own nine; those of whoever else is seen in the same motion, camera and light; the rest of
others, drawn at random or --alike: the people whose faces are nearest to his in the measure itself. A frame of anybody
else that is accepted counts as a stranger.
"""

import argparse
from pathlib import Path

import numpy as np

YAW_MOST, FRAMES, OF_EACH = 100.0, 200, 9


def extremes(paths, looker, yaw_most):
    """How far the picked maximum and minimum are from the exact ones, degrees, of every turn-around.

    Of a head that turns beyond `yaw_most` the extreme is that limit, and what the nearest frame misses it by is no
    fault of the pick: some heads turn by 12 degrees from one frame to the next.
    """
    from stages.bundle import open_bundle
    from stages.core.errors import InputError
    from stages.core.geometry import euler_yaw_pitch_roll_rad
    from stages.references.harvest import harvest

    missed, skipped = [], []
    for path in paths:
        bundle = open_bundle(path)
        if bundle.attrs("truth")["style"] != "turn-around":
            continue
        exact = np.degrees(euler_yaw_pitch_roll_rad(bundle.read("truth", "R_cam_head"))[:, 0])
        try:
            picks, _ = harvest([bundle], 3, yaw_most=yaw_most, looker=looker, half_body=False)
        except InputError as error:
            skipped.append(str(error))
            continue
        picked = exact[[pick.frame for pick in picks]]
        off = []
        for sign in (1.0, -1.0):
            ours, target = (sign * picked).max(), min((sign * exact).max(), yaw_most)
            off.append(abs(ours - target) - np.abs(sign * exact - target).min())
        missed.append((path.name, *off))
    return missed, skipped


def looks(paths, looker):
    """(name, yaw, Look) of OF_EACH frames of every clip."""
    from stages.bundle import open_bundle
    from stages.core.geometry import euler_yaw_pitch_roll_rad
    from stages.references.subject import person_of_bundle

    found = []
    for path in paths:
        bundle = open_bundle(path)
        person, frames = person_of_bundle(bundle), bundle.read("truth", "frames")
        yaw = np.degrees(euler_yaw_pitch_roll_rad(person.R_cam_head)[:, 0])
        for frame in np.unique(np.linspace(0, len(frames) - 1, OF_EACH).round().astype(int)):
            if np.isfinite(yaw[frame]) and np.isfinite(person.head_m[frame]).all():
                name = f"{path.parent.name}/{path.stem}"
                found.append((name, float(yaw[frame]), looker.look(frames[frame], person.frame(frame))))
    return found


def faces(found):
    """name -> mean face [128] of the readable frames, of everybody who has one."""
    from stages.references.likeness import READABLE_DEG

    rows = {}
    for name, yaw, look in found:
        if np.isfinite(look.face[0]) and abs(yaw) <= READABLE_DEG:
            rows.setdefault(name, []).append(look.face)
    return {name: np.mean(of, 0) / np.linalg.norm(np.mean(of, 0)) for name, of in rows.items()}


def strangers(found, shuffled, named, *, alike=False, whom=None):
    """A row for each of `whom` (None: all): (name, anybody found, share of own frames found, strangers' names, frames).

    alike  fill the lists with the people whose faces are nearest, instead of anybody
    """
    from stages.references.likeness import READABLE_DEG, same_person

    rng = np.random.default_rng(0)
    names, yaw = np.array([row[0] for row in found]), np.array([row[1] for row in found])
    people, known, rows = sorted(set(names)), faces(found), []
    number = {name: "".join(c for c in name.split("/")[1] if c.isdigit()) for name in people}
    for who in people if whom is None else whom:
        mine = np.nonzero(names == who)[0]
        at = mine[np.argmin(np.abs(yaw[mine]))]
        face = found[at][2]
        if not np.isfinite(face.face[0]) or np.abs(yaw[mine]).min() > READABLE_DEG:
            continue
        near = {name: float(known[name] @ known[who]) if name in known else -1.0 for name in people}
        first = {name: number[name] == number[who] for name in people}
        score = {name: (first[name], near[name] if alike else rng.random()) for name in people if name != who}
        others = [n for name in sorted(score, key=score.get, reverse=True) for n in np.nonzero(names == name)[0]]
        own = mine[mine != at] if named else mine
        chosen = rng.permutation(np.r_[own, others[: FRAMES - len(own)]])
        clips = [0] * len(chosen) if shuffled else [people.index(names[n]) for n in chosen]
        shots = list(range(len(chosen))) if shuffled else [0] * len(chosen)
        ours, _ = same_person([found[n][2] for n in chosen], yaw[chosen], clips, shots, face if named else None)
        taken = names[chosen[ours]]
        kinds, counts = np.unique(taken, return_counts=True)
        target = who if named or not len(kinds) else kinds[np.argmax(counts)]
        share = (taken == target).sum() / (names[chosen] == target).sum()
        rows.append(
            (who, bool(len(taken)), float(share), sorted(set(taken[taken != target])), int((taken != target).sum()))
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--alike", action="store_true", help="fill the lists with the people most alike")
    parser.add_argument("--yaws-only", action="store_true", help="no lists")
    parser.add_argument("--lists", type=int, help="at most so many lists of each kind, of people drawn at random")
    arguments = parser.parse_args()
    from stages.references.likeness import Looker

    looker, paths = Looker(), [sorted(folder.glob("*.zarr")) for folder in arguments.bundles]
    for yaw_most in (YAW_MOST, 180.0):
        missed, skipped = extremes(paths[0], looker, yaw_most)
        off = np.array([row[1:] for row in missed]).reshape(-1, 2)
        print(
            f"extreme yaws, --yaw-most {yaw_most:g}: {len(off)} clips ({len(skipped)} refused), within 5 degrees on "
            f"both sides {(off <= 5).all(1).sum()}; off by {np.median(off):.1f} in the median, {off.max():.1f} at most"
        )
        for name, most, least in missed:
            if max(most, least) > 5:
                print(f"  {name}: maximum {most:.1f}, minimum {least:.1f}")
        for line in skipped:
            print(f"  refused: {line}")
    if arguments.yaws_only:
        return
    found = looks([path for folder in paths for path in folder], looker)
    people = sorted(faces(found))
    if arguments.lists and arguments.lists < len(people):
        people = sorted(np.random.default_rng(1).permutation(people)[: arguments.lists])
    print(f"{len({row[0] for row in found})} people, {len(found)} frames")
    for shuffled in (False, True):
        for named in (True, False):
            rows = strangers(found, shuffled, named, alike=arguments.alike, whom=people)
            what = f"{'one shuffled list' if shuffled else 'clips'}, {'a face' if named else 'most frames'}"
            bad = [row for row in rows if row[4]]
            print(
                f"{what:32s}{len(rows)} lists of {FRAMES}: {len(bad)} with a stranger, {sum(row[4] for row in bad)} "
                f"strangers, {np.mean([row[2] for row in rows]):.0%} found, {sum(not row[1] for row in rows)} empty"
            )
            for row in bad:
                print(f"  {row[0]}: {', '.join(row[3])}")


if __name__ == "__main__":
    main()
