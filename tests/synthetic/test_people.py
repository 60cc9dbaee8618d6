"""Who people are: fixed by the seed, free-eyed, varied, and new in the test split."""

import numpy as np
import pytest

from stages.core.rng import numpy_rng
from stages.synthetic import raster
from stages.synthetic.camera import look_at, perspective
from stages.synthetic.detail import GLYPHS
from stages.synthetic.hair import BAKED_STYLES, STYLES
from stages.synthetic.headwear import GLASSES, HATS
from stages.synthetic.holdout import HELD_OUT, choose
from stages.synthetic.identity import identity
from stages.synthetic.landmarks import landmarks
from stages.synthetic.light import draw_light, place_light
from stages.synthetic.parts import MASK_ID
from stages.synthetic.renderer import Renderer, View
from stages.synthetic.rotation import turn
from stages.synthetic.surface import part_surface
from stages.synthetic.wardrobe import PATTERNS, SETS, SUITS

TEST_SEED = 600_000
CROWD = tuple(range(40, 66))


@pytest.fixture(scope="module")
def crowd(full):
    """Twenty-six people of the training split."""
    return {seed: identity(full, seed) for seed in CROWD}


@pytest.fixture(scope="module")
def newcomers(full):
    """Sixteen people of the test split."""
    return {seed: identity(full, seed) for seed in range(TEST_SEED + 40, TEST_SEED + 56)}


def portrait(person, renderer):
    """Mask of a head from the front, at rest."""
    target = person.joint("head") + np.array([0, 0.5, 0.3])
    eye = target + np.array([0, 0, 14.0])
    view = View(eye, look_at(eye, target), perspective(17.0, 2.0, 26.0), 2.0, 26.0)
    grey = np.full((4, 4, 3), 128, np.uint8)
    renderer.load(person, texture_halvings=3)
    person.pose({}, {}, np.zeros(3))
    light = place_light(draw_light(numpy_rng(0, "test", "light", "key"), outside=False), grey, target, 3.2)
    return renderer.draw(person, view, light).part_id


@pytest.fixture(scope="module")
def masks(full, crowd):
    renderer = Renderer(full, 96)
    return {seed: portrait(person, renderer) for seed, person in crowd.items()}


def worn(person):
    """What of HELD_OUT's families a person wears or carries: (family, item) pairs that can be read off the parts."""
    names = {part.name for part in person.parts}
    found = {("hair", person.about.hair)}
    found |= {("suit", name.removeprefix("clothes/")) for name in names if "suit0" in name}
    found |= {("hat", name.removeprefix("hat/")) for name in names if name.startswith("hat/")}
    found |= {("pattern", part.material.pattern) for part in person.parts if part.material.mask != "skin"}
    found |= {("print", GLYPHS[part.material.glyph]) for part in person.parts if part.material.glyph >= 0}
    dressed = {name.removeprefix("clothes/") for name in names if name.startswith("clothes/")}
    return found | {
        ("set", outfit) for outfit in HELD_OUT["set"] if person.about.outfit == "set" and dressed >= set(outfit)
    }


def held(person):
    return {(family, item) for family, item in worn(person) if item in HELD_OUT[family]}


def test_a_person_does_not_depend_on_who_came_before(full, crowd):
    again = identity(full, CROWD[3])
    first = crowd[CROWD[3]]
    assert again.about == first.about
    for name in ("rest_dm", "surface", "looseness", "rest_corner_dm", "uv"):
        assert getattr(again, name).tobytes() == getattr(first, name).tobytes(), name
    assert [part.material for part in again.parts] == [part.material for part in first.parts]


def test_training_people_have_nothing_that_is_held_out(crowd):
    assert not {seed: held(person) for seed, person in crowd.items() if held(person)}


def test_test_people_have_what_is_held_out(newcomers):
    share = np.mean([bool(held(person)) for person in newcomers.values()])
    assert 0.4 < share < 0.95, f"{share:.2f} of the test people wear something new, expected 0.4 to 0.95"


