"""Pseudo-references (the paper's second pass): the model turns a person to both sides from one photo; picks of that.

The photo's own pose is kept and only its head turned, from its own direction to one side, then to the other; the face
keeps its expression. Of the film the frames turned farthest and those between are picked by the rule of pick-refs, as
far as their faces still are the photo's person. The picks are a bundle beside the clip, named after the photo and all
that decides it, so that a turn-around is made once for a person and used by every clip.
Source: paper section 3.3 (two-stage inference); how far and how fast the head turns is our choice.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from stages.core.errors import InputError, UsageError

VERSION = 7
STAGE = "turn-around"
TURN_DEG = 55.0  # to each side of the photo's own direction; the shipped model dissolves faces beyond
FRAMES = 37
_KEEP = 0.30  # cosine to the photo from which a made face counts as the person's
_READABLE = 0.35  # cosine between face and camera below which a face says nothing


def turnaround_inputs(bundle, params) -> dict[str, str]:
    """Name -> digest of what decides the turn-around of a clip's photo, for keys; loads no network.

    errors  InputError: the clip was not drawn for a photo, or the photo is gone
    """
    from stages.model.files import model_hashes
    from stages.references.digests import picture_digest

    digest = picture_digest(_photo(bundle, params))
    placed = (bundle.attrs("body").get("ref") or {}).get("sha256")
    if placed != digest:
        raise InputError(
            f"{bundle.path}: the photo {_photo(bundle, params)} is not the one the controls were drawn for. Give that "
            "one with --ref"
        )
    return {"photo": digest, **{f"model_{name}": value for name, value in model_hashes(params.model).items()}}


def ensure_turnaround(bundle, params, animator, encoder) -> str:
    """Path of the bundle of pseudo-references of a clip's photo, made if it is not there.

    params   of animate (ref, model, seed, steps, solver, cfg_ref, cfg_motion, pseudo_refs)
    animator, encoder  loaded model and its face encoder
    errors   those of `turnaround_inputs`; InputError: nobody in the photo, or no made frame shows its person any more
    """
    from stages.bundle import layer_key, make_provenance, plan_layer
    from stages.references import likeness
    from stages.references.layer import LAYER, write_picks

    size = tuple(int(side) for side in bundle.attrs("body")["canvas"]["size"])
    names = ("seed", "steps", "solver", "cfg_ref", "cfg_motion", "pseudo_refs")
    settings = {**{name: getattr(params, name) for name in names}, "size": list(size)}
    inputs = turnaround_inputs(bundle, params)
    key = layer_key(STAGE, VERSION, settings, inputs)
    photo = Path(_photo(bundle, params))
    path = Path(bundle.path).parent / f"{photo.stem}.turn-{key[:8]}.zarr"
    if plan_layer(path, LAYER, key, overwrite=True).action == "skip":
        return str(path)
    picks = _picks(photo, path, params, animator, encoder, size, key)
    attrs = {
        "likeness": f"{likeness.NAME}: cosine of faces",
        "weights": likeness.weights(),
        "seen": [inputs["photo"]],
        "made_of": photo.name,
        "ai_generated": True,
    }
    provenance = make_provenance(STAGE, VERSION, settings, inputs, item=str(photo))
    write_picks(path, picks, key=key, attrs=attrs, provenance=provenance, overwrite=True)
    return str(path)


def _photo(bundle, params) -> str:
    ref = bundle.attrs("body").get("ref")
    if not params.ref and (ref is None or os.path.isdir(ref["path"])):
        raise UsageError(
            f"--pseudo-refs: {bundle.path} was drawn for the driver itself or for a bundle, expected a photo given to "
            "render-spheres --ref"
        )
    return params.ref or ref["path"]


def _picks(photo: Path, path: Path, params, animator, encoder, size, key: str) -> list:
    """The picks of a photo's turn-around."""
    from stages.references.layer import Pick
    from stages.references.likeness import Looker
    from stages.references.selection import Candidate, pick, posture
    from stages.references.subject import Subject, subject_of_photo

    still = _on_canvas(subject_of_photo(str(photo)), size)
    rotations, angles = _turned(still.rotation)
    frames = _film(still, rotations, params, animator, encoder, key)
    looker = Looker()
    face = looker.look(still.picture_u8, still.person).face
    found = []
    for number, frame in enumerate(frames):
        person = replace(still.person, R_cam_head=rotations[number : number + 1])
        look = looker.look(frame, person)
        alike = float(look.face @ face)
        if np.isfinite(face[0]) and not alike >= _KEEP:
            continue  # its face is no longer the photo's
        candidate = Candidate(angles[number], float(person.head_radius_px[0]), look.sharp, look.thumb, posture(person))
        found.append((number, person, look, alike, candidate))
    own = Candidate(angles[0], float(still.person.head_radius_px[0]), 1.0, np.zeros(1), posture(still.person))
    own = replace(own, thumb=looker.look(still.picture_u8, still.person).thumb)
    chosen = pick([row[-1] for row in found], params.pseudo_refs, [own])
    if not chosen:
        raise InputError(
            f"{photo}: no frame of its turn-around shows the person any more. Animate without --pseudo-refs"
        )
    picks = []
    for at, why in chosen:
        number, person, look, alike, _ = found[at]
        subject = Subject(f"{path.name}:{number}", frames[number], person, f"{key}:{number}", False, look.face)
        picks.append(Pick(subject, why, photo.name, key, number, alike))
    return picks


