import hashlib

import pytest

from stages.core.errors import WeightsError
from stages.weights import GIVEN, describe, is_here, resolve


def test_a_network_of_the_users_own_is_found_by_its_variable(tmp_path, monkeypatch):
    (name, given), file = next(iter(GIVEN.items())), tmp_path / "net.model"
    monkeypatch.delenv(given.variable, raising=False)
    assert not is_here(name) and describe(name)["sha256"] == "absent"
    with pytest.raises(WeightsError, match=f"{name}: weights not at hand, .*Set {given.variable} to"):
        resolve(name)
    monkeypatch.setenv(given.variable, str(file))
    with pytest.raises(WeightsError, match="net.model is not a file"):
        resolve(name)
    for content in (b"one", b"another"):  # the checksum follows the file
        file.write_bytes(content)
        assert resolve(name) == file and is_here(name)
        assert describe(name)["sha256"] == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_state_dict_with_its_metadata_is_read(tmp_path, as_zip):
    """An OrderedDict of torch carries `_metadata` besides its items: the reader failed on every such file."""
    import numpy as np
    import torch

    from stages.weights.unpickle import read_arrays

    state = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).state_dict()
    torch.save(state, tmp_path / "net.model", _use_new_zipfile_serialization=as_zip)
    arrays = read_arrays(tmp_path / "net.model")
    assert list(arrays) == list(state)
    assert all(np.array_equal(arrays[name], state[name].numpy()) for name in state)
