"""Crash-safe placing: locks, hidden build directories, fsync and atomic renames. Nothing here knows about arrays."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

from stages.core.errors import ResourceError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # Linux renameat2(2) and, by coincidence, macOS renamex_np(2) RENAME_SWAP
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def bundle_lock(path: Path) -> Iterator[None]:
    """Hold the lock of a bundle (a hidden file beside it) while the block runs; waits for other processes.

    The file is removed on release. Whoever waited on a removed file notices (its inode is gone) and starts over.
    """
    lock = _Lock(path.parent / f".{path.name}.lock")
    try:
        lock.acquire()
        yield
    finally:
        lock.release()


class _Lock:
    """A locked file that is removed on release; also when a signal raises in the middle of taking or releasing it."""

    _handle = -1

    def __init__(self, path: Path) -> None:
        self._path = path

    def acquire(self) -> None:
        while not self._is_ours():
            self._close()
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._handle, fcntl.LOCK_EX)

    def release(self) -> None:
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # a signal may have come before we had it
                if self._is_ours():
                    self._path.unlink()
            self._close()

    __del__ = release  # a signal that raises inside `release` leaves it undone

    def _is_ours(self) -> bool:
        """The file by this name is the one that we opened, not one that its last owner has removed since."""
        if self._handle < 0:
            return False
        try:
            here, there = os.fstat(self._handle), os.stat(self._path)
        except FileNotFoundError:
            return False
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def _close(self) -> None:
        if self._handle >= 0:
            handle, self._handle = self._handle, -1
            os.close(handle)


class BuildDirectory:
    """A hidden directory beside the bundle, owned by this process until closed.

    `.NAME.zarr.LAYER.PID-RANDOM/` holds `owner` (locked while the process lives; the kernel drops the lock when it
    dies, on whatever machine) and `store/`, a complete bundle with only the new layer.
    """

    def __init__(self, path: Path, layer: str) -> None:
        self.path = path.parent / f".{path.name}.{layer}.{os.getpid()}-{secrets.token_hex(4)}"
        self._owner = -1
        # Before the directory is there: a signal may raise between any two lines from here on, also in the caller
        # before it holds this object; what is left is then removed when the object or the process ends.
        self._remove = weakref.finalize(self, _remove_own, self.path, os.getpid())
        with bundle_lock(path):
            remove_stale(path)
            self.path.mkdir()
            self._owner = os.open(self.path / "owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._owner, fcntl.LOCK_EX)
        self.store = self.path / "store"
        (self.store / layer).mkdir(parents=True)

    def close(self) -> None:
        """Remove the directory and give up the lock; safe to call twice."""
        self._remove()
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1


def _remove_own(path: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child leaves its parent's directory alone
        shutil.rmtree(path, ignore_errors=True)


def remove_stale(path: Path) -> int:
    """The number of hidden build directories of dead processes that were removed. Call it under `bundle_lock`."""
    removed = 0
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[a-z][a-z0-9_]*\.\d+-[0-9a-f]{{8}}")
    for entry in list(path.parent.iterdir()):
        if not pattern.fullmatch(entry.name) or not entry.is_dir():
            continue
        try:
            handle = os.open(entry / "owner", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            handle = -1  # killed between mkdir and open; both happen under the lock that we hold now
        except OSError:
            continue
        try:
            if handle >= 0:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            shutil.rmtree(entry, ignore_errors=True)
            removed += 1
        finally:
            if handle >= 0:
                os.close(handle)
    return removed


def sync_tree(folder: Path) -> None:
    """Return when every file and directory below `folder` is on disk."""
    for parent, _, files in os.walk(folder, topdown=False):
        for name in files:
            _sync(Path(parent) / name)
        _sync(Path(parent))


def place(new: Path, target: Path) -> bool:
    """Rename `new` to `target`, or swap both when `target` exists; True when something was replaced.

    Where the file system cannot swap, the old one is first renamed to `new`.old; a kill between the two renames
    leaves no `target`, which a rerun makes again.
    """
    replaced = target.exists()
    if not replaced:
        os.rename(new, target)
    elif not _exchange(new, target):
        os.rename(target, new.with_name(new.name + ".old"))
        os.rename(new, target)
    _sync(target.parent)
    return replaced


def _exchange(a: Path, b: Path) -> bool:
    """True when the two paths were swapped in one step, False where the system cannot do it."""
    libc = ctypes.CDLL(None, use_errno=True)
    name_a, name_b = os.fsencode(a), os.fsencode(b)
    if sys.platform == "darwin" and hasattr(libc, "renamex_np"):
        failed = libc.renamex_np(name_a, name_b, _RENAME_EXCHANGE)
    elif sys.platform == "linux" and hasattr(libc, "renameat2"):
        failed = libc.renameat2(_AT_FDCWD, name_a, _AT_FDCWD, name_b, _RENAME_EXCHANGE)
    else:
        return False
    if not failed:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise ResourceError(f"{b}: cannot replace it ({os.strerror(code)})")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF, errno.ENOTSUP):  # file systems that cannot sync a directory
            raise
    finally:
        os.close(handle)
