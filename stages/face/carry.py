"""The driver's expression brought onto the carried photo by geometry: lips, jaw, lids and brows move.

The photo that `stages.body.warp` carries to a pose keeps the expression it was taken with. The 68 face points of an
average head stand on its sphere twice, with the reference's expression and with the driver's, and pixels follow
from the first to the second. What no photo with a closed mouth can show, its inside, is painted
(stages.face.mouth). Our own; expression weights come from the face motion tokens (`FaceEncoder`), so
that tokens made from speech move the photo just the same.
"""

import cv2
import numpy as np

from stages.core.arkit import ARKIT_INDEX
from stages.face.crop import FACE_MIDDLE_RADII, HALF_SIDE_RADII, crop_affine, warp_crop
from stages.face.encoder import SUPERVISED
from stages.face.mouth import paint_mouth
from stages.face.shape import FACING, INNER_LIP, LOWER, UPPER, FaceShape, covered_u8, face_shape

READABLE = 0.35  # cosine between face and camera below which a face says nothing; training takes none of those
_SMALLEST_PX = 8.0  # radius of a head below which a mouth is three pixels wide and says nothing
_RING, _RING_RADII = 16, 1.3  # points around the head that stay where they are
_STIFF = 0.002  # smoothing of the spline, in head radii: points that nearly meet must not tear
_BELOW_EYE = 0.13  # radii from the lower lid to skin without lashes
_NARROWEST = 0.35  # share of a gap that stays when it closes: points that meet would turn the field inside out
# An open jaw counts so much more: a slit stays of a mouth that closes, teeth stay between lips, a spline is stiff, and
# mouths of films moved half as far as their drivers' (r over 14 mouths of validation people 0.78 without, 0.81 with).
_JAW = 1.4
_LOUDER = np.where(np.arange(SUPERVISED) == ARKIT_INDEX["jawOpen"], _JAW, 1.0)
_GRID = 12.0  # nodes of the field a head radius
# (outline, upper points, lower points) of what can close
_EYES = ((slice(36, 42), (37, 38), (41, 40)), (slice(42, 48), (43, 44), (47, 46)))
_MOUTH = (INNER_LIP, UPPER, LOWER)


def express(encoder, pictures_u8, kinds_u8, head, references, tokens):
    """Return pictures and kinds of a carried clip with the expression that motion tokens say; see `carry_expressions`.

    encoder     FaceEncoder whose tokens [T, N, C] these are, NaN = no face
    head        center_px, radius_px and R_cam_head of the clip's frames
    references  pictures uint8 [R, H, W, 3], their heads (R times the same of one frame), and the share float [T, R]
                that each has in the carried head: the expression to start from is mixed like the pictures
    """
    ref_pictures_u8, ref_heads, shares = references
    known = np.stack([
        reference_weights(encoder, picture, *ref_head)
        for picture, ref_head in zip(ref_pictures_u8, ref_heads, strict=True)
    ])  # fmt: skip
    before = mixed_weights(known, shares)
    return carry_expressions(pictures_u8, kinds_u8, *head, before, encoder.expressions_of(tokens))


def mixed_weights(known, shares) -> np.ndarray:
    """float [T, 54] expression weights of a head that is mixed from R references: known float [R, 54] (NaN = cannot be
    read, of no matter where it has no share), shares float [T, R]."""
    known, shares = np.asarray(known, np.float64), np.asarray(shares, np.float64)
    return np.stack([share[share > 0] @ known[share > 0] for share in shares])


def carry_expressions(pictures_u8, kinds_u8, center_px, radius_px, R_cam_head, before, after):
    """Return pictures uint8 [T, H, W, 3] and kinds uint8 [T, H, W] of a whole clip; see `carry_expression`, which is
    told of jaws that are more open than the weights say (_JAW).

    center_px [T, 2], radius_px [T], R_cam_head [T, 3, 3]   of the head in each frame, NaN where there is none
    before  float [>= 52] or [T, >= 52] weights of the reference, NaN where unknown
    after   float [T, >= 52], NaN = no face
    """
    shape = face_shape()
    before, after = (np.asarray(w, np.float64) * _LOUDER[: np.shape(w)[-1]] for w in (before, after))
    before = np.broadcast_to(before, (len(pictures_u8), np.shape(before)[-1]))
    made = [
        carry_expression(*frame, shape)
        for frame in zip(pictures_u8, kinds_u8, center_px, radius_px, R_cam_head, before, after, strict=True)
    ]
    pictures, kinds = zip(*made, strict=True)
    return np.stack(pictures), np.stack(kinds)