def test_every_held_out_item_can_be_drawn_and_leaves_others():
    offered = {
        "hair": (*STYLES["male"], *STYLES["female"], *BAKED_STYLES),
        "suit": (*SUITS["male"], *SUITS["female"]),
        "set": (*SETS["male"], *SETS["female"]),
        "pattern": tuple(pattern for family in PATTERNS.values() for pattern in family),
        "print": GLYPHS,
        "hat": HATS,
        "glasses": GLASSES,
    }
    rng = np.random.default_rng(0)
    for family in offered:
        items = HELD_OUT[family]
        assert items < set(offered[family]), f"{family}: {items - set(offered[family])} is offered nowhere"
        for seed in (0, 499_999, 500_000, 599_999):
            assert not {choose(rng, family, offered[family], seed) for _ in range(60)} & items, family
        drawn = [choose(rng, family, offered[family], TEST_SEED) in items for _ in range(400)]
        assert 0.1 < np.mean(drawn) < 0.65, f"{family}: share {np.mean(drawn):.2f}"


def test_hair_and_hats_leave_the_eyes_free(crowd, masks):
    eyes = np.array(
        [
            min((side == MASK_ID["eyes"]).sum() for side in (mask[:, :48], mask[:, 48:]))
            for seed, mask in masks.items()
            if not any(part.name == "lenses" for part in crowd[seed].parts)
        ]
    )
    free = (eyes >= 3).mean()
    assert free >= 0.95, (
        f"both eyes are seen in {free:.2f} of {len(eyes)} people, expected 0.95; samples {sorted(eyes)[:5]}"
    )


def test_hats_and_glasses_are_accessories_of_some(crowd, masks):
    wearing = {
        seed for seed, person in crowd.items() if any(part.material.mask == "accessories" for part in person.parts)
    }
    assert 2 < len(wearing) < 18
    for seed, mask in masks.items():
        assert ((mask == MASK_ID["accessories"]).sum() > 5) == (seed in wearing), seed


def test_heads_stand_over_their_spines(crowd):
    """Hats, glasses and the sphere of the head take the middle of the body for the middle of the head."""
    for seed, person in crowd.items():
        beside = [person.joint(bone)[0] for bone in ("head", "neck01", "spine03", "root")]
        assert np.abs(beside).max() < 0.01, f"{seed}: {np.round(beside, 3)} dm beside the middle, tolerance 0.01"


def test_no_two_are_alike(crowd):
    looks = {
        (person.about.hair, person.about.skin, person.about.outfit, person.parts[1].material.tint)
        for person in crowd.values()
    }
    assert len(looks) == len(crowd)
    heights = np.array([person.height_dm for person in crowd.values()])
    assert heights.min() > 14 and heights.max() < 20.2 and heights.std() > 0.7, heights


def test_cloth_is_laid_out_without_stretch(full, crowd):
    """A decimetre on the body is about a decimetre of cloth, on the flanks and the sleeves too."""
    person = next(person for person in crowd.values() if person.about.outfit == "cut")
    index = next(at for at, part in enumerate(person.parts) if part.name == "shirt")
    first, last = person.part_points[index]
    rest = person._fitted[first:last]
    triangles = person.corner_point[person.part_triangles[index]] - first
    centre = rest[triangles].mean(1)
    drawn = np.empty(len(centre), bool)
    raster.inside_cut(centre, np.array(person.parts[index].material.cut), drawn)
    part = person.parts[index]
    cloth = part_surface(part, rest, triangles, landmarks(full, person.rest_dm))[drawn, :, :2]
    edges = [np.linalg.norm(a[:, 1] - a[:, 0], axis=-1) for a in (cloth, rest[triangles[drawn]])]
    ratio = edges[0] / edges[1]
    low, high = np.quantile(ratio, [0.1, 0.9])
    assert 0.4 < low and high < 2.2, f"a tenth is below {low:.2f} or above {high:.2f}, expected within 0.4 to 2.2"


def test_long_hair_lags_and_short_does_not(crowd):
    long = next(person for person in crowd.values() if person.about.hair in ("hair/long01", "hair/ponytail01"))
    none = next(p for p in crowd.values() if p.looseness.max() == 0)
    assert none.trail_moments == () and len(long.trail_moments) == 3
    turned = {"spine05": turn(0, 40, 0)}
    before = [long.transforms({}, np.zeros(3))] * 3
    long.pose(turned, {}, np.zeros(3))
    stiff = long.position.copy()
    long.pose(turned, {}, np.zeros(3), trail=[long.transforms(turned, np.zeros(3))] * 3)
    assert np.abs(long.position - stiff).max() < 1e-4, "who stood still must not lag"
    long.pose(turned, {}, np.zeros(3), trail=before)
    moved = np.linalg.norm(long.position - stiff, axis=1)
    assert moved.max() > 0.05 and moved[long.looseness == 0].max() == 0
    assert long.looseness.min() >= 0 and long.looseness.max() <= 0.6
