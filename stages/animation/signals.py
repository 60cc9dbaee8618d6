"""The control signals of a bundle, read block by block as segments and the decoder ask for them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np

from stages.core.errors import InputError
from stages.model.tracks import Tracks

_BLOCK_FRAMES = 16  # as many as one shard of a bundle's pictures holds
_BLOCKS_KEPT = 3  # what a segment of 17 frames with its context asks for
_PLACE = ("center_px", "radius_px", "R_cam_head")


class BundleSignals:
    """Signals (stages.model.tracks) of the layers body, head and face; a few blocks of frames are held at a time.

    encoder        the FaceEncoder of the tokens; None where neither of the next two needs it
    carry          move the carried photo's face to the driver's expression
    face_strength  how far the expression goes from the photo's, times the driver's: 0 = as in the photo, 1 = as the
                   driver. Where the photo's face cannot be read it is about the neutral face (all weights 0)
    layer          "body", or "carried" where several references are carried as one (stages.references.carried)
    errors         InputError: layers of different lengths, or drawn by an earlier version
    """

    def __init__(
        self, bundle, encoder=None, *, carry: bool = True, face_strength: float = 1.0, layer: str = "body"
    ) -> None:
        self._layer = layer
        self._bundle, self._encoder, self._carry, self._strength = bundle, encoder, carry, face_strength
        lengths = [bundle.array_info(layer, name)["shape"][0] for layer, name in
                   (("body", "map"), ("head", "map"), ("face", "tokens"))]  # fmt: skip
        if len(set(lengths)) > 1:
            raise InputError(
                f"{bundle.path}: layers body, head and face have {lengths[0]}, {lengths[1]} and {lengths[2]} frames; "
                "make them again from one run of extract-pose"
            )
        if not {"warp", "warp_kind"} <= set(bundle.array_names("body")):
            raise InputError(
                f"{bundle.path}: layer body has no carried photo (array warp): an earlier version drew it. Make it "
                f"again with: dreamactor render-spheres {bundle.path} --overwrite and the --ref of before"
            )
        self._length = lengths[0]
        self.size = tuple(bundle.array_info("body", "map")["shape"][1:3])
        self.token_shape = tuple(bundle.array_info("face", "tokens")["shape"][1:])
        if layer == "body":
            self.ref_frames = bundle.read("body", "ref_frame")
            self.ref_maps = np.concatenate([bundle.read("body", "ref_map"), bundle.read("head", "ref_map")], -1)
        else:
            self.ref_frames, self.ref_maps = (bundle.read(layer, name) for name in ("ref_frames", "ref_maps"))
        self._before = self._reference_expression() if encoder is not None else None
        self._blocks: OrderedDict[int, Tracks] = OrderedDict()

    def __len__(self) -> int:
        return self._length

    def cut(self, start: int, stop: int) -> Tracks:
        """Frames `start` to before `stop`; behind the end the last one stands again."""
        first, last = (min(frame, len(self) - 1) // _BLOCK_FRAMES for frame in (start, stop - 1))
        blocks = [self._block(number) for number in range(first, last + 1)]
        names = ("maps", "face_tokens", "face_valid", "warp_frames", "warp_kind")
        joined = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in names}
        offset = first * _BLOCK_FRAMES
        return Tracks(**joined, ref_frames=self.ref_frames, ref_maps=self.ref_maps).cut(start - offset, stop - offset)

    def _block(self, number: int) -> Tracks:
        if number not in self._blocks:
            while len(self._blocks) >= _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
            start = number * _BLOCK_FRAMES
            self._blocks[number] = self._read(slice(start, min(start + _BLOCK_FRAMES, len(self))))
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _read(self, frames: slice) -> Tracks:
        def part(layer: str, name: str):
            return self._bundle.read(layer, name, frames=frames)

        tracks = Tracks(
            np.concatenate([part("body", "map"), part("head", "map")], -1),
            part("face", "tokens"),
            part("face", "valid"),
            self.ref_frames,
            self.ref_maps,
            part(self._layer, "warp"),
            part(self._layer, "warp_kind"),
        )
        if self._encoder is None:
            return tracks
        after, before = self._encoder.expressions_of(tracks.face_tokens), self._before[:1]
        if self._layer != "body":
            from stages.face.carry import mixed_weights

            before = mixed_weights(self._before, part(self._layer, "head_share"))
        if self._strength != 1.0:
            about = np.nan_to_num(before)
            after = about + self._strength * (after - about)
            tracks = replace(tracks, face_tokens=self._encoder.with_expressions(tracks.face_tokens, after))
        if not self._carry:
            return tracks
        from stages.face.carry import carry_expressions

        carried, place = (tracks.warp_frames, tracks.warp_kind), (part("head", name) for name in _PLACE)
        warp, kind = carry_expressions(*carried, *place, before, after)
        return replace(tracks, warp_frames=warp, warp_kind=kind)

    def _reference_expression(self):
        from stages.face.carry import reference_weights

        several = self._layer != "body"
        place = [self._bundle.read(self._layer if several else "head", f"ref_{name}") for name in _PLACE]
        places = list(zip(*place, strict=True)) if several else [place]
        return np.stack([
            reference_weights(self._encoder, frame, *one) for frame, one in zip(self.ref_frames, places, strict=True)
        ])  # fmt: skip
