"""A grid of songs and the folder it grows in: which cells there are, and what each of them depends on.

Knows engine and judge only by what they leave behind; ``eval.ledger`` tells what of it is done.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.composition import Composition
from adapters.errors import ChoirmasterError
from adapters.files import is_full
from adapters.fingerprints import fingerprint_adapter, fingerprint_model
from adapters.store import AdapterStore
from eval.cells import Cell, CellKey, plan_cells
from eval.prompts import Prompt
from eval.results import ATTENTION, AUDIO, Results
from eval.targets import run_name

#: The arithmetic that is meant where nothing is said of it.
_PLAIN = "fp32"


class GridError(ChoirmasterError):
    """A grid cannot be sung, or cannot be written down."""


@dataclass(frozen=True)
class Plan:
    """What to sing: ``takes`` seeds of every prompt, each by every composition. ``steps``: None is the preset's."""

    model: str
    prompts: tuple[Prompt, ...]
    compositions: tuple[Composition, ...]
    takes: int = 4
    first: int = 42
    steps: int | None = None
    dtype: str = _PLAIN


@dataclass
class Grid:
    """The cells of ``plan`` in ``folder``. ``adapters``: fingerprints by name.

    Raises:
        AdapterError: an adapter is not on the shelf, or its card is damaged.
        GridError: an adapter's or the model's files cannot be read.
    """

    plan: Plan
    folder: Path
    shelf: AdapterStore
    cells: tuple[Cell, ...] = field(init=False)
    adapters: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        self.cells = plan_cells(plan.prompts, plan.compositions, plan.takes, plan.first)
        self.results = Results(self.folder)
        names = sorted({name for composition in plan.compositions for name in composition})
        for name in names:
            self.shelf.card(name)  # tells what is missing
        try:
            self.adapters = {name: fingerprint_adapter(self.shelf.folder / name) for name in names}
            self.model_fingerprint = fingerprint_model(Path(plan.model))
        except OSError as error:
            raise GridError(f"{error.filename} cannot be read ({error.strerror}): mend its permissions") from error
        self._runs = {cell.key: self._name_run(cell) for cell in self.cells}

    def run_of(self, key: CellKey) -> str | None:
        """The name of all that a cell's song depends on, beside its seed; None of what is no cell of the grid."""
        return self._runs.get(key)

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Have the folder for oneself, and what killed runs left half written in it cleared away.

        Raises:
            GridError: it cannot be written, or another process has it.
        """
        try:
            for part in (AUDIO, ATTENTION):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            handle = os.open(self.folder, os.O_RDONLY)
        except OSError as error:
            raise GridError(cannot_write(self.folder, error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            if not isinstance(error, BlockingIOError):
                raise GridError(cannot_write(self.folder, error)) from error
            raise GridError(
                f"another evaluation is writing into {self.folder}: wait until it is done, or choose another --out"
            ) from None
        try:
            for part in (AUDIO, ATTENTION):
                for left in (self.folder / part).glob(".*"):
                    left.unlink()
            yield
        finally:
            os.close(handle)

    def _name_run(self, cell: Cell) -> str:
        composed = {name: [weight, self.adapters[name]] for name, weight in cell.weights.items()}
        told = [self.model_fingerprint, self.plan.steps, composed, cell.prompt.caption, cell.prompt.lyrics]
        return run_name(*told, *([self.plan.dtype] if self.plan.dtype != _PLAIN else []))


def cannot_write(path: Path, error: OSError) -> str:
    """The message for a file or folder that cannot be written."""
    remedy = "free some space, and the same command goes on" if is_full(error) else "choose another --out"
    return f"{path} cannot be written ({error.strerror or error}): {remedy}; what was finished is safe"
