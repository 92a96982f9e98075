"""The shelf of adapters: one folder each, with PEFT's two files and a card, under a name that is never a path.

An adapter appears, changes its name and goes in one step of the file system each, so that a crash or a second process
never leaves half of one. Links on the shelf are not followed. Knows the disk and what an adapter is, no song model.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors.torch import save

from adapters.base import Base
from adapters.card import AdapterCard, check_base, check_name, read_card
from adapters.errors import AdapterError, NameTaken, NoSuchAdapter
from adapters.files import flush_folder, write_bytes_atomically, write_text_atomically
from adapters.formats import read_weights
from adapters.importing import CARD, PEFT_CONFIG, PEFT_WEIGHTS
from adapters.json_file import read_json_object
from adapters.safetensors_file import MAX_FILE, read_safetensors
from adapters.weights import AdapterWeights, LowRank, check_fit, describe_weights, peft_config, peft_tensors

#: Begins the names of folders that are being written or removed.
_TEMPORARY = ".adapter-"
#: Seconds after which such a folder belongs to no living process: writing an adapter takes a few.
_STALE = 3600.0
_NAMED = 4


class AdapterStore:
    """The adapters in ``folder``, which comes into being with the first one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of all adapters, damaged ones too, in order."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if self._holds(entry.name))

    def card(self, name: str) -> AdapterCard:
        """The card of an adapter.

        Raises:
            AdapterError: there is no such adapter, or its card is damaged.
        """
        # The folder's name is the truth: a folder copied by hand keeps the old name in its card.
        return read_card(self._file(name, CARD)).model_copy(update={"name": name})

    def cards(self) -> list[AdapterCard]:
        """Cards of all adapters that have a sound one; :meth:`damaged` tells of the others."""
        return [card for card in map(self._card_or_fault, self.names()) if isinstance(card, AdapterCard)]

    def damaged(self) -> dict[str, str]:
        """What is wrong with the adapters whose card cannot be read, by name."""
        faults = {name: self._card_or_fault(name) for name in self.names()}
        return {name: fault for name, fault in faults.items() if isinstance(fault, str)}

    def load(self, name: str, base: Base) -> dict[str, LowRank]:
        """The layers of an adapter, in the type they are stored in, once everything about them was checked.

        Raises:
            AdapterError: there is no such adapter, it is damaged, or it was made for another song model.
        """
        check_base(self.card(name), base)
        config = read_json_object(self._file(name, PEFT_CONFIG))
        weights = read_weights(read_safetensors(self._file(name, PEFT_WEIGHTS)), base, config).weights
        listed = config.get("target_modules")
        told = set(map(str, listed)) if isinstance(listed, list) else set()
        for what, odd in (("lacks", told - weights.keys()), ("has unlisted", weights.keys() - told)):
            if odd:
                raise AdapterError(
                    f"adapter {name} {what} layers ({', '.join(sorted(odd)[:_NAMED])}; {len(odd)} in all) beside its "
                    f"{PEFT_CONFIG}: it is damaged; remove it and import it again"
                )
        check_fit(weights, base, f"adapter {name}")
        return weights

    def revision(self, name: str) -> object:
        """Something that is another once an adapter was replaced by one of the same name.

        Raises:
            AdapterError: there is no such adapter.
        """
        stamps = []
        for file in (PEFT_WEIGHTS, PEFT_CONFIG):
            path = self._file(name, file)
            try:
                found = path.stat()
            except OSError as error:
                raise AdapterError(
                    f"{path} cannot be read ({error.strerror or error}): remove {name} and import it again"
                ) from error
            stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
        return tuple(stamps)

    def add(self, name: str, weights: AdapterWeights, card: AdapterCard, *, base: Base | None = None) -> AdapterCard:
        """Put an adapter on the shelf; the card as it stands there gets its name and what follows from the weights.

        With ``base``, weights and card are checked against it first.

        Raises:
            AdapterError: the name is taken or can be none, the adapter does not fit, or the disk is full; the shelf is
                then as it was.
        """
        self.check_free(name)
        if not weights:
            raise AdapterError(f"adapter {name} changes no layer at all: there is nothing to store")
        if base is not None:
            check_base(card, base)
            check_fit(weights, base, f"adapter {name}")
        card = AdapterCard.model_validate({**card.model_dump(), **describe_weights(weights), "name": name})
        # Copies, since the format holds no two tensors that share memory.
        tensors = {key: tensor.detach().to("cpu", copy=True) for key, tensor in peft_tensors(weights).items()}
        if (size := sum(tensor.nbytes for tensor in tensors.values())) > MAX_FILE:
            raise AdapterError(f"adapter {name} takes {size} bytes, the limit is {MAX_FILE}: store it in 16-bit values")
        with self._temporary(f"adapter {name} cannot be stored in {self.folder}") as new:
            write_bytes_atomically(new / PEFT_WEIGHTS, save(tensors, metadata={"format": "pt"}))
            write_text_atomically(new / PEFT_CONFIG, json.dumps(peft_config(weights), indent=1) + "\n")
            write_text_atomically(new / CARD, card.model_dump_json(indent=1) + "\n")
            new.chmod(0o755)
            flush_folder(new)
            self._settle(new, name)
        return card

    def remove(self, name: str) -> None:
        """Take an adapter off the shelf and delete its files.

        Raises:
            AdapterError: there is no such adapter, or it cannot be removed.
        """
        folder = self._folder(name)
        with self._temporary(f"adapter {name} cannot be removed from {self.folder}") as grave:
            # First out of sight in one step: what is left of it after a crash is cleared away later.
            folder.rename(grave / name)

    def rename(self, old: str, new: str) -> AdapterCard:
        """Give an adapter another name.

        Raises:
            AdapterError: there is no such adapter, or the new name is taken or can be none.
        """
        folder, card = self._folder(old), self.card(old).model_copy(update={"name": check_name(new)})
        if new == old:
            return card
        self._settle(folder, new)
        try:
            write_text_atomically(self.folder / new / CARD, card.model_dump_json(indent=1) + "\n")
        except OSError as error:
            (self.folder / new).rename(folder)
            raise AdapterError(
                f"adapter {old} cannot be renamed ({error.strerror or error}): free space on the disk of {self.folder}"
            ) from error
        return card

    def check_there(self, name: str) -> None:
        """Make sure that there is an adapter of this name.

        Raises:
            AdapterError: there is none; the text names those there are.
        """
        self._folder(name)

    def check_free(self, name: str) -> None:
        """Make sure that an adapter of this name can be added.

        Raises:
            AdapterError: it is taken or can be none.
        """
        if os.path.lexists(self.folder / check_name(name)):
            raise _taken(name)

    def _holds(self, name: str) -> bool:
        with suppress(AdapterError):
            folder = self.folder / check_name(name)
            return folder.is_dir() and not folder.is_symlink()
        return False

    def _folder(self, name: str) -> Path:
        """The folder of an adapter that is there."""
        if not self._holds(check_name(name)):
            there = ", ".join(self.names())
            remedy = f"choose one of {there}" if there else "it holds none yet; import or train one"
            raise NoSuchAdapter(f"there is no adapter {name} in {self.folder}: {remedy}")
        return self.folder / name

    def _file(self, name: str, file: str) -> Path:
        path = self._folder(name) / file
        if path.is_symlink():
            raise AdapterError(f"{path} is a link, and links are not followed here: put the file itself in its place")
        return path

    def _card_or_fault(self, name: str) -> AdapterCard | str:
        try:
            return self.card(name)
        except AdapterError as error:
            return str(error)

    def _settle(self, folder: Path, name: str) -> None:
        """Move a folder to its final name in one step; of two processes with the same name, one fails here."""
        self.check_free(name)
        try:
            # Onto a folder with files in it this fails, unlike Path.replace for files.
            folder.rename(self.folder / name)
        except OSError as error:
            if os.path.lexists(self.folder / name):
                raise _taken(name) from error
            raise AdapterError(
                f"adapter {name} cannot be stored in {self.folder}: {error.strerror or error}"
            ) from error
        with suppress(OSError):  # the adapter is there; only a power cut within seconds could lose it
            flush_folder(self.folder)

    @contextmanager
    def _temporary(self, failure: str) -> Iterator[Path]:
        """A hidden folder on the shelf, gone afterwards with all that is still in it."""
        fresh = not self.folder.exists()
        folder = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._clear_stale()
            folder = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self.folder))
            yield folder
        except OSError as error:
            raise AdapterError(
                f"{failure} ({error.strerror or error}): free space there, check its rights or choose another shelf"
            ) from error
        finally:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if fresh:
                with suppress(OSError):  # fails where the adapter now stands
                    self.folder.rmdir()

    def _clear_stale(self) -> None:
        """Delete what processes left behind that were killed while they wrote or removed an adapter."""
        for entry in self.folder.glob(f"{_TEMPORARY}*"):
            with suppress(OSError):
                if not entry.is_symlink() and entry.is_dir() and time.time() - entry.stat().st_mtime > _STALE:
                    shutil.rmtree(entry, ignore_errors=True)


def _taken(name: str) -> NameTaken:
    return NameTaken(f"the name {name} is taken by another adapter: choose another, or remove that one first")
