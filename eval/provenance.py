"""How an evaluation was made, as its table tells: model, adapters, judges, prompts, versions, command."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from adapters.composition import format_composition
from eval.grid import Grid
from eval.grid_table import read_manifest

_PACKAGES = (
    "choirmaster", "torch", "diffusers", "transformers", "peft", "faster-whisper", "ctranslate2", "jiwer", "numpy",
    "scipy",
)  # fmt: skip
#: Of the run that made the songs, not of one that found all of them made.
_OF_THE_RUN = ("versions", "command", "made")


class Described(Protocol):
    """What is needed of a judge; ``eval.judge.Judge`` has it."""

    @property
    def title(self) -> str: ...

    def describe(self) -> dict[str, Any]: ...


def describe_evaluation(
    grid: Grid, judges: Sequence[Described], prompts: Path, command: str, now: datetime, working: bool
) -> dict[str, Any]:
    """What the table of ``grid`` says of itself. ``working``: whether anything is left to be sung or heard."""
    plan = grid.plan
    told: dict[str, Any] = {
        "model": plan.model,
        "model_fingerprint": grid.model_fingerprint,
        "steps": plan.steps,
        "dtype": plan.dtype,
        "adapters": grid.adapters,
        "judges": {judge.title: judge.describe() for judge in judges},
        "prompts": {"file": prompts.name, "sha256": hashlib.sha256(prompts.read_bytes()).hexdigest()},
        "seeds": sorted({cell.seed for cell in grid.cells}),
        "takes": plan.takes,
        "compositions": [format_composition(composition) for composition in plan.compositions],
        "versions": describe_versions(_PACKAGES),
        "command": command,
        "made": now.isoformat(timespec="seconds"),
    }
    before = {} if working else read_manifest(grid.folder)
    return told | {name: before[name] for name in _OF_THE_RUN if name in before}


def describe_versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions of packages, those that are there, and Python's."""
    found = {"python": sys.version.split()[0]}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
