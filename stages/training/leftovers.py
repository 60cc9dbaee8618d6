"""What killed runs left behind."""

import os
import shutil
from pathlib import Path


def clear_leftovers(folder: Path) -> list[str]:
    """Names of the half-written files and folders `.NAME.PID` that were removed because their process is gone."""
    removed = []
    for path in folder.iterdir() if folder.is_dir() else []:
        owner = path.name.rpartition(".")[2]
        if path.name.startswith(".") and owner.isdigit() and not _is_running(int(owner)):
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            removed.append(path.name)
    return removed


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
