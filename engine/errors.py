"""What can go wrong while a song is sung; the texts are fit to show to a user as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from adapters.errors import ChoirmasterError
from adapters.field_faults import name_fault

__all__ = [
    "Cancelled",
    "ChoirmasterError",
    "EngineClosed",
    "Fault",
    "ModelError",
    "QueueFull",
    "RequestError",
    "SongError",
    "TimedOut",
    "UnknownAdapter",
]


class Fault(NamedTuple):
    """What is wrong with one field of a request: a sentence to stand beside the field, which need not name it.
    ``named``: the same where no field is near, by the API's name of it."""

    field: str
    message: str
    named: str = ""

    @classmethod
    def of(cls, field: str, message: str) -> Fault:
        """A fault whose sentence does not say which field it is about."""
        return cls(field, message, name_fault(field, message))

    @property
    def told(self) -> str:
        """The sentence for where no field is near."""
        return self.named or self.message


class RequestError(ChoirmasterError):
    """A song was asked for in a way that cannot be sung; ``faults``: which fields are to blame, where that is known."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)

    @classmethod
    def of(cls, faults: Sequence[Fault]) -> RequestError:
        """An error that is told by its faults."""
        return cls("; ".join(fault.told for fault in faults), faults)


class UnknownAdapter(RequestError):
    """A composition names an adapter that is not there; ``name`` is that name."""

    def __init__(self, name: str, there: Sequence[str]) -> None:
        choice = ", ".join(there) or "none, since the shelf is empty"
        said = f"there is no adapter {name}: choose from {choice}"
        super().__init__(said, [Fault("composition", said)])
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
