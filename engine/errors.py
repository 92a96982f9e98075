"""What can go wrong while a song is sung; the texts are fit to show to a user as they are."""

from __future__ import annotations

from adapters.errors import ChoirmasterError

__all__ = ["Cancelled", "ChoirmasterError", "ModelError", "RequestError", "SongError"]


class RequestError(ChoirmasterError):
    """A song was asked for in a way that cannot be sung."""


class ModelError(ChoirmasterError):
    """A song model cannot be loaded."""


class SongError(ChoirmasterError):
    """One song failed while it was sung."""


class Cancelled(SongError):
    """The song was cancelled before it was finished."""
