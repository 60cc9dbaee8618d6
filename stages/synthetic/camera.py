"""Where the camera stands for a portrait, half or full body, how it moves, and its intrinsics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic.body_motion import Motion
from stages.synthetic.character import BODY_VERTICES, Character
from stages.synthetic.renderer import View
from stages.synthetic.rotation import turn
from stages.synthetic.tracks import LEAD_S, RATE_HZ, ease, noise, rows_at

FRAMINGS = ("full", "half", "portrait")
FRAMING_SHARES = (0.25, 0.35, 0.40)
MOVES = ("still", "handheld", "pan", "dolly", "orbit")
MOVE_SHARES = (0.45, 0.27, 0.08, 0.1, 0.1)
FOLLOW_SHARE = {"full": 0.5, "half": 0.8, "portrait": 0.35}
NEAREST_HAND = 0.36  # share of the camera's distance that a wrist may come forward in a portrait
NEAREST_TIP = 0.55  # and any finger tip
STAYS_DM = 2.0  # a head that moves further than this is followed in portraits
MOST_FOR_HANDS = 1.3  # how much further back a half body is seen from so that raised hands stay in


@dataclass(frozen=True)
class CameraDraw:
    """Random numbers of one camera, before a person stands in front of it.

    span         portraits: visible height in decimetres; else: visible height over the height that must be seen
    azimuth_deg, elevation_deg, roll_deg  of the eye; place_share [2]: where in the room left over the person stands
    move         of MOVES;  amount, shake_seed: how it moves;  follows: the eye goes with the person
    """

    framing: str
    fov_deg: float
    span: float
    azimuth_deg: float
    elevation_deg: float
    roll_deg: float
    place_share: np.ndarray
    rise_dm: float
    move: str
    amount: np.ndarray
    shake_seed: int
    follows: bool

    def span_dm(self, character: Character) -> float:
        """Visible height at the person, decimetres, as long as nothing needs more."""
        top, bottom, hip = _marks(character)
        return {"portrait": 1.0, "half": top - hip, "full": top - bottom}[self.framing] * self.span

    def distance_dm(self, character: Character) -> float:
        """From the eye to the middle of the picture, decimetres, as long as nothing needs more."""
        return self.span_dm(character) / 2 / float(np.tan(np.radians(self.fov_deg) / 2))


@dataclass(frozen=True)
class Camera:
    """A placed camera; a view is a function of the time and nothing else.

    table     f64 [T, 9] at tracks.sample_times: target, eye, and the turn of the picture (pitch, yaw, roll, degrees)
    near_dm, far_dm  the person lies between them at every time
    """

    fov_deg: float
    table: np.ndarray
    near_dm: float
    far_dm: float
    duration_s: float

    @property
    def moves(self) -> bool:
        """True when the view changes over time."""
        return bool(np.ptp(self.table, axis=0).max() > 1e-9)

    @property
    def target_dm(self) -> np.ndarray:
        """What the camera looks at in the middle of the motion, world f64 [3]."""
        return rows_at(self.table, self.duration_s / 2)[:3]

    @property
    def eye_dm(self) -> np.ndarray:
        """The eye in the middle of the motion, world f64 [3]."""
        return rows_at(self.table, self.duration_s / 2)[3:6]

    def view(self, time_s: float) -> View:
        """The camera at a time. For rays use view.world_to_view: the picture may be rolled."""
        row = rows_at(self.table, time_s)
        eye = row[3:6]
        rolled = np.eye(4)
        rolled[:3, :3] = turn(*row[6:])
        matrix = rolled @ look_at(eye, row[:3])
        return View(eye, matrix, perspective(self.fov_deg, self.near_dm, self.far_dm), self.near_dm, self.far_dm)

    def K_px(self, size: int) -> np.ndarray:
        """Intrinsics f64 [3, 3]; the centre of the top-left pixel is (0, 0)."""
        focal = size / 2 / np.tan(np.radians(self.fov_deg) / 2)
        return np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1.0]])


def still_camera(fov_deg: float, target_dm: np.ndarray, eye_dm: np.ndarray) -> Camera:
    """A camera that stands still without roll; sees from 12 dm before its target to 14 dm behind it."""
    distance = float(np.linalg.norm(target_dm - eye_dm))
    row = np.concatenate([target_dm, eye_dm, np.zeros(3)])
    return Camera(fov_deg, np.stack([row, row]), max(distance - 12, 1.0), distance + 14, 0.0)


def draw_camera(rng: np.random.Generator, framing: str) -> CameraDraw:
    """Random camera numbers. framing: portrait, half, full, or mix for 40% / 35% / 25%."""
    drawn = str(rng.choice(FRAMINGS, p=FRAMING_SHARES))
    framing = drawn if framing == "mix" else framing
    low, high = {"portrait": (3.4, 5.8), "half": (1.1, 1.4), "full": (1.03, 1.22)}[framing]
    azimuth = rng.normal(0, 18) if rng.random() < (0.78 if framing == "portrait" else 0.65) else rng.uniform(-60, 60)
    elevation = rng.normal(3, 6) if rng.random() < 0.85 else rng.uniform(-15, 35)
    return CameraDraw(
        framing=framing,
        fov_deg=float(np.exp(rng.uniform(np.log(16), np.log(42)))),
        span=float(rng.uniform(low, high)),
        azimuth_deg=float(np.clip(azimuth, -60, 60)),
        elevation_deg=float(np.clip(elevation, -15, 35)),
        roll_deg=float(rng.normal(0, 5 if rng.random() < 0.12 else 1.0)),
        place_share=np.clip(rng.normal(0, 0.35, 2), -0.8, 0.8),
        rise_dm=float(-0.15 + rng.normal(0, 0.12)) if framing == "portrait" else 0.0,
        move=str(rng.choice(MOVES, p=MOVE_SHARES)),
        amount=rng.normal(0, 1, 3),
        shake_seed=int(rng.integers(2**31)),
        follows=bool(rng.random() < FOLLOW_SHARE[framing]),
    )


def place_camera(draw: CameraDraw, character: Character, motion: Motion, duration_s: float) -> Camera:
    """The camera for a moving person: as far away as it takes to keep in the picture what the framing promises.

    full: head, hands and feet at all times; half: head to hips, hands as far as MOST_FOR_HANDS allows; portrait: head.
    A camera that follows goes along with the person, smoothly and without turning.
    """
    points, radii, groups = _outline(motion)
    times = -LEAD_S + np.arange(len(points)) / RATE_HZ
    target = _target(draw, points, groups, duration_s)
    azimuth, elevation, further, turned = _moving(draw, times, duration_s)
    azimuth_rad, elevation_rad = np.radians(draw.azimuth_deg + azimuth), np.radians(draw.elevation_deg + elevation)
    towards = np.stack(
        [
            np.sin(azimuth_rad) * np.cos(elevation_rad),
            np.sin(elevation_rad),
            np.cos(azimuth_rad) * np.cos(elevation_rad),
        ],
        axis=-1,
    )
    right = np.stack([np.cos(azimuth_rad), 0 * azimuth_rad, -np.sin(azimuth_rad)], axis=-1)
    up = np.cross(towards, right)
    seen = (times >= 0) & (times <= duration_s + 0.05)
    relative = points - target[:, None]
    across, above, nearer = (np.einsum("tnk,tk->tn", relative, axis) for axis in (right, up, towards))
    half_view = float(np.tan(np.radians(draw.fov_deg) / 2))
    shake = np.abs(np.radians(turned[seen][:, :2])).max() + 0.7 * abs(np.sin(np.radians(draw.roll_deg))) * half_view
    needed = [at for at, group in enumerate(groups) if group in _PROMISED[draw.framing]]
    picked = [array[seen][:, needed] for array in (across, above, nearer)]
    room = half_view / (draw.span if draw.framing != "portrait" else 1.08) - shake
    middle, distance = _fit(*picked, radii[needed], max(room, 0.3 * half_view))
    if draw.framing == "half":
        wished = [at for at, group in enumerate(groups) if group != "legs"]
        wide, far = _fit(
            *(array[seen][:, wished] for array in (across, above, nearer)), radii[wished], half_view - shake
        )
        share = min(1.0, (MOST_FOR_HANDS - 1) * distance / max(far - distance, 1e-6)) if far > distance else 0.0
        middle, distance = middle + share * (wide - middle), distance + share * max(far - distance, 0.0)
    if draw.framing == "portrait":
        distance = max(distance, draw.distance_dm(character))
        middle = middle + np.array([0.0, draw.rise_dm])
        hands = [at for at, group in enumerate(groups) if group == "hands"]
        distance = max(distance, float(nearer[seen][:, hands].max()) / NEAREST_TIP)
    free = (half_view - room) * distance * (0.5 if draw.framing == "portrait" else 0.8)
    middle = middle + draw.place_share * max(free, 0.0) * np.array([1.0, 0.3 if draw.framing == "portrait" else 0.8])
    target = target + right * middle[0] + up * middle[1]
    far_off = distance * (1 + further)
    eye = target + towards * far_off[:, None]
    nearer_now = np.einsum("tnk,tk->tn", points - target[:, None], towards)
    near = float((far_off - nearer_now.max(1)).min()) - 3.5
    far = float((far_off - nearer_now.min(1)).max()) + 6.0
    turned[:, 2] += draw.roll_deg
    table = np.concatenate([target, eye, turned], axis=1)
    return Camera(draw.fov_deg, table, max(near, 0.4), far, duration_s)


_PROMISED = {"full": ("head", "trunk", "hands", "legs"), "half": ("head", "trunk"), "portrait": ("head",)}


def _outline(motion: Motion) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Points on bones f64 [T, N, 3], how far flesh and cloth reach around each [N], and the part each belongs to."""
    table: list[tuple[str, bool, float, str]] = [("head", True, 0.75, "head"), ("jaw", True, 0.3, "head")]
    table += [("head", False, 1.15, "head"), ("neck01", False, 0.6, "head"), ("root", False, 1.0, "trunk")]
    for side in ("L", "R"):
        table += [
            ("eye." + side, True, 0.6, "head"), ("upperarm01." + side, False, 0.75, "trunk"),
            ("upperleg01." + side, False, 1.0, "trunk"), ("lowerarm01." + side, False, 0.6, "hands"),
            ("wrist." + side, False, 0.5, "hands"), ("finger3-3." + side, True, 0.3, "hands"),
            ("finger1-3." + side, True, 0.3, "hands"), ("lowerleg01." + side, False, 0.8, "legs"),
            ("foot." + side, False, 0.8, "legs"), ("toe2-3." + side, True, 0.5, "legs"),
        ]  # fmt: skip
    every = 4
    coarse = motion.joints_dm([(name, tail) for name, tail, _, _ in table], every)
    rows = len(motion.plan.time_s)
    at = np.minimum(np.arange(rows) / every, len(coarse) - 1.0)
    low = np.minimum(at.astype(int), len(coarse) - 2)
    share = (at - low)[:, None, None]
    points = coarse[low] * (1 - share) + coarse[low + 1] * share
    return points, np.array([row[2] for row in table]), [row[3] for row in table]


