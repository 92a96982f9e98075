"""What a table lacks, and what follows: songs that have no mates to be compared with, controls that sang less than the
rest, word of where the songs are from.

A control takes part in no choice, so that what it did not sing must cost nobody an example. Knows no policy.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.composition import parse_composition
from eval.lattice import Lattice, LatticeError, make_lattice
from eval.table import Table
from router.errors import RouterError

#: The file of prompts that nothing may be fitted to.
_FROZEN = "test.jsonl"


def keep_compositions(table: Table, names: Collection[str]) -> Table:
    """The songs of some compositions."""
    return replace(table, songs=table.songs[table.songs["composition"].isin(list(names))])


def leave_out(compositions: Sequence[str], controls: Sequence[str]) -> list[str]:
    """What is left to choose from.

    Raises:
        RouterError: a control is none of the compositions, or all but one are controls.
    """
    if unknown := [name for name in controls if name not in compositions]:
        raise RouterError(f"the control {unknown[0]} was not measured: choose from {', '.join(compositions)}, or none")
    left = [name for name in compositions if name not in controls]
    if len(left) < 2 and controls:
        raise RouterError(
            f"without its controls ({', '.join(controls)}) the table has {' and '.join(left) or 'no composition'} "
            "only, so there is nothing to choose between: name fewer controls or measure another adapter"
        )
    return left


def hear_controls(
    table: Table, judge: str, names: Sequence[str], controls: Sequence[str]
) -> tuple[dict[str, Lattice], list[str]]:
    """By control the songs that it and all of ``names`` sang, and what is to be said of those that have none.

    Raises:
        TableError: no such judge listened.
    """
    heard, notes = {}, []
    for control in controls:
        try:
            both = make_lattice(keep_compositions(table, (*names, control)), judge)
            heard[control] = both.select([*names, control])
        except LatticeError as error:
            notes.append(f"the control {control} is not scored by {judge}: {error}")
    return heard, notes


def describe_gaps(table: Table, judge: str, lattice: Lattice) -> str:
    """How many songs of the lattice's compositions are not in it, and which composition lacked most; empty where all
    are."""
    if not lattice.dropped:
        return ""
    songs = keep_compositions(table, lattice.compositions).of_judge(judge)
    sung = {name: len(part) for name, part in songs.groupby("composition")}
    cells = len(songs[["prompt", "seed"]].drop_duplicates())
    least = min(lattice.compositions, key=lambda name: sung.get(name, 0))
    return (
        f"{lattice.dropped} of {len(songs)} songs are left out, since not all compositions sang them; {least} lacks "
        f"most, {cells - sung.get(least, 0)} of {cells} prompts and seeds: sing those to learn from all"
    )


def describe_fitted(about: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """What whoever fits to a table should know about it."""
    prompts, told = about.get("prompts"), []
    if isinstance(prompts, dict) and prompts.get("file") == _FROZEN:
        told.append(f"the table is of the frozen prompts of {_FROZEN}: this router must not be tested on them")
    told += describe_origin(about, names)
    if not about.get("model_fingerprint"):
        told.append("a server will refuse this router")
    return tuple(told)


def describe_origin(about: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """What a table does not tell of where its songs are from: the model, or adapters of ``names``."""
    told = []
    if not about.get("model_fingerprint"):
        told.append(
            "the table does not tell which model sang it, so that nobody can see whether it is the one that a router "
            "is for: `choirmaster eval` makes tables that do"
        )
    known = about.get("adapters", {})
    adapters = dict.fromkeys(adapter for name in names for adapter in parse_composition(name))
    if missing := [adapter for adapter in adapters if adapter not in known]:
        told.append(
            f"the table has no fingerprint of {', '.join(missing)}, so that a changed adapter of that name passes for "
            "the one that was measured"
        )
    return tuple(told)
