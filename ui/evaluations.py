"""Small evaluations that run in the server, through its one engine."""

from __future__ import annotations


class Evaluations:
    """Small evaluations that run in the server, through its one engine."""
