"""How two judges agree, as tables for the terminal. Computes nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.agreement import JudgeAgreement, measure_agreement
from eval.figures import freeze, show_estimate
from eval.lattice import LatticeError
from eval.sheet import Sheet
from eval.table import Table

if TYPE_CHECKING:
    from rich.console import Console


def agreement_sheet(found: JudgeAgreement) -> Sheet:
    """A row per measure of agreement."""
    rows = (
        ("WER of songs, Pearson", show_estimate(found.song_correlation, signed=True, digits=2)),
        ("differences within prompts, Pearson", show_estimate(found.difference_correlation, signed=True, digits=2)),
        ("order of the compositions, Kendall", show_estimate(found.order_tau, signed=True, digits=2)),
    )
    a, b = found.judges
    note = f"{found.songs} songs of each composition over {found.prompts} prompts. A dash: nothing varies."
    return Sheet(f"{a} and {b}", ("agreement of the judges", "correlation"), freeze(rows), note)


def transfer_sheet(found: JudgeAgreement) -> Sheet:
    """Choices of one judge as the other scores them; no rows with a single composition."""
    rows = []
    for way in found.transfers:
        for scored_on, choice in (("the same songs", way.optimistic), ("different seeds", way.honest)):
            if choice is not None:
                figures = (choice.single, choice.oracle)
                gain = show_estimate(choice.headroom, signed=True)
                rows.append([way.chosen_by, way.scored_by, scored_on, *map(show_estimate, figures), gain])
    note = (
        "Macro WER as the scoring judge hears it. On the same songs the best single composition is the scoring judge's "
        "own; on different seeds the choosing judge's."
    )
    columns = ("chosen by", "scored by", "scored on", "best single", "oracle", "headroom")
    return Sheet("one judge's choice, another's score", columns, freeze(rows), note)


def print_agreement(table: Table, console: Console) -> None:
    """Print how the table's first two judges agree; nothing where one listened.

    Where they share no song that all compositions sang, a line says so.
    """
    if len(table.judges) < 2:
        return
    try:
        found = measure_agreement(table, table.judges[0], table.judges[1])
    except LatticeError as error:
        console.print(f"agreement of the judges: {error}", markup=False, highlight=False)
        return
    for sheet in (agreement_sheet(found), transfer_sheet(found)):
        if sheet.rows:
            console.print(sheet.table())
