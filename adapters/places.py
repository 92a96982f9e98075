"""Where things lie in a checkout: the embedded song model, and the shelf of adapters that ships beside it."""

from __future__ import annotations

from pathlib import Path

TINY_MODEL = Path(__file__).resolve().parent.parent / "models" / "tiny"
SHELF = TINY_MODEL / "adapters"
