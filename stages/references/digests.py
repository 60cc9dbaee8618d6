"""What --refs and --like name, and the checksums of it, without looking into a picture: planning takes milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stages.core.errors import InputError

PHOTOS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif")


def picture_digest(path: str) -> str:
    """sha256 hex of a photo. errors  InputError: no such file"""
    from stages.weights.checkpoint import file_sha256

    if not Path(path).is_file():
        raise InputError(f"{path}: no such photo")
    return file_sha256(Path(path))


def named_references(refs: Sequence[str]) -> list[tuple[str, str, str]]:
    """What --refs names, in order: (kind, path, digest); kind is "photo" or "picks" (a bundle with a layer refs).

    errors  InputError: nothing there, a folder without photos, a bundle without picks
    """
    found = []
    for ref in refs:
        path = Path(ref)
        if path.is_dir() and _is_bundle(path):
            found.append(("picks", ref, _picks_key(ref)))
        elif path.is_dir():
            photos = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTOS and not p.name.startswith("."))
            if not photos:
                raise InputError(
                    f"{ref}: no photo in the folder, expected {', '.join(PHOTOS[:4])} or a bundle of picks"
                )
            found += [("photo", str(photo), picture_digest(str(photo))) for photo in photos]
        else:
            found.append(("photo", ref, picture_digest(ref)))
    return found


def reference_inputs(refs: Sequence[str]) -> dict[str, str]:
    """Name -> digest of all that --refs names, for the key of a layer. errors  InputError as in `named_references`"""
    return {f"ref_{number}": digest for number, (_, _, digest) in enumerate(named_references(refs))}


def _picks_key(ref: str) -> str:
    from stages.bundle import open_bundle

    bundle = open_bundle(ref)
    if not bundle.has("refs"):
        raise InputError(f"{ref}: layer 'refs' is missing. Make it with: dreamactor pick-refs {ref}")
    return bundle.key("refs")


def _is_bundle(path: Path) -> bool:
    return path.name.endswith(".zarr") or (path / "zarr.json").is_file()