def reference_weights(encoder, picture_u8, center_px, radius_px, R_cam_head) -> np.ndarray:
    """float [54] ARKit weights and gaze read off a reference picture; NaN where its face cannot be seen.

    encoder  stages.face.encoder.FaceEncoder;  picture_u8  uint8 [H, W, 3], on which the head stands as given
    """
    rotation = np.asarray(R_cam_head, np.float64)
    known = np.isfinite(center_px).all() and np.isfinite(radius_px) and np.isfinite(rotation).all()
    if not known or radius_px < _SMALLEST_PX or rotation[2, 2] < READABLE:
        return np.full(SUPERVISED, np.nan, np.float32)
    middle = np.asarray(center_px) + radius_px * (rotation @ np.array(FACE_MIDDLE_RADII))[:2]
    crop = warp_crop(picture_u8, crop_affine(middle, HALF_SIDE_RADII * float(radius_px)))
    return encoder.expressions(crop[None])[0]


def carry_expression(picture_u8, kind_u8, center_px, radius_px, R_cam_head, before, after, shape: FaceShape):
    """Return the carried photo uint8 [H, W, 3] and its kinds uint8 [H, W] with the driver's expression.

    picture_u8, kind_u8   what stages.body.warp gives for one frame, on which the head stands at
    center_px [2], radius_px, R_cam_head [3, 3]   as stages.head.sphere draws it
    before, after   float [>= 52] ARKit weights of the reference and of the driver; the difference is what moves
    A head that is not there (NaN), too small, or turned away comes back as it is.
    """
    known = np.isfinite(center_px).all() and np.isfinite(radius_px) and np.isfinite(R_cam_head).all()
    if not known or radius_px < _SMALLEST_PX or not (np.isfinite(before).all() and np.isfinite(after).all()):
        return picture_u8, kind_u8
    there, here = (
        shape.points(np.asarray(w, np.float64)) @ np.asarray(R_cam_head, np.float64).T for w in (before, after)
    )
    visible = here[:, 2] < FACING
    if visible.sum() < 12:
        return picture_u8, kind_u8
    height, width = kind_u8.shape
    reach = _RING_RADII * radius_px
    left, top = (int(max(0, np.floor(c - reach))) for c in center_px)
    right, bottom = (int(min(n, np.ceil(c + reach) + 1)) for c, n in zip(center_px, (width, height), strict=True))
    if right - left < 4 or bottom - top < 4:
        return picture_u8, kind_u8
    here, closing = _narrowed(there, here)
    source = _source(there[visible, :2], here[visible, :2], center_px, radius_px, (left, top, right, bottom))
    picture, kind = picture_u8.copy(), kind_u8.copy()
    window = (slice(top, bottom), slice(left, right))
    picture[window] = cv2.remap(picture_u8, source, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    paint_mouth(picture, kind, there, here, after, (center_px, radius_px, R_cam_head), shape)
    for part, share in closing:
        _close(picture, kind, part, share, here, center_px, radius_px)
    return picture, kind


def _narrowed(there, here):
    """Points float [68, 3] in which eyes and mouth that close keep a slit, and [(part, 0..1 how far to paint it shut)].

    Lids and lips that meet would be two places of the photo for one of the picture: the spline answers with both turned
    about, and a wink opens the eye.
    """
    here, closing = here.copy(), []
    for part in (*_EYES, _MOUTH):
        _, upper, lower = part
        upper, lower = list(upper), list(lower)
        open_there = (there[upper] - there[lower])[:, :2].mean(0)
        was = float(np.linalg.norm(open_there))
        now = float((here[upper] - here[lower])[:, :2].mean(0) @ open_there) / max(was, 1e-6)  # < 0: they crossed
        least = _NARROWEST * was
        if now >= least or was <= 0:
            continue
        apart = 0.5 * (there[upper] - there[lower]) * _NARROWEST
        middle = 0.5 * (here[upper] + here[lower])
        here[upper], here[lower] = middle + apart, middle - apart
        closing.append((part, float(np.clip(1.0 - now / least, 0.0, 1.0))))
    return here, closing


def _close(picture, kind, part, share, points, center_px, radius_px) -> None:
    """Paint the slit of an eye or mouth that closes with the skin beside it. Works in place."""
    outline, upper, lower = part
    place = points[:, :2] * radius_px + np.asarray(center_px)
    if (points[outline, 2] > FACING).any():
        return
    height, width = kind.shape
    gap = place[list(upper)] - place[list(lower)]
    if part is _MOUTH:  # the lips themselves
        beside = np.concatenate([place[list(upper)] + 0.6 * gap, place[list(lower)] - 0.6 * gap])
    else:  # skin below the eye: above it are lashes and the brow
        up = gap.mean(0) / max(float(np.linalg.norm(gap.mean(0))), 1e-6)
        beside = place[list(lower)] - _BELOW_EYE * radius_px * up
    column, row = np.rint(beside).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    if not inside.any():
        return
    colour = np.median(picture[row[inside], column[inside]].astype(np.float64), 0)
    cover = covered_u8(place[outline], kind.shape)
    strength = share * cv2.GaussianBlur(cover, (0, 0), max(0.5, 0.03 * radius_px))[..., None] / 255.0
    strength = np.minimum(1.6 * strength, share)
    line = np.zeros((height, width), np.uint8)  # where the lids or lips meet it stays darker
    middle = 0.5 * (place[list(upper)] + place[list(lower)])
    ends = place[[outline.start, outline.start + (outline.stop - outline.start) // 2]]
    path = np.concatenate([ends[:1], middle, ends[1:]])
    cv2.polylines(line, [np.round(path * 16).astype(np.int32)], False, 255, 1, cv2.LINE_AA, shift=4)
    painted = picture * (1 - strength) + colour * strength
    painted *= 1.0 - 0.4 * share * line[..., None] / 255.0
    picture[:] = np.clip(np.round(painted), 0, 255).astype(np.uint8)


def _source(there, here, center_px, radius_px, box) -> np.ndarray:
    """float32 [h, w, 2]: where each pixel of the box comes from."""
    from scipy.interpolate import RBFInterpolator

    angle = 2 * np.pi * np.arange(_RING) / _RING
    ring = _RING_RADII * np.stack([np.cos(angle), np.sin(angle)], -1)
    knots, shift = np.concatenate([here, ring]), np.concatenate([there - here, np.zeros_like(ring)])
    left, top, right, bottom = box
    step = max(1.0, radius_px / _GRID)  # the field is smooth: a coarse grid is enough on large heads
    columns, rows = (max(2, int(np.ceil((end - start) / step)) + 1) for start, end in ((left, right), (top, bottom)))
    x, y = np.meshgrid(np.linspace(left, right - 1, columns), np.linspace(top, bottom - 1, rows))
    places = ((np.stack([x, y], -1) - np.asarray(center_px)) / radius_px).reshape(-1, 2)
    moved = RBFInterpolator(knots, shift, kernel="thin_plate_spline", smoothing=_STIFF)(places)
    fade = np.clip((_RING_RADII - np.hypot(*places.T)) / 0.15, 0.0, 1.0)[:, None]
    coarse = ((moved * fade).reshape(rows, columns, 2) * radius_px).astype(np.float32)
    full_x, full_y = np.meshgrid(
        np.linspace(0, columns - 1, right - left, dtype=np.float32),
        np.linspace(0, rows - 1, bottom - top, dtype=np.float32),
    )
    shifted = cv2.remap(coarse, full_x, full_y, cv2.INTER_LINEAR)  # shifts, not places: OpenCV rounds to 1/32 of a cell
    return shifted + np.stack(np.meshgrid(np.arange(left, right), np.arange(top, bottom)), -1).astype(np.float32)
