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
