"""The layer `carried`: several references on a clip's canvas, and their pixels carried to every pose as one picture.

It stands beside the layers body and head, which know the first reference only: with --refs, animate takes references
and carried photo from here. Frames are written one by one, so that a long clip needs no more memory than a short one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stages.body.alike import like_first
from stages.body.matte import figure_matte
from stages.body.several import SeveralWarps
from stages.bundle import ArraySpec, LayerWriter, layer_key, make_provenance, plan_layer
from stages.core.errors import InputError
from stages.references.canvas import Placed, check_same_person, film_of, first_of, most_useful, place
from stages.references.digests import named_references, reference_inputs
from stages.references.layer import read_picks
from stages.references.subject import Subject, subject_of_photo

LAYER = "carried"
VERSION = 9
_OTHER_CLOTHES = 16.0  # Lab units by which a torso may differ, light matched, before only the head is taken


def carried_key(bundle, refs: Sequence[str], most: int) -> tuple[str, dict[str, str]]:
    """(key, inputs) of the layer that --refs would make. errors  InputError: one is missing"""
    inputs = {layer: bundle.key(layer) for layer in ("body", "head")}
    inputs |= reference_inputs(refs)
    return layer_key(LAYER, VERSION, {"most": most}, inputs), inputs


def write_carried(bundle, refs: Sequence[str], most: int, progress: Callable[[int, int], None] | None = None) -> None:
    """Write the layer, unless it is there as it would be written; another one is replaced: it is made of --refs alone.

    most      references in all, the first included
    progress  called with (frames done, frames)
    errors    InputError: a reference is missing, shows nobody, somebody else, or a face too small
    """
    key, inputs = carried_key(bundle, refs, most)
    if plan_layer(bundle.path, LAYER, key, overwrite=True).action == "skip":
        return
    first = first_of(bundle)
    act, rotations, moves = film_of(bundle)
    placed = [first, *_chosen(refs, first, rotations, most)]
    warps, gains = _warps(placed)
    choice = warps.choose(act, rotations)
    frames, size = len(act.drawn), first.frame_u8.shape[:2]
    attrs = {
        "references": [{"name": one.name, "digest": one.digest, "gain": gain.tolist(), "head_only": bool(only)}
                       for one, gain, only in zip(placed, gains, warps.head_only, strict=True)],
        "share_in_head": choice.head(frames, len(placed)).mean(0).round(3).tolist(),
    }  # fmt: skip
    meanings = specs()
    provenance = make_provenance(LAYER, VERSION, {"most": most}, inputs, item=str(bundle.path))
    with LayerWriter(bundle.path, LAYER, key=key, attrs=attrs, provenance=provenance, overwrite=True) as writer:
        pictures = writer.stream("warp", (*size, 3), meanings["warp"], length=frames)
        kinds = writer.stream("warp_kind", size, meanings["warp_kind"], length=frames)
        for frame in range(frames):
            picture, kind = warps.to_pose(act, frame, rotations[frame], choice, moves[frame])
            pictures.append(picture[None])
            kinds.append(kind[None])
            if progress is not None:
                progress(frame + 1, frames)
        arrays = {
            "ref_frames": np.stack([warp.picture_u8 for warp in warps.warps]),
            "ref_maps": np.stack([one.map_u8 for one in placed]),
            "ref_center_px": np.concatenate([one.still.head_px for one in placed]).astype(np.float32),
            "ref_radius_px": np.concatenate([one.still.head_radius_px for one in placed]).astype(np.float32),
            "ref_R_cam_head": np.stack([one.rotation for one in placed]).astype(np.float32),
            "head_share": choice.head(frames, len(placed)),
        }
        for name, array in arrays.items():
            writer.put(name, array, meanings[name])
        writer.commit()


def specs() -> dict[str, ArraySpec]:
    """Name -> ArraySpec of every array of the layer; R references, the first as in layer body."""
    picture = ("H", "W", "rgb")
    return {
        "warp": ArraySpec(
            "uint8", ("T", *picture), "u8", meaning="the references' pixels carried to the driver's pose"
        ),
        "warp_kind": ArraySpec(
            "uint8", ("T", "H", "W"), "", (0, 3), meaning="0 hidden, 1 seen background; 2 doubtful, 3 seen figure"
        ),
        "ref_frames": ArraySpec("uint8", ("R", *picture), "u8", meaning="references on the canvas, light matched"),
        "ref_maps": ArraySpec("uint8", ("R", "H", "W", "map"), "u8", meaning="skeleton, then sphere of each"),
        "ref_center_px": ArraySpec("float32", ("R", "xy"), "px", meaning="middle of each reference's head"),
        "ref_radius_px": ArraySpec("float32", ("R",), "px", meaning="of each reference's head"),
        "ref_R_cam_head": ArraySpec("float32", ("R", "row", "col"), "", (-1.001, 1.001), meaning="of each reference"),
        "head_share": ArraySpec("float32", ("T", "R"), "01", (0, 1), meaning="of each reference in the carried head"),
    }


def _chosen(refs: Sequence[str], first: Placed, rotations, most: int) -> list[Placed]:
    """The further references that are of most use to the clip, at most `most` - 1."""
    subjects = [subject for subject in _subjects(refs) if subject.digest != first.digest]
    if not subjects:
        raise InputError(f"--refs: found nothing but {first.name} itself, expected other pictures of the same person")
    placed = [place(subject, first) for subject in subjects]
    from stages.references.likeness import Looker

    check_same_person(first, placed, Looker())
    return [placed[at] for at in most_useful(placed, first, rotations, most - 1)]


def _subjects(refs: Sequence[str]) -> list[Subject]:
    """Every picture that --refs names, each once."""
    from stages.bundle import open_bundle

    found: dict[str, Subject] = {}
    for kind, path, _ in named_references(refs):
        several = (
            [pick.subject for pick in read_picks(open_bundle(path))] if kind == "picks" else [subject_of_photo(path)]
        )
        for subject in several:
            found.setdefault(subject.digest, subject)
    return list(found.values())


def _warps(placed: Sequence[Placed]) -> tuple[SeveralWarps, np.ndarray]:
    """The references ready to be carried, their light brought to the first one's, and the gains [R, 3]."""

    def made(pictures, head_only=()):
        return SeveralWarps(
            pictures, [one.still for one in placed], [one.rotation for one in placed], mattes, head_only,
            [one.known for one in placed],
        )  # fmt: skip

    mattes = [figure_matte(one.frame_u8) for one in placed]
    gains, clothes = like_first(made([one.frame_u8 for one in placed]))
    matched = [
        np.rint(np.clip(one.frame_u8 * gain, 0, 255)).astype(np.uint8) for one, gain in zip(placed, gains, strict=True)
    ]
    head_only = [False, *(bool(other > _OTHER_CLOTHES) for other in clothes[1:])]
    return made(matched, head_only), gains
