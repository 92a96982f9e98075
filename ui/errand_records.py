"""How a piece of long work stands, and how that is written down in a folder of its own, from which it is read again.

Knows no kind of work: what a standing tells beyond its state is for those who make one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.files import write_text_atomically
from engine.hidden_folders import hidden_folder
from ui.errands import ERRAND_ID, ErrandState

#: Folders on their way out are called so.
HIDDEN = ".removed-"

log = logging.getLogger(__name__)


class ErrandStanding(BaseModel):
    """What every standing tells."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="16 hexadecimal digits.")
    state: ErrandState
    created: datetime = Field(description="When it was first asked for.")
    error: str | None = Field(default=None, description="Why it ended before its time.")
    place: int = Field(default=0, description="Place among those that wait, from 1; 0 where it does not wait.")


_STANDING = TypeVar("_STANDING", bound=ErrandStanding)


@dataclass(frozen=True)
class Records(Generic[_STANDING]):
    """The records of one kind of work.

    ``called``: what one piece is called, for messages; ``name``: of the file in its folder; ``fleeting``: fields that
    hold for the moment only and are not written down.
    """

    called: str
    name: str
    standing: type[_STANDING]
    fleeting: frozenset[str]

    def write(self, folder: Path, standing: _STANDING) -> None:
        """Write a standing down.

        Raises:
            OSError: the folder cannot be written, or the disk is full; what was written before is there as it was.
        """
        kept = standing.model_dump_json(exclude=set(self.fleeting), indent=1)
        write_text_atomically(folder / self.name, kept + "\n")

    def read(self, folder: Path) -> _STANDING | None:
        """What a folder says; None where that is nothing that can be read, or of another folder."""
        if folder.is_symlink() or not ERRAND_ID.fullmatch(folder.name):
            return None
        try:
            told = self.standing.model_validate_json((folder / self.name).read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            log.warning("the %s in %s is left out: its %s cannot be read (%s)", self.called, folder, self.name, error)
            return None
        return told if told.id == folder.name else None

    def all(self, parent: Path) -> Iterator[tuple[_STANDING, Path, float]]:
        """What all folders in ``parent`` say, with the folder, and when that was written, in seconds since 1970."""
        with suppress(OSError):
            for folder in parent.iterdir():
                if (told := self.read(folder)) is not None:
                    with suppress(OSError):
                        yield told, folder, (folder / self.name).stat().st_mtime


@contextmanager
def burial(folder: Path) -> Iterator[Callable[[], None]]:
    """What takes a folder of finished work out of sight in one step, for example while a lock is held; what was taken
    is deleted for good at the end.

    Raises:
        OSError: it cannot be moved, and is there as before.
    """
    with hidden_folder(folder.parent, HIDDEN) as grave:

        def bury() -> None:
            if os.path.lexists(folder):
                os.rename(folder, grave / folder.name)

        yield bury
