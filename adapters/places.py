"""Where things lie: in a checkout the embedded song model and the shelf of adapters beside it, and the user's cache."""

from __future__ import annotations

import os
from pathlib import Path

TINY_MODEL = Path(__file__).resolve().parent.parent / "models" / "tiny"
SHELF = TINY_MODEL / "adapters"


def cache_folder() -> Path:
    """Where this project keeps what it can make again: ``$CHOIRMASTER_CACHE``, or a folder of the user's cache."""
    if chosen := os.environ.get("CHOIRMASTER_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "choirmaster"
