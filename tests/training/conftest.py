"""A small pool and its prepared clips, made once."""

from contextlib import nullcontext

import pytest
import torch

from stages.model.config import PRESETS
from stages.model.vae import CausalVae
from stages.training.pool import Pool, fill_pool
from stages.training.prepare import prepare_clips
from stages.training.variety import PLAIN
from tests.training.fake_people import FakePeople, never


@pytest.fixture(scope="session")
def pool(tmp_path_factory) -> Pool:
    folder = tmp_path_factory.mktemp("pool")
    assert fill_pool(folder, FakePeople(), 4, workers=1, stop=never)
    return Pool(folder, 4)


@pytest.fixture(scope="session")
def vae() -> CausalVae:
    torch.manual_seed(0)
    vae = CausalVae(PRESETS["tiny"].vae)
    vae.start_from_components(torch.randn(2000, 768))
    return vae.eval()


@pytest.fixture(scope="session")
def prepared(pool, vae, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    assert prepare_clips(pool, vae, folder, stop=never, autocast=nullcontext, variety=PLAIN)
    return folder
