"""Things in a hand, and things that stand or pass between the camera and the person. Both go through the z-buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stages.synthetic import raster
from stages.synthetic.assets import Assets
from stages.synthetic.camera import Camera
from stages.synthetic.character import Character
from stages.synthetic.parts import WORLD, Colour, Material, Part, rigid_part
from stages.synthetic.rooms import FABRICS, GREENS, STONES, WALLS, WOODS, linear, one_of
from stages.synthetic.rotation import about
from stages.synthetic.solids import Solid, along, ball, box, joined, moved, tube, turned_solid

HELD_SHARE, OCCLUDER_SHARE = 0.12, 0.08
HELD = ("mug", "phone", "book", "ball", "microphone", "paper")
OCCLUDERS = {
    "portrait": ("pole", "plant", "shoulder", "arm"),
    "half": ("pole", "plant", "table", "shoulder", "arm", "railing"),
    "full": ("pole", "plant", "table", "railing"),
}
GRIP_DEG = {"mug": 52.0, "phone": 42.0, "book": 40.0, "ball": 24.0, "microphone": 58.0, "paper": 46.0}


@dataclass(frozen=True)
class Held:
    """A thing in a hand. parts to add to the person; grip: bone -> f64 [3,3], fingers that close on it."""

    kind: str
    parts: list[Part]
    grip: dict[str, np.ndarray]


NOTHING_HELD = Held("", [], {})


def draw_held(rng: np.random.Generator, person: Character) -> Held:
    """A thing in one hand of 12% of the people; the draws do not depend on the person."""
    holds, kind, side = rng.random() < HELD_SHARE, str(rng.choice(HELD)), str(rng.choice(["L", "R"]))
    colour, other, size = one_of(rng, FABRICS + WALLS), one_of(rng, STONES), rng.uniform(0.85, 1.2)
    return held_thing(person, kind, side, colour, other, size) if holds else NOTHING_HELD


def held_thing(person: Character, kind: str, side: str, colour: Colour, other: Colour, size: float) -> Held:
    """A thing of one kind in the hand of a side (L or R). size: 1 = usual."""
    wrist = person.joint("wrist." + side)
    knuckles = np.stack([person.joint(f"finger{finger}-1.{side}") for finger in (2, 3, 4, 5)])
    forward = _unit(knuckles.mean(0) - wrist)
    out = np.cross(knuckles[3] - wrist, knuckles[0] - wrist) * (1 if side == "L" else -1)
    out = _unit(out)
    across = np.cross(out, forward)  # towards the thumb on the left, away from it on the right
    across = across if across @ (knuckles[0] - knuckles[3]) > 0 else -across
    length = float(np.linalg.norm(knuckles.mean(0) - wrist))
    palm = wrist + forward * length * 0.92 + out * 0.16
    solids = _HELD_SOLIDS[kind](size)
    axes = np.stack([forward, across, out])  # what is made along y lies across the palm, z points out of it
    parts = []
    for number, (solid, lift, first) in enumerate(solids):
        points, surface = joined([moved(solid, palm + out * lift, axes)])
        tint = colour if first else other
        parts.append(
            rigid_part(
                person.assets,
                f"held {kind} {number}",
                points,
                surface,
                Material(raster.PLAIN, "accessories", tint=tint),
                "wrist." + side,
            )
        )
    return Held(kind, parts, _grip(person, side, out, GRIP_DEG[kind]))


def draw_occluder(
    rng: np.random.Generator, assets: Assets, framing: str, camera: Camera, floor_dm: float
) -> list[Part]:
    """Something between the camera and the person in 8% of the clips. floor_dm: y of the soles."""
    there, kind = rng.random() < OCCLUDER_SHARE, str(rng.choice(OCCLUDERS[framing]))
    share, beside, colours = rng.uniform(0.3, 0.62), rng.uniform(-0.9, 0.9), rng.integers(1 << 30)
    if framing == "portrait" and kind in ("pole", "plant"):  # beside the face, not before it for a whole clip
        beside = np.sign(beside or 1.0) * (0.45 + 0.5 * abs(beside))
    return occluder(np.random.default_rng(colours), assets, kind, camera, floor_dm, share, beside) if there else []


def occluder(
    rng: np.random.Generator, assets: Assets, kind: str, camera: Camera, floor_dm: float, share: float, beside: float
) -> list[Part]:
    """A thing of one kind at `share` of the way to the person, `beside` (-1..1) the middle of the picture."""
    view = camera.view(camera.duration_s / 2)
    right, up, backward = view.world_to_view[:3, :3]
    distance = float(np.linalg.norm(camera.target_dm - view.eye_dm)) * share
    half = distance / view.projection[0, 0]  # of the picture's height there
    middle = view.eye_dm - backward * distance
    at = middle + right * beside * half
    upright = np.array([0.0, 1.0, 0.0])
    if kind in ("pole", "plant", "table", "railing"):
        colour = one_of(rng, WOODS + STONES)
    else:
        colour = one_of(rng, FABRICS)
    bottom, top = min(middle[1] - 2 * half, floor_dm), middle[1] + 2 * half
    if kind == "pole":
        solids = [
            along(tube(rng.uniform(0.08, 0.16) * half, 0, top - bottom), [at[0], bottom, at[2]], [at[0], top, at[2]])
        ]
    elif kind == "plant":
        colour = one_of(rng, GREENS)
        solids = _leaves(rng, at - up * half * 0.9, half)
    elif kind == "table":
        height = max(middle[1] - half * rng.uniform(0.45, 0.85), floor_dm + 1)
        flat = np.stack([right, upright, np.cross(right, upright)])
        place = np.array([middle[0], height, middle[2]])
        solids = [moved(box((3 * half, 0.2, 0.45 * half)), place, flat)]
        solids.append(
            moved(ball(0.09 * half, (1, 1.4, 1)), place + right * beside * half * 0.8 + upright * 0.12 * half)
        )
    elif kind == "railing":
        rail, height = 0.05 * half, middle[1] - half * rng.uniform(0.05, 0.5)
        ends = [np.array([*(middle + right * half * s)]) * [1, 0, 1] + [0, height, 0] for s in (-3, 3)]
        solids = [along(tube(rail, 0, 6 * half), *ends)]
        for s in np.linspace(-1.6, 1.6, 7):
            foot = (middle + right * half * (s + 0.1 * beside)) * [1, 0, 1]
            solids.append(along(tube(rail * 0.6, 0, height - bottom), foot + [0, bottom, 0], foot + [0, height, 0]))
    elif kind == "shoulder":  # somebody seen from behind at the edge of the picture
        side = np.sign(beside) or 1.0
        body = middle + right * side * half * 1.15
        axes = np.stack([right, up, backward])
        solids = [moved(ball(0.75 * half, (1.0, 0.9, 0.5)), body - up * half * 0.95, axes)]
        head = moved(ball(0.36 * half, (0.85, 1.15, 0.95)), body + up * half * 0.05, axes)
        hair = linear([(40, 30, 24), (90, 66, 44), (20, 18, 18), (150, 140, 130)][rng.integers(4)])
        return [_standing(assets, kind, solids, colour), _standing(assets, "somebody's head", [head], hair)]
    else:  # an arm with a hand that reaches in from the side
        side = np.sign(beside) or 1.0
        end = middle + right * side * (0.45 + 0.4 * abs(beside)) * half - up * half * 0.25
        start = end + right * side * 1.7 * half - up * half * 0.6
        solids = [along(turned_solid([(0.2 * half, 0), (0.16 * half, np.linalg.norm(end - start))]), start, end)]
        skin = linear([(226, 184, 154), (190, 140, 106), (120, 80, 58), (84, 58, 44)][rng.integers(4)])
        hand = [moved(ball(0.16 * half, (1.0, 0.75, 0.6)), end, np.stack([right, up, backward]))]
        for finger in range(4):
            tip = end - right * side * half * 0.34 + up * half * (0.12 - 0.07 * finger)
            root = end + up * half * (0.07 - 0.045 * finger)
            hand.append(
                along(turned_solid([(0.04 * half, 0), (0.035 * half, 0.3 * half), (1e-3, 0.34 * half)]), root, tip)
            )
        return [_standing(assets, kind, solids, colour), _standing(assets, "somebody's hand", hand, skin)]
    return [_standing(assets, kind, solids, colour)]


def _standing(assets: Assets, name: str, solids: list[Solid], colour: Colour) -> Part:
    points, surface = joined(solids)
    material = Material(raster.PLAIN, "occluder", tint=colour, casts_shadow=False)
    return rigid_part(assets, name, points, surface, material, WORLD)


def _leaves(rng: np.random.Generator, root: np.ndarray, half: float) -> list[Solid]:
    """Blades that bend out of a root, each a thin long ellipsoid."""
    solids = []
    for _ in range(int(rng.integers(8, 18))):
        tip = root + rng.normal(0, [0.55, 0.25, 0.4]) * half + np.array([0, rng.uniform(0.6, 1.7) * half, 0])
        length = float(np.linalg.norm(tip - root))
        blade = ball(0.5, (0.11 * half, length, 0.03 * half))
        solids.append(along(moved(blade, [0, length / 2, 0]), root, tip))
    return solids


def _grip(person: Character, side: str, out: np.ndarray, angle_deg: float) -> dict[str, np.ndarray]:
    """Finger rotations that bend each finger towards the palm, the thumb half as much."""
    grip = {}
    for finger in range(1, 6):
        direction = _unit(person.joint(f"finger{finger}-3.{side}") - person.joint(f"finger{finger}-1.{side}"))
        axis = np.cross(direction, out)
        if np.linalg.norm(axis) < 1e-6:
            continue
        for knuckle, share in ((1, 0.8), (2, 1.0), (3, 0.7)):
            angle = angle_deg * share * (0.35 if finger == 1 else 1.0)
            grip[f"finger{finger}-{knuckle}.{side}"] = about(_unit(axis), angle)
    return grip


def _mug(size: float) -> list:
    profile = [(1e-3, -0.45), (0.38, -0.45), (0.4, -0.42), (0.42, 0.5), (0.37, 0.5), (0.36, -0.3), (1e-3, -0.32)]
    handle = along(tube(0.05, 0, 0.5), np.array([0.55, -0.2, 0.1]), np.array([0.55, 0.3, 0.1]))
    return [(_scaled(turned_solid(profile), size), 0.42 * size, True), (_scaled(handle, size), 0.42 * size, True)]


def _phone(size: float) -> list:
    screen = moved(box((0.36, 0.74, 0.005)), [0, 0, 0.046])
    return [(_scaled(box((0.38, 0.78, 0.04)), size), 0.12, True), (_scaled(screen, size), 0.12, False)]


def _book(size: float) -> list:
    pages = moved(box((0.66, 0.96, 0.1)), [0.04, 0, 0])
    cover = [moved(box((0.7, 1.0, 0.02)), [0, 0, z]) for z in (-0.12, 0.12)]
    return [(_scaled(solid, size), 0.25, True) for solid in cover] + [(_scaled(pages, size), 0.25, False)]


def _ball(size: float) -> list:
    return [(ball(0.55 * size), 0.6 * size, True)]


def _microphone(size: float) -> list:
    return [(_scaled(tube(0.14, -1.0, 0.7), size), 0.22, True), (moved(ball(0.24), [0, 0.85, 0]), 0.22, False)]


def _paper(size: float) -> list:
    return [(moved(box((1.0 * size, 1.4 * size, 0.01)), [0.7, 0.3, 0]), 0.12, False)]


_HELD_SOLIDS = {"mug": _mug, "phone": _phone, "book": _book, "ball": _ball, "microphone": _microphone, "paper": _paper}


def _scaled(solid: Solid, size: float) -> Solid:
    return solid[0] * size, solid[1]


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