def _target(draw: CameraDraw, points: np.ndarray, groups: list[str], duration_s: float) -> np.ndarray:
    """What the eye goes along with, f64 [T, 3]: the middle of the range, or a calm version of the person's own way."""
    from scipy.ndimage import gaussian_filter1d

    own = points[
        :, [at for at, group in enumerate(groups) if group == ("head" if draw.framing == "portrait" else "trunk")]
    ]
    own = own.mean(1)
    first, last = int(LEAD_S * RATE_HZ), int((LEAD_S + duration_s) * RATE_HZ) + 1
    seen = own[first:last]
    far_goes = draw.framing == "portrait" and np.ptp(seen, axis=0).max() > STAYS_DM  # sits down, walks
    if not (draw.follows or far_goes):
        return np.broadcast_to((seen.min(0) + seen.max(0)) / 2, own.shape).copy()
    calm = gaussian_filter1d(own, 0.4 * RATE_HZ, axis=0, mode="nearest")
    if draw.framing == "full":
        calm[:, 1] = calm[:, 1].mean()
    return calm


def _moving(draw: CameraDraw, times: np.ndarray, duration_s: float) -> tuple[np.ndarray, ...]:
    """Azimuth and elevation added [T] degrees, share of the distance added [T], turn of the picture [T, 3] degrees."""
    zero = np.zeros(len(times))
    turned = np.zeros((len(times), 3))
    progress = ease((times + 0.5) / (duration_s + 1.0)) - 0.5
    if draw.move == "handheld":
        size = np.clip(0.5 + 0.3 * np.abs(draw.amount[0]), 0.5, 1.5) * draw.fov_deg / 30
        rng = np.random.Generator(np.random.PCG64(draw.shake_seed))
        turned = noise(rng, times, 3, np.array([0.35, 0.4, 0.3]) * size, 0.45)
        turned += noise(rng, times, 3, np.array([0.06, 0.06, 0.05]) * size, 3.0)
    elif draw.move == "pan":
        turned[:, 1] = np.clip(draw.amount[0], -1.5, 1.5) * 0.035 * draw.fov_deg * 2 * progress
        turned[:, 0] = np.clip(draw.amount[1], -1.5, 1.5) * 0.02 * draw.fov_deg * 2 * progress
    elif draw.move == "dolly":
        change = np.clip(0.1 * draw.amount[0], -0.25, 0.25)
        return zero, zero, np.abs(change) * (0.5 + np.sign(change) * progress), turned
    elif draw.move == "orbit":
        return np.clip(10 * draw.amount[0], -22, 22) * progress, 3 * draw.amount[1] * progress, zero, turned
    return zero, zero, zero, turned


