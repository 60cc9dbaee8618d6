"""Pickled weights: arrays come out, and nothing a file asks for is called."""

import collections
import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from stages.core.errors import WeightsError
from stages.weights import unpickle
from stages.weights.unpickle import read_arrays


class Calls:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def tripwire(path):
    return f"touch {path}"


HOSTILE = {
    "os.system": lambda trap: pickle.dumps(Calls(os.system, tripwire(trap)), 2),
    "builtins.eval": lambda trap: pickle.dumps(Calls(eval, f"open({str(trap)!r}, 'w')"), 4),
    "nested in a dict beside arrays": lambda trap: pickle.dumps(
        {"a": np.zeros(3, np.float32), "b": [{"c": Calls(exec, f"open({str(trap)!r}, 'w')")}]}, 4
    ),
    "memo and STACK_GLOBAL": lambda trap: (
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c"
        + bytes([len(tripwire(trap))])
        + tripwire(trap).encode()
        + b"\x85R."
    ),
    "INST": lambda trap: b"(S'" + tripwire(trap).encode() + b"'\nios\nsystem\n.",
    "numpy's own loader": lambda trap: pickle.dumps(Calls(np.load, str(trap)), 4),
    "getattr chain": lambda trap: pickle.dumps(Calls(getattr, np.zeros(1), "tofile"), 4),
    "numpy array of objects": lambda trap: pickle.dumps(np.array([Calls(os.system, tripwire(trap))], object), 4),
    "attribute of an allowed module": lambda trap: b"\x80\x04cnumpy\nndarray.tofile\n.",
    "numpy.testing._private.utils.runstring": lambda trap: b"\x80\x04cnumpy.testing._private.utils\nrunstring\n.",
    "a call of a stand-in's method": lambda trap: b"\x80\x04c_codecs\ndecode\n.",
    "persistent id": lambda trap: b"\x80\x04\x8c\x04diskQ.",
    "extension registry": lambda trap: b"\x80\x04\x82\x01.",
    "cut off": lambda trap: pickle.dumps({"a": np.zeros(99)}, 4)[:-50],
    "not a pickle": lambda trap: b"<html>404</html>",
    "empty": lambda trap: b"",
    "a list that holds itself": lambda trap: b"\x80\x04]\x94h\x00a.",
    "a tree that doubles 60 times": lambda trap: (
        b"\x80\x04]\x94" + b"".join(b"h%ch%c\x86\x94" % (n, n) for n in range(60)) + b"."
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_in_one_line(name, tmp_path):
    trap = tmp_path / "trap"
    file = tmp_path / "weights.ckpt"
    file.write_bytes(HOSTILE[name](trap))
    with pytest.raises(WeightsError) as caught:
        read_arrays(file)
    assert not trap.exists()
    assert "\n" not in str(caught.value) and str(file) in str(caught.value) and "Not used" in str(caught.value)


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "nested in a dict beside arrays", "INST"])
def test_hostile_pickles_inside_torch_files_are_refused(name, tmp_path):
    trap, file = tmp_path / "trap", tmp_path / "net.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("net/data.pkl", HOSTILE[name](trap))
        archive.writestr("net/version", b"3\n")
    with pytest.raises(WeightsError, match="asks for"):
        read_arrays(file)
    old = tmp_path / "old.pth"
    stream = io.BytesIO()
    for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
        pickle.dump(head, stream, 2)
    old.write_bytes(stream.getvalue() + HOSTILE[name](trap))
    with pytest.raises(WeightsError, match="asks for"):
        read_arrays(old)
    assert not trap.exists()


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_numpy_arrays_come_back(protocol, tmp_path):
    rng = np.random.default_rng(0)
    tree = {
        "params": {"a": rng.normal(size=(3, 4)).astype(np.float32), "b": [np.arange(5), np.float64(2.5)]},
        "fortran": np.asfortranarray(rng.normal(size=(2, 3, 4))),
        "half": np.ones((2, 2), np.float16),
        "empty": np.zeros((0, 3), np.float32),
        "big-endian": np.arange(4, dtype=">i4"),
        "words": "not an array",
    }
    file = tmp_path / "weights.ckpt"
    file.write_bytes(pickle.dumps(tree, protocol))
    found = read_arrays(file)
    expected = {
        "params.a": tree["params"]["a"],
        "params.b.0": tree["params"]["b"][0],
        "params.b.1": np.asarray(2.5),
        **{name: tree[name] for name in ("fortran", "half", "empty", "big-endian")},
    }
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array), name


