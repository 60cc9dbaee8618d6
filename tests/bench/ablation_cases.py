"""Test cases of the ablations: everything that any of them is shown, made once and kept as one npz a case.

CASE = KIND-SEED.npz with truth [T,S,S,3], refs [3,S,S,3], ref_maps and ref_marked [3,S,S,6], maps and marked
[T,S,S,6], warp [T,S,S,3], kind [T,S,S] (with the driver's expression) and plain_warp, plain_kind (without), crops
[T,64,64,3], facing [T]; head_px, head_radius_px, face_px, crop_affine of the truth on the canvas; of cross-identity
also free_maps, free_warp, free_kind (the driver's own bones at the reference's overall size) and the joint and bone
errors of both skeletons.
"""

import os
from dataclasses import replace

import numpy as np
from bench_default_model import FRAMES, background_moves, draw_maps, person_of

REFERENCES = 3
FRAMINGS = ("portrait", "half", "full")


def make_cases(folder, first, per_framing, size, encoder, say):
    """Write what is missing of both kinds of cases of `per_framing` seeds a framing; names in the order of `first`.

    encoder  FaceEncoder that reads the expressions brought onto the carried photo
    """
    from stages.synthetic.assets import load_assets
    from stages.synthetic.clip import Studio

    folder.mkdir(parents=True, exist_ok=True)
    names, studio = [], None
    for index in range(per_framing * len(FRAMINGS)):
        seed, framing = first + index, FRAMINGS[index % len(FRAMINGS)]
        names += [f"self-{seed}", f"cross-{seed}"]
        if all((folder / f"{name}.npz").is_file() for name in names[-2:]):
            continue
        studio = studio or Studio(load_assets(), size)
        for name, case in zip(names[-2:], _both(studio, seed, framing, size, encoder), strict=True):
            partial = folder / f".{name}.{os.getpid()}.npz"
            np.savez_compressed(partial, framing=framing, **case)
            os.replace(partial, folder / f"{name}.npz")
        say(f"cases of seed {seed} ({framing})")
    return names


def _both(studio, seed, framing, size, encoder):
    """The self-driven and the cross-identity case of one seed."""
    from stages.body.compose import Composition, compose
    from stages.body.framing import Window
    from stages.body.place import own_performance, perform
    from stages.synthetic.seeds import ClipSeeds, partner_seed

    seeds = ClipSeeds.of(seed)
    options = {"frames": FRAMES, "framing": framing}
    truth = studio.clip(seeds, references=REFERENCES, **options)
    driver, _ = person_of(truth)
    still, _ = person_of(truth.references, 0)
    whole = Window(1.0, (0.0, 0.0), size, size)
    own = Composition(own_performance(driver), own_performance(still), whole, np.eye(2, 3), framing)
    yield _case(truth, truth, own, size, encoder)

    other = studio.clip(seeds.with_identity(partner_seed(seed)), **options)
    driver, seen = person_of(other)
    made = compose(driver, seen, still, (size, size), (size, size), framing="reference")
    case = _case(truth, other, made, size, encoder)
    free = _placed(perform(driver, still, framing="reference", retarget=False), made.ref_window)
    _, (case["free_warp"], case["free_kind"]) = _carried(case["refs"][0], made, truth, free, other, encoder)
    case["free_maps"] = draw_maps(free, other.R_cam_head, size)
    for name, act in (("adjusted", made.act), ("free", free)):
        case[f"{name}_joint_error"], case[f"{name}_bone_error"] = skeleton_errors(act, truth, made.ref_window)
    yield case


def _placed(act, window):
    """A Performance before the reference's camera, in canvas px."""
    return replace(
        act, joints_px=window.points(act.joints_px), hands_px=window.points(act.hands_px),
        head_px=window.points(act.head_px), head_radius_px=act.head_radius_px * window.scale,
    )  # fmt: skip


