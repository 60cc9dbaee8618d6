"""The torch renderer draws what the numba renderer draws, on the CPU here and on a GPU where there is one."""

import numpy as np
import pytest

from stages.synthetic.clip import Studio
from stages.synthetic.seeds import ClipSeeds

torch = pytest.importorskip("torch")
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("framing", ["portrait", "half", "full"])
def test_both_renderers_draw_the_same_clip(full, device, framing):
    made = [
        Studio(full, 64, device=where).clip(ClipSeeds.of(600_007), frames=2, framing=framing, look="plain")
        for where in ("", device)
    ]
    one, other = made
    assert (one.mask > 0).mean() > 0.02
    differing = (one.mask != other.mask).mean()
    off = np.abs(one.frames_u8.astype(int) - other.frames_u8)
    print(f"mask differs in {differing:.2e} of the pixels; picture by {off.mean():.4f} on average, at most {off.max()}")
    assert differing < 1e-3
    assert off.mean() < 0.02
    np.testing.assert_array_equal(one.joints_px, other.joints_px)