@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_come_back(zipped, tmp_path):
    shared = torch.arange(24.0)
    tree = collections.OrderedDict(
        weight=torch.nn.Parameter(shared.reshape(4, 6).T),
        part=shared[3:9],
        count=torch.tensor(7),
        flags=torch.ones(3) > 0,
    )
    file = tmp_path / "net.pth"
    torch.save({"state": tree, "epoch": 3}, file, _use_new_zipfile_serialization=zipped)
    found = read_arrays(file)
    assert list(found) == [f"state.{name}" for name in tree]
    for name, tensor in tree.items():
        assert np.array_equal(found[f"state.{name}"], tensor.detach().numpy()), name


def test_torchscript_archives_come_back(tmp_path):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 3, 3)
            self.sizes = [1, 2]

        def forward(self, x):
            return self.conv(x) + self.sizes[0]

    net = Net()
    with pytest.warns(DeprecationWarning):
        torch.jit.save(torch.jit.script(net), tmp_path / "net.pt")
    found = read_arrays(tmp_path / "net.pt")
    assert {name: array.shape for name, array in found.items()} == {"conv.weight": (3, 2, 3, 3), "conv.bias": (3,)}
    assert np.array_equal(found["conv.weight"], net.conv.weight.detach().numpy())


def test_a_tensor_beyond_its_storage_is_refused(tmp_path):
    file = tmp_path / "net.pt"
    torch.save({"a": torch.arange(4.0)}, file)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    (key,) = [name for name in parts if name.endswith("data.pkl")]
    longer = parts[key].replace(b"K\x04\x85", b"K\x40\x85")  # the tensor's shape: 64 instead of 4
    assert longer != parts[key]
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, longer if name == key else data)
    with pytest.raises(WeightsError, match="beyond its storage"):
        read_arrays(file)


def test_files_too_large_or_missing(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="cannot be read"):
        read_arrays(tmp_path / "nothing.ckpt")
    file = tmp_path / "a.ckpt"
    file.write_bytes(pickle.dumps(np.zeros(9)))
    monkeypatch.setattr(unpickle, "MAX_FILE_BYTES", 10)
    with pytest.raises(WeightsError, match="GiB"):
        read_arrays(file)


def test_damaged_files_give_arrays_or_one_line_and_never_more(tmp_path):
    """800 files with a few bytes changed, of all three formats."""
    rng = np.random.default_rng(11)
    tree = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": {"c": np.ones(3, np.int64)}}
    torch.save({"a": torch.arange(6.0), "b": torch.ones(2, 3)}, tmp_path / "new")
    torch.save({"a": torch.arange(6.0)}, tmp_path / "old", _use_new_zipfile_serialization=False)
    originals = [pickle.dumps(tree, 2), pickle.dumps(tree, 5), *((tmp_path / n).read_bytes() for n in ("new", "old"))]
    refused, file = 0, tmp_path / "file"
    for number in range(800):
        data = bytearray(originals[number % 4])
        for place in rng.integers(0, len(data), 1 + number % 5):
            data[place] = rng.integers(256)
        file.write_bytes(data)
        try:
            assert all(isinstance(array, np.ndarray) for array in read_arrays(file).values())
        except WeightsError as error:
            refused += 1
            assert "\n" not in str(error)
    assert 100 < refused < 800, refused
