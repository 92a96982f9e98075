"""Results tables that the page can show."""

from __future__ import annotations


class Sources:
    """Results tables that the page can show."""
