"""The camera's own traces on a finished picture: focus, motion blur, grading, noise, compression; and drawn styles.

A Look holds for a whole clip, so nothing flickers but the noise. It never moves a pixel: the truth stays exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.core.errors import UsageError
from stages.core.rng import numpy_rng
from stages.synthetic import look_kernels
from stages.synthetic.drawn_styles import STYLES, outlines

LOOKS = ("drawn", "plain")
STYLE_SHARES = {"photo": 0.87, "toon": 0.055, "painted": 0.05, "sketch": 0.015, "grey": 0.01}
FOREGROUND_SHARE = 0.75  # of the focus distance: what is nearer is in front of the person and gets blurred
MIN_FLOW_PX = 0.8
METERED_GREY, METERING = 0.45, 0.6  # aim of the automatic exposure, and how much of the way it goes


@dataclass(frozen=True)
class Look:
    """Numbers of one look; lengths in pixels of a 256 px picture, the defaults change nothing.

    style         photo, toon, painted, sketch or grey
    defocus_px    blur (standard deviation) of what is infinitely far behind the person
    shutter       share of the time between frames that the shutter is open, 0..0.5
    gain          exposure and white balance, linear light;  gamma, contrast (0 = none), saturation (1 = as is)
    vignette      0..1 darkening of the corners
    noise         standard deviation in grey levels at middle grey;  grain_px: its size
    soft_px, sharpen  lens blur, then strength of the halo that sharpening leaves;  chroma_px: blur of colour only
    shrink        1, or the share of the resolution that the picture really has
    jpeg          quality 1..100, 0 = uncompressed
    levels        grey levels of a drawn style;  line: strength of its outlines 0..1
    """

    style: str = "photo"
    seed: int = 0
    defocus_px: float = 0.0
    shutter: float = 0.0
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    gamma: float = 1.0
    contrast: float = 0.0
    saturation: float = 1.0
    vignette: float = 0.0
    noise: float = 0.0
    grain_px: float = 0.5
    soft_px: float = 0.0
    sharpen: float = 0.0
    chroma_px: float = 0.0
    shrink: float = 1.0
    jpeg: int = 0
    levels: int = 4
    line: float = 0.8

    def defocused(self, behind_u8: np.ndarray, distance_dm: np.ndarray, focus_dm: float) -> np.ndarray:
        """The background alone out of focus, so that no halo comes from the person.

        behind_u8 [S,S,3];  distance_dm f32 [S,S], inf = infinitely far;  focus_dm distance of the sharp plane
        """
        import cv2

        widest = self.defocus_px * len(behind_u8) / 256
        if widest < 0.3:
            return behind_u8
        blurred = cv2.GaussianBlur(behind_u8, (0, 0), widest)
        if not np.isfinite(distance_dm).any():
            return blurred
        half = cv2.GaussianBlur(behind_u8, (0, 0), widest / 2)
        out = np.empty_like(behind_u8)
        look_kernels.blend_by_distance(behind_u8, half, blurred, distance_dm, np.float32(focus_dm), out)
        return out

    def metered(self, canvas_u8: np.ndarray, part_id: np.ndarray) -> float:
        """What a camera's automatic exposure multiplies linear light by; the person counts as much as all the rest.

        canvas_u8 [C,C,3], part_id [C,C]: of the first frame, and the exposure then stays
        """
        if self == PLAIN:
            return 1.0
        sparse = canvas_u8[4::8, 4::8].mean(2) / 255
        person = part_id[4::8, 4::8] > 0
        mean = sparse.mean() if not person.any() else 0.5 * (sparse.mean() + sparse[person].mean())
        return float(np.clip((METERED_GREY / max(mean, 0.02)) ** (2.2 * METERING), 0.6, 2.2))

    def apply(
        self,
        canvas_u8: np.ndarray,
        depth_m: np.ndarray,
        part_id: np.ndarray,
        flow_px: np.ndarray | None,
        *,
        focus_m: float,
        step: int,
        exposure: float = 1.0,
    ) -> np.ndarray:
        """The canvas as the camera records it, uint8 [C, C, 3]; the input is not changed.

        depth_m   f32 [C,C], inf = background;  part_id u8 [C,C] of MASK_NAMES
        flow_px   f32 [S,S,2] from this frame to the next in picture px, or None: no motion blur
        focus_m   distance of the face;  step: samples per pixel and axis;  exposure: what `metered` gave
        """
        if self == PLAIN:
            return canvas_u8
        if self.defocus_px > 0:
            canvas_u8 = self._foreground_blurred(canvas_u8, depth_m, focus_m)
        if self.shutter > 0 and flow_px is not None:
            canvas_u8 = motion_blurred(canvas_u8, flow_px, self.shutter, step)
        if self.style in STYLES:
            drawn = STYLES[self.style](canvas_u8, self.levels, len(canvas_u8) / 512)
            canvas_u8 = outlines(drawn, depth_m, part_id, self.line if self.style == "toon" else 0.0)
        saturation = 0.0 if self.style == "grey" else self.saturation
        graded = np.empty_like(canvas_u8)
        look_kernels.grade(canvas_u8, self._curves(exposure), np.float32(saturation), np.float32(self.vignette), graded)
        return graded

    def finish(self, frame_u8: np.ndarray, number: int) -> np.ndarray:
        """What happens at the final size: lens, sensor, sharpening, scaling, compression; uint8 [S, S, 3].

        number  of the frame: noise differs from frame to frame, and is the same for the same number
        """
        import cv2

        if self == PLAIN:
            return frame_u8
        size, scale = len(frame_u8), len(frame_u8) / 256
        if self.shrink < 1:
            small = cv2.resize(frame_u8, None, fx=self.shrink, fy=self.shrink, interpolation=cv2.INTER_AREA)
            frame_u8 = cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC)
        if self.soft_px > 0:
            frame_u8 = cv2.GaussianBlur(frame_u8, (0, 0), max(self.soft_px * scale, 0.2))
        if self.chroma_px > 0:
            ycc = cv2.cvtColor(frame_u8, cv2.COLOR_RGB2YCrCb)
            ycc[..., 1:] = cv2.blur(ycc[..., 1:], (2 * round(self.chroma_px * scale) + 1,) * 2)
            frame_u8 = cv2.cvtColor(ycc, cv2.COLOR_YCrCb2RGB)
        if self.noise > 0:
            frame_u8 = self._noisy(frame_u8, number)
        if self.sharpen > 0:
            blurred = cv2.GaussianBlur(frame_u8, (0, 0), max(1.1 * scale, 0.5))
            frame_u8 = cv2.addWeighted(frame_u8, 1 + self.sharpen, blurred, -self.sharpen, 0)
        if self.jpeg:
            _, data = cv2.imencode(".jpg", frame_u8[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.jpeg])
            frame_u8 = np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
        return frame_u8

    def _curves(self, exposure: float) -> np.ndarray:
        """Picture value to picture value for each channel, f32 [3, 256]."""
        linear = (np.arange(256) / 255) ** 2.2
        value = np.clip(linear * exposure * np.array(self.gain)[:, None], 0, 4) ** (self.gamma / 2.2)
        value = np.where(value > 0.8, 0.8 + 0.2 * np.tanh((value - 0.8) / 0.2), value)  # highlights roll off
        bent = value + self.contrast * (value - 0.45) * value * (1 - value) * 4
        return (np.clip(bent, 0, 1) * 255).astype(np.float32)

    def _noisy(self, frame_u8: np.ndarray, number: int) -> np.ndarray:
        import cv2

        size = len(frame_u8)
        rng = numpy_rng(self.seed, "synthetic", "look", f"noise {number}")
        grain = rng.standard_normal((size, size, 2), np.float32)
        if self.grain_px > 0.3:
            grain = cv2.GaussianBlur(grain, (0, 0), self.grain_px)
            grain /= grain.std() + 1e-6
        out = np.empty_like(frame_u8)
        look_kernels.add_noise(frame_u8, grain, np.float32(self.noise), out)
        return out

    def _foreground_blurred(self, canvas_u8: np.ndarray, depth_m: np.ndarray, focus_m: float) -> np.ndarray:
        """What stands well in front of the person, out of focus with a soft edge."""
        import cv2

        near = depth_m < focus_m * FOREGROUND_SHARE
        if not near.any():
            return canvas_u8
        sigma = self.defocus_px * len(canvas_u8) / 256 * min(focus_m / float(np.median(depth_m[near])) - 1, 2.0)
        matte = near.astype(np.float32)
        soft = cv2.GaussianBlur(matte, (0, 0), max(sigma, 0.3))[..., None]
        colour = cv2.GaussianBlur(canvas_u8 * matte[..., None], (0, 0), max(sigma, 0.3))
        filled = np.where(near[..., None], colour / np.maximum(soft, 1e-3), canvas_u8)
        return np.clip(filled * (1 - soft) + colour, 0, 255).astype(np.uint8)


PLAIN = Look()


def draw_look(rng: np.random.Generator, framing: str) -> Look:
    """A random look; portraits are more often before a blurred background."""
    style = str(rng.choice(list(STYLE_SHARES), p=list(STYLE_SHARES.values())))
    sharp_share, low, high = {"portrait": (0.25, 0.8, 7.0), "half": (0.45, 0.6, 3.5), "full": (0.7, 0.5, 1.5)}[framing]
    sharp, blur = rng.random() < sharp_share, float(np.exp(rng.uniform(np.log(low), np.log(high))))
    stops, warm, green = rng.normal(0, 0.28), rng.normal(0, 0.05), rng.normal(0, 0.015)
    gain = 2.0**stops * np.exp(np.array([warm, green, -warm]))
    chances = rng.random(9)
    noise, grain = float(np.clip(rng.lognormal(0.45, 0.6), 0.4, 6)), float(rng.uniform(0.3, 0.8))
    soft, sharpen, chroma = rng.uniform(0.4, 0.9), rng.uniform(0.2, 0.7), rng.uniform(1.0, 2.5)
    shrink, quality = rng.uniform(0.45, 0.85), rng.uniform(62, 95) if chances[0] < 0.75 else rng.uniform(28, 62)
    look = {
        "style": style,
        "seed": int(rng.integers(1 << 31)),
        "defocus_px": 0.0 if sharp else blur,
        "shutter": float(rng.uniform(0.15, 0.5)) if chances[1] < 0.6 else 0.0,
        "gain": tuple(float(value) for value in gain),
        "gamma": float(np.exp(rng.normal(0, 0.07))),
        "contrast": float(rng.normal(0.06, 0.12)),
        "saturation": float(np.clip(rng.normal(1.0, 0.13), 0.4, 1.4)),
        "vignette": float(rng.uniform(0.05, 0.35)) if chances[2] < 0.35 else 0.0,
        "noise": noise if chances[3] < 0.65 else 0.0,
        "grain_px": grain,
        "soft_px": float(soft) if chances[4] < 0.2 else 0.0,
        "sharpen": float(sharpen) if chances[5] < 0.25 else 0.0,
        "chroma_px": float(chroma) if chances[6] < 0.2 else 0.0,
        "shrink": float(shrink) if chances[7] < 0.1 else 1.0,
        "jpeg": int(quality) if chances[8] < 0.55 else 0,
        "levels": int(rng.integers(3, 6)),
        "line": float(rng.uniform(0.5, 1.0)),
    }
    if style not in ("photo", "grey"):  # drawings have no lens and no sensor
        look |= {"noise": 0.0, "soft_px": 0.0, "chroma_px": 0.0, "shutter": 0.0, "sharpen": 0.0}
        look["defocus_px"] *= 0.3
    return Look(**look)


def choose_look(name: str, rng: np.random.Generator, framing: str) -> Look:
    """The look by name: drawn at random, or plain. errors  UsageError: another name"""
    if name not in LOOKS:
        raise UsageError(f"look: found {name!r}, expected one of {', '.join(LOOKS)}")
    return PLAIN if name == "plain" else draw_look(rng, framing)


def motion_blurred(canvas_u8: np.ndarray, flow_px: np.ndarray, shutter: float, step: int) -> np.ndarray:
    """Averaged along the way each place goes while the shutter is open; uint8 [C, C, 3].

    flow_px  f32 [S,S,2] to the next frame;  source: McGuire et al. 2012, with tiles of 8 px
    """

    flow = np.nan_to_num(flow_px.astype(np.float32)) * np.float32(shutter)
    length = np.sqrt((flow * flow).sum(-1))
    if length.max() < MIN_FLOW_PX / 2:
        return canvas_u8
    size = len(flow)
    tiles = -(-size // 8)
    strongest = np.zeros((tiles, tiles, 2), np.float32)
    look_kernels.strongest_in_tiles(flow, length, strongest)
    out = canvas_u8.copy()
    look_kernels.blur_along(canvas_u8, length, strongest, step, np.float32(MIN_FLOW_PX / 2), out)
    return out
