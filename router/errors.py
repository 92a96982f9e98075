"""Errors of this room."""

from __future__ import annotations

from adapters.errors import ChoirmasterError


class RouterError(ChoirmasterError):
    """A router cannot be fitted, read, or asked what it was asked."""