def _carried(picture, made, truth, act, driver, encoder):
    """(pictures, kinds) of the carried photo without and with the driver's expression, as `animate` makes them."""
    from stages.body.matte import figure_matte
    from stages.body.warp import warp_reference
    from stages.face.carry import express

    still, rotation, rotations = made.still, truth.references.R_cam_head[0], driver.R_cam_head
    moves = background_moves(driver, made.act, made.driver_affine)
    pairs = list(warp_reference(picture, still, rotation, act, rotations, figure_matte(picture), moves))
    plain = tuple(np.stack(column) for column in zip(*pairs, strict=True))
    tokens = np.where(facing(rotations)[:, None, None], encoder.tokens(driver.face_crops_u8), np.nan)
    head, ref_head = (act.head_px, act.head_radius_px), (still.head_px[0], still.head_radius_px[0])
    alone = picture[None], [(*ref_head, rotation)], np.ones((len(rotations), 1))
    return plain, express(encoder, *plain, (*head, rotations), alone, tokens)


def facing(rotations):
    """bool [T]: the face can be read. rotations float [T, 3, 3], head to camera"""
    return rotations[:, 2, 2] > 0.35


def _case(truth, driver, made, size, encoder):
    """One case by the names above; `driver` is `truth` when it drives itself."""
    from stages.body.framing import cut
    from stages.body.place import own_performance
    from stages.head.face_drawing import carry_face

    window, refs = made.ref_window, truth.references
    pictures = np.stack([cut(frame, window) for frame in refs.frames_u8])
    stills = [_placed(own_performance(person_of(refs, number)[0]), window) for number in range(REFERENCES)]
    ref_maps = np.concatenate([
        draw_maps(still, refs.R_cam_head[number : number + 1], size) for number, still in enumerate(stills)
    ])  # fmt: skip
    maps = draw_maps(made.act, driver.R_cam_head, size)
    face = carry_face(
        driver.face_px, driver.head_center_px, driver.head_radius_px, made.act.head_px, made.act.head_radius_px
    )
    (plain_warp, plain_kind), (warp, kind) = _carried(pictures[0], made, truth, made.act, driver, encoder)
    return {
        "truth": np.stack([cut(frame, window) for frame in truth.frames_u8]),
        "refs": pictures, "ref_maps": ref_maps, "ref_marked": marked_maps(ref_maps, window.points(refs.face_px)),
        "maps": maps, "marked": marked_maps(maps, face), "warp": warp, "kind": kind,
        "plain_warp": plain_warp, "plain_kind": plain_kind,
        "crops": driver.face_crops_u8, "facing": facing(driver.R_cam_head), "truth_facing": facing(truth.R_cam_head),
        "head_px": window.points(truth.head_center_px), "head_radius_px": truth.head_radius_px * window.scale,
        "face_px": window.points(truth.face_px), "crop_affine": _crop_affine(truth.face_affine, window),
    }  # fmt: skip


def _crop_affine(face_affine, window):
    """[T, 2, 3] canvas px to face crop px, of the map from picture px."""
    affine = np.asarray(face_affine, np.float64).copy()
    affine[:, :, :2] /= window.scale
    affine[:, :, 2] -= affine[:, :, :2] @ np.array(window.shift_px)
    return affine


def marked_maps(maps_u8, face_px):
    """The maps uint8 [N, H, W, 6] with the face points float [N, 68, 2] drawn over the sphere."""
    from stages.head.face_drawing import draw_face_lines

    marked = maps_u8.copy()
    for index, points in enumerate(face_px):
        marked[index, ..., 3:] = draw_face_lines(np.ascontiguousarray(marked[index, ..., 3:]), points)
    return marked


def skeleton_errors(act, truth, window):
    """Mean distance of drawn joints from the truth on the canvas in % of the person's height there, and mean relative
    error of the bone lengths in %."""
    from stages.body.lengths import CHILDREN, PARENTS

    there = window.points(truth.joints_px)
    gap = np.linalg.norm(act.joints_px - there, axis=-1)[act.drawn]
    height = truth.height_m * truth.K_px[0, 0] / float(truth.transl_m[:, 2].mean()) * window.scale
    ours, theirs = (
        np.linalg.norm(points[:, CHILDREN] - points[:, PARENTS], axis=-1) for points in (act.points_m, truth.joints_m)
    )
    bones = np.abs(np.nanmedian(ours, 0) / np.nanmedian(theirs, 0) - 1.0)
    return 100.0 * float(np.nanmean(gap)) / height, 100.0 * float(np.nanmean(bones))
