"""Errors a person can act on: each message names the value, the limit and the remedy."""

from __future__ import annotations


class ChoirmasterError(Exception):
    """Base of every error this project raises on purpose; its text is fit to show to a user as it is."""


class RequestError(ChoirmasterError):
    """A song was asked for in a way that cannot be sung."""


class ModelError(ChoirmasterError):
    """A song model cannot be loaded."""


class SongError(ChoirmasterError):
    """One song failed while it was sung."""


class Cancelled(SongError):
    """The song was cancelled before it was finished."""
