"""What I3D is fed under each protocol against what the original codes feed it, at 256 places of the first clip.

goldens.npz, made by the originals as told in test_frechet_of_others.py; DisCo: Wangt-CN/DisCo@ef1e88e make_resizer.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stages.metrics.protocol import load_protocol
from tests.parity.shapes import clips

GOLDENS = Path(__file__).with_name("goldens.npz")

# golden, protocol, metric, greatest difference (inputs are -1..1, one 8-bit level is 0.0078)
INPUTS = [
    ("common_styleganv", "common-metrics", "fvd", 2e-6),
    ("common_videogpt", "common-metrics", "fvd_videogpt", 2e-6),
    ("disco", "disco-2024", "fvd", 2e-6),
    ("tf", "tf-fvd", "fvd", 2e-6),
    ("cdfvd_128", "cdfvd-i3d", "fvd_128", 2e-6),
    ("cdfvd_256", "cdfvd-i3d", "fvd_256", 2e-6),
    ("styleganv_256", "styleganv-fvd2048-16f", "fvd", 2e-6),
]


@pytest.mark.parametrize(("golden", "protocol", "name", "tolerance"), INPUTS)
def test_the_network_is_fed_what_the_original_feeds_it(golden, protocol, name, tolerance):
    (metric,) = [metric for metric in load_protocol(protocol).metrics if metric.name == name]
    real, _ = clips(1)[0]
    window = np.stack([metric.measure.module.prepare(frame, metric.measure.options) for frame in real[:16]])
    places = np.random.default_rng(0).integers(0, (3, 16, 224, 224), (256, 4))
    found = window.transpose(3, 0, 1, 2)[tuple(places.T)]
    with np.load(GOLDENS) as goldens:
        difference = np.abs(found - goldens[f"input_{golden}"])
    assert difference.max() < tolerance, (
        f"{protocol} {name}: inputs differ by at most {difference.max():.2e}, on average {difference.mean():.2e}, "
        f"expected below {tolerance:g}"
    )