def _fit(across: np.ndarray, above: np.ndarray, nearer: np.ndarray, radii: np.ndarray, room: float):
    """Middle f64 [2] and distance that bring points [T, N] within +- room (a slope); radii [N] around the points."""
    middle = np.array([(array.min() + array.max()) / 2 for array in (across, above)])
    distance = 0.0
    for _ in range(3):
        off = [np.abs(array - centre) + radii for array, centre in zip((across, above), middle, strict=True)]
        distance = float(max((gap / room + nearer).max() for gap in off))
        depth = np.maximum(distance - nearer, 1.0)
        for at, array in enumerate((across, above)):
            high, low = (array - middle[at] + radii) / depth, (array - middle[at] - radii) / depth
            middle[at] += (high.max() + low.min()) / 2 * distance
    off = [np.abs(array - centre) + radii for array, centre in zip((across, above), middle, strict=True)]
    return middle, float(max((gap / room + nearer).max() for gap in off))


def perspective(fov_deg: float, near: float, far: float) -> np.ndarray:
    """Square OpenGL projection, f64 [4, 4]."""
    focal = 1 / np.tan(np.radians(fov_deg) / 2)
    return np.array(
        [
            [focal, 0, 0, 0],
            [0, focal, 0, 0],
            [0, 0, (far + near) / (near - far), 2 * far * near / (near - far)],
            [0, 0, -1, 0],
        ]
    )


def orthographic(extent: float, near: float, far: float) -> np.ndarray:
    """Square parallel projection of +-extent, f64 [4, 4]."""
    return np.array(
        [
            [1 / extent, 0, 0, 0],
            [0, 1 / extent, 0, 0],
            [0, 0, -2 / (far - near), -(far + near) / (far - near)],
            [0, 0, 0, 1.0],
        ]
    )


def look_at(eye: np.ndarray, target: np.ndarray) -> np.ndarray:
    """World to view with y up and the view looking along -z, f64 [4, 4]."""
    forward = target - eye
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(right, forward), -forward])
    matrix = np.eye(4)
    matrix[:3, :3] = rows
    matrix[:3, 3] = -rows @ eye
    return matrix


def _marks(character: Character) -> tuple[float, float, float]:
    """Crown, sole and hip heights at rest, decimetres."""
    body_y = character.rest_dm[:BODY_VERTICES, 1]
    return float(body_y.max()), float(body_y.min()), float(character.joint("upperleg01.L")[1])
