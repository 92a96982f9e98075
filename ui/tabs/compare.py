"""The Compare tab."""

from __future__ import annotations

from ui.desk import Desk


def build(desk: Desk) -> None:
    """Lay it out inside the current block, and wire it."""
