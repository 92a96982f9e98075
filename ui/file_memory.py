"""What was read of files, remembered for as long as they do not change. Links are no files here.

Knows neither what is in them nor what is made of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

_KEY = TypeVar("_KEY", bound=Hashable)
_VALUE = TypeVar("_VALUE")


@dataclass
class Kept(Generic[_KEY, _VALUE]):
    """The last ``limit`` values that were made, by keys that each stand for one value for good. Any thread may ask."""

    limit: int
    values: OrderedDict[_KEY, _VALUE] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: _KEY, make: Callable[[], _VALUE]) -> _VALUE:
        """The value of a key, made where it is not remembered; raises what making it does."""
        with self.lock:
            if key in self.values:
                self.values.move_to_end(key)
                return self.values[key]
        made = make()
        with self.lock:
            self.values[key] = made
            while len(self.values) > self.limit:
                self.values.popitem(last=False)
        return made


def stamp_file(file: Path) -> Hashable | None:
    """Something that is another once a file has changed; None where there is no plain file."""
    try:
        found = file.stat(follow_symlinks=False) if file.is_file() and not file.is_symlink() else None
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_size, found.st_mtime_ns)


def find_plain(path: Path) -> Path | None:
    """A path where a plain file lies, else None."""
    return path if path.is_file() and not path.is_symlink() else None
