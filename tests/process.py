"""How tests start our programs, as a shell would."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DREAMACTOR = [sys.executable, "-c", "from dreamactor_cli.main import main; main()"]
TOY = [sys.executable, str(ROOT / "tests" / "cli" / "toy_stage.py")]