def _on_canvas(subject, size):
    """The photo cut to a canvas of its own, with its Person in canvas px."""
    from stages.body.framing import content_box, cut, kind_of_framing, window_around
    from stages.body.place import own_performance
    from stages.references.subject import scaled

    person = subject.person
    act = own_performance(person)
    kind = kind_of_framing(person.seen, person.drawn.any(1))
    box = content_box(kind, act.joints_px, act.drawn, act.hands_px, act.hands_drawn, act.head_px, act.head_radius_px)
    window = window_around(box, kind, size, subject.picture_u8.shape[:2])
    return replace(
        subject, picture_u8=cut(subject.picture_u8, window), person=scaled(person, window.scale, window.shift_px)
    )


def _turned(rotation) -> tuple[np.ndarray, np.ndarray]:
    """R_cam_head float64 [FRAMES, 3, 3] of a turn-around from one rotation, and yaw, pitch, roll in degrees."""
    from stages.core.geometry import euler_yaw_pitch_roll_rad, yaw_pitch_roll_to_matrix

    start = euler_yaw_pitch_roll_rad(np.asarray(rotation, np.float64))
    share = np.linspace(0.0, 1.0, FRAMES)
    keys = np.degrees(start[0]), TURN_DEG, -TURN_DEG
    yaw = np.interp(share, [0.0, 0.36, 1.0], keys)
    angles = np.stack([yaw, np.full(FRAMES, np.degrees(start[1])), np.full(FRAMES, np.degrees(start[2]))], -1)
    return yaw_pitch_roll_to_matrix(np.radians(angles)), angles


def _film(still, rotations, params, animator, encoder, key: str) -> np.ndarray:
    """uint8 [FRAMES, H, W, 3]: the model's film of the turning head."""
    import torch

    from stages.body.compose import draw_body
    from stages.body.matte import figure_matte
    from stages.body.place import own_performance
    from stages.body.several import SeveralWarps
    from stages.core.rng import torch_generator
    from stages.face.crop import FACE_MIDDLE_RADII, HALF_SIDE_RADII, crop_affine, warp_crop
    from stages.head.sphere import draw_sphere
    from stages.model.animator import Tracks, segment_spans
    from stages.model.sampler import SamplerConfig

    act, size = own_performance(still.person), still.picture_u8.shape[:2]
    body = draw_body(act, 0, size)
    middle, radius = act.head_px[0], float(act.head_radius_px[0])

    def maps(rotation):
        return np.concatenate([body, draw_sphere(middle, radius, rotation, *size)], -1)

    warp = SeveralWarps([still.picture_u8], [act], [still.rotation], [figure_matte(still.picture_u8)])
    carried = [warp.to_pose(act, 0, rotation, warp.choose(act, [rotation])) for rotation in rotations]
    at = middle + radius * (still.rotation @ np.array(FACE_MIDDLE_RADII))[:2]
    tokens = encoder.tokens(warp_crop(still.picture_u8, crop_affine(at, HALF_SIDE_RADII * radius))[None])
    tracks = Tracks(
        maps=np.stack([maps(rotation) for rotation in rotations]),
        face_tokens=np.repeat(tokens, len(rotations), 0),
        face_valid=rotations[:, 2, 2] > _READABLE,
        ref_frames=still.picture_u8[None],
        ref_maps=maps(still.rotation)[None],
        warp_frames=np.stack([picture for picture, _ in carried]),
        warp_kind=np.stack([kind for _, kind in carried]),
    )
    sampler = SamplerConfig(params.steps, params.solver, params.cfg_ref, params.cfg_motion)
    spans = segment_spans(len(rotations), animator.config.segment_frames)
    noise = [torch_generator(params.seed, STAGE, key, f"noise {number}") for number in range(len(spans))]
    latents = torch.cat(list(animator.segments(tracks, sampler, noise)), 2)
    return np.concatenate(list(animator.decode(latents, tracks)))[: len(rotations)]
