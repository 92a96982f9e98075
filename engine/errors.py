"""What can go wrong while a song is sung; the texts are fit to show to a user as they are."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.errors import ChoirmasterError

__all__ = [
    "Cancelled",
    "ChoirmasterError",
    "EngineClosed",
    "ModelError",
    "QueueFull",
    "RequestError",
    "SongError",
    "TimedOut",
    "UnknownAdapter",
]


class RequestError(ChoirmasterError):
    """A song was asked for in a way that cannot be sung."""


class UnknownAdapter(RequestError):
    """A composition names an adapter that is not there; ``name`` is that name."""

    def __init__(self, name: str, there: Sequence[str]) -> None:
        choice = ", ".join(there) or "none, since the shelf is empty"
        super().__init__(f"there is no adapter {name}: choose from {choice}")
        self.name = name


class ModelError(ChoirmasterError):
    """A song model cannot be loaded."""


class SongError(ChoirmasterError):
    """One song failed while it was sung."""


class Cancelled(SongError):
    """The song was cancelled before it was finished."""


class TimedOut(SongError):
    """The song took longer than it may."""


class QueueFull(SongError):
    """No more songs may wait; ``retry_after`` estimates the seconds until one more may."""

    def __init__(self, limit: int, retry_after: float) -> None:
        super().__init__(
            f"{limit} songs are waiting, which is the limit: try again when some are done, in about {retry_after:.0f} s"
        )
        self.retry_after = retry_after


class EngineClosed(SongError):
    """The engine takes no more songs."""

    def __init__(self) -> None:
        super().__init__("the engine is shutting down: no more songs are taken")
