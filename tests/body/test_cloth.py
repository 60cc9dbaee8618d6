"""A shirt behind an arm: its pattern goes on, its shade is that around it, and odd holes do no harm."""

import numpy as np
import pytest

from stages.body.cloth import cloth_gone_on
from stages.body.smooth import gone_on

UNIT = 60.0  # px between the shoulder joints
BROAD = 240.0  # moves are looked for on a smaller picture


def shirt(unit_px, stripe=0.1):
    """A shirt uint8 [H, W, 3] of 1.2 by 1.2 units with slanting stripes, darker below, in a picture of 2 by 2, and
    bool [H, W] where it is."""
    side = round(2 * unit_px)
    y, x = np.mgrid[:side, :side].astype(float)
    bright = np.sin(2 * np.pi * (x + 0.15 * y) / (stripe * unit_px)) > 0
    cloth = np.where(bright[..., None], [210, 60, 70], [60, 30, 40]) * (1.2 - 0.4 * y / side)[..., None]
    worn = (np.abs(x - side / 2) < 0.6 * unit_px) & (np.abs(y - side / 2) < 0.6 * unit_px)
    return np.where(worn[..., None], cloth, [30, 160, 60]).astype(np.uint8), worn


def arm_over(worn, unit_px):
    """bool [H, W]: a forearm across the shirt."""
    y, x = np.mgrid[: worn.shape[0], : worn.shape[1]]
    return worn & (np.abs(y - x - 0.1 * unit_px) < 0.18 * unit_px)


def dressed(truth, worn, arm, unit_px, skin=(230, 180, 150)):
    """The shirt's layer, made of a picture in which the arm hides a part of it: as it was, and with cloth."""
    picture = np.where(arm[..., None], skin, truth).astype(np.uint8)
    smeared = gone_on(picture, worn & ~arm)
    return smeared, cloth_gone_on(picture, smeared, worn & ~arm, arm, unit_px)


def off(made, truth, where):
    return np.abs(made.astype(float) - truth)[where].mean()


def contrast(picture, where):
    return np.abs(np.diff(picture.astype(float).mean(-1), axis=1))[where[:, 1:]].mean()


@pytest.mark.parametrize("unit_px", [UNIT, BROAD])
def test_stripes_go_on_behind_the_arm(unit_px):
    truth, worn = shirt(unit_px)
    arm = arm_over(worn, unit_px)
    smeared, made = dressed(truth, worn, arm, unit_px)
    assert off(made, truth, arm) < 0.5 * off(smeared, truth, arm)
    assert contrast(made, arm) > 0.7 * contrast(truth, arm) > contrast(smeared, arm)
    shade = [made.astype(float)[arm & half].mean() / truth.astype(float)[arm & half].mean() for half in halves(worn)]
    assert np.allclose(shade, 1.0, atol=0.08), "as bright above and below as the shirt is"


def halves(worn):
    y = np.arange(worn.shape[0])[:, None]
    return worn & (y < worn.shape[0] / 2), worn & (y >= worn.shape[0] / 2)


def test_a_plain_shirt_stays_plain():
    truth, worn = shirt(UNIT)
    truth[worn] = (90, 120, 200)
    arm = arm_over(worn, UNIT)
    assert np.array_equal(dressed(truth, worn, arm, UNIT)[1][worn], truth[worn])


def test_what_the_arm_looks_like_does_not_matter():
    truth, worn = shirt(UNIT)
    arm = arm_over(worn, UNIT)
    one, other = (dressed(truth, worn, arm, UNIT, skin)[1][arm] for skin in ((0, 0, 0), (255, 255, 255)))
    assert np.array_equal(one, other)


def test_the_arms_rim_on_the_shirt_is_not_copied():
    """What an arm colours of the cloth beside it is made up too."""
    truth, worn = shirt(UNIT)
    truth[worn] = (90, 120, 200)
    arm = arm_over(worn, UNIT)
    picture = truth.copy()
    y, x = np.mgrid[: worn.shape[0], : worn.shape[1]]
    rim = worn & ~arm & (np.abs(y - x - 0.1 * UNIT) < 0.18 * UNIT + 1.5)
    picture[rim] = (160, 150, 175)
    assert rim.sum() > 100
    made = cloth_gone_on(picture, gone_on(picture, worn & ~arm), worn & ~arm, arm, UNIT)
    assert off(made, truth, (arm | rim) & worn) < 2.0


@pytest.mark.parametrize("kind", ["no hole", "all hidden", "a thread"])
def test_where_nothing_can_be_told_the_layer_stays(kind):
    truth, worn = shirt(UNIT)
    arm = {"no hole": np.zeros_like(worn), "all hidden": worn, "a thread": worn.copy()}[kind]
    if kind == "a thread":
        arm[:, worn.any(0).argmax() : worn.any(0).argmax() + 2] = False
    smeared, made = dressed(truth, worn, arm, UNIT)
    assert np.array_equal(made, smeared)
