"""Routers fitted anew in the server."""

from __future__ import annotations


class Refits:
    """Routers fitted anew in the server."""
