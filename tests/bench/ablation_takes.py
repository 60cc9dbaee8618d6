"""The training material of the ablations: prepared takes with the face points drawn on a second set of maps.

A take is linked, not copied. Face points come from the prepared take, which may be cut out of the pool's; for takes
prepared before they held them person and motion are posed again without drawing, and joints that do not fall on the
pool's are an error.
"""

import os

import numpy as np
from ablation_cases import marked_maps

_AGREE_PX = 1e-3


def link_takes(options, folder, say):
    """Fill `folder` with every `options.every`th of the takes below number `options.below`, with marked.npy.

    errors  ValueError: no takes, or points that do not belong to the take. UsageError: a take of another split
    """
    from stages.training.pool import checked_seed

    prepared, pool = options.prepared, options.pool
    names = sorted(path.parent.name for path in prepared.glob("*/warp.npz"))
    names = [name for name in names if take_seed(name) < options.below]
    if not names:
        raise ValueError(f"{prepared}: no prepared takes below {options.below}")
    poser = None
    for name in names[:: options.every]:
        seed = checked_seed(take_seed(name))
        target = folder / name
        if target.is_dir():
            continue
        with np.load(prepared / name / "labels.npz") as labels:
            points = labels["face_px"] if "face_px" in labels else None
        if points is None:
            poser = poser or _Poser(options.mocap)
            points = poser.face_px(seed, np.load(pool / f"{seed:07d}" / "truth.npz")["joints_px"])
            say(f"face points of take {name}")
        partial = folder / f".{name}.{os.getpid()}"
        partial.mkdir(parents=True)
        for file in (prepared / name).iterdir():
            os.symlink(file.resolve(), partial / file.name)
        np.save(partial / "marked.npy", marked_maps(np.load(prepared / name / "maps.npy"), points))
        os.rename(partial, target)


def take_seed(name):
    """The seed of a take by its folder's name, which may have letters before it (`n0000377`)."""
    return int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))


class _Poser:
    """Poses the people of takes again, in the order of Studio.clip, without drawing them."""

    def __init__(self, mocap):
        from stages.synthetic.assets import load_assets
        from stages.synthetic.mocap import MocapLibrary
        from stages.synthetic.staging import Sources

        self.assets, self.sources = load_assets(), Sources(MocapLibrary(mocap) if mocap else None)

    def face_px(self, seed, joints_px):
        """float32 [N, 68, 2] of all frames of a take whose joints are float [N, 25, 2]."""
        from stages.core.rng import numpy_rng
        from stages.synthetic.canvas import project
        from stages.synthetic.clip import MOTION_S
        from stages.synthetic.identity import identity
        from stages.synthetic.seeds import ClipSeeds
        from stages.synthetic.staging import Wanted, stage_scene
        from stages.training.pool import FPS, REFERENCE_FRAMES

        frames, seeds = len(joints_px) - REFERENCE_FRAMES, ClipSeeds.of(seed)
        duration_s = max(MOTION_S, frames / FPS)
        scene = stage_scene(identity(self.assets, seeds.identity), seeds, duration_s, Wanted(), self.sources, 128)
        rng = numpy_rng(seeds.motion, "synthetic", "clip", "times")
        first_s = rng.uniform(0, duration_s - frames / FPS)
        others = (np.arange(REFERENCE_FRAMES) + rng.random(REFERENCE_FRAMES)) * duration_s / REFERENCE_FRAMES
        face, joints, K_px = [], [], scene.camera.K_px(128)
        for time_s in np.r_[first_s + np.arange(frames) / FPS, others]:
            _, pose = scene.posed(float(time_s))
            truth = scene.reader.read(pose, scene.camera.view(float(time_s)).world_to_view)
            joints.append(project(truth.body_m, K_px))
            face.append(project(truth.face_m, K_px))
        off = float(np.abs(np.array(joints) - joints_px).max())
        if off > _AGREE_PX:
            raise ValueError(f"take {seed}: joints posed again are {off:.3f} px off the pool's: another motion file?")
        return np.array(face, np.float32)
