"""Small film sets and the command line in this process, for tests of `dreamactor score`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TINY = """name = "tiny"
title = "a test's own"
faithful = false
[measure.psnr]
align = "none"
[[metric]]
name = "psnr"
label = "PSNR"
unit = "dB"
direction = "higher"
measure = "psnr"
"""
PLAIN = TINY.replace("tiny", "plain").replace('"none"', '"lanczos"').replace("false", "true")


def write_protocols(folder: Path) -> None:
    """tiny.toml ("none" aligned, bug-compatible) and plain.toml ("lanczos", faithful), PSNR only."""
    (folder / "tiny.toml").write_text(TINY)
    (folder / "plain.toml").write_text(PLAIN)


def frames(seed: int, count: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """uint8 [count, H, W, 3] of smooth moving colour."""
    y, x = np.mgrid[: size[0], : size[1]] / 8.0
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    film = [np.stack([np.sin(x * (k + 1) + y + p + t / 3) for k, p in enumerate(phase)], -1) for t in range(count)]
    return np.rint(127.5 + 100 * np.stack(film)).astype(np.uint8)


def worse(film_u8: np.ndarray, amount: int, seed: int = 0) -> np.ndarray:
    """The film with noise of +-amount."""
    noise = np.random.default_rng(seed).integers(-amount, amount + 1, film_u8.shape)
    return np.clip(film_u8.astype(int) + noise, 0, 255).astype(np.uint8)


def film_set(folder: Path, names: str = "abc", count: int = 6) -> Path:
    """folder/gen/NAME.npy and folder/real/NAME.npy; clips of count, count + 1, ... frames."""
    for side in ("gen", "real"):
        (folder / side).mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        real = frames(index, count + index)
        np.save(folder / "real" / f"{name}.npy", real)
        np.save(folder / "gen" / f"{name}.npy", worse(real, 5 * (index + 1)))
    return folder


class Done:
    """What a call left: exit code, stdout, stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def lines(self) -> list[str]:
        """The errors, one a line."""
        return [line for line in self.err.splitlines() if line.startswith("dreamactor: ")]


def score(capfd, *words: object) -> Done:
    """`dreamactor score WORDS` in this process."""
    from dreamactor_cli.main import app

    capfd.readouterr()
    code = 0
    try:
        app(["score", *map(str, words)], standalone_mode=True)
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capfd.readouterr()
    return Done(code, out, err)
