"""What was measured of an adapter is its own, by hand, and no other's of the same name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.table import Table
from tests.eval.lattices import JUDGE, row, table_of
from ui.measured import ANOTHER, Measured, Measurements, measure
from ui.sources import SourceError

#: Wrong words of ten, by genre: of two seeds each.
WRONG = {"base": {"folk": (2, 4), "rock": (5, 5)}, "folk=1": {"folk": (1, 1), "rock": (6, 10)}, "folk=0.5": {}}


def planted(**about: object) -> Table:
    rows = [
        row(f"{genre}-1", seed, composition, wrong)
        for composition, genres in WRONG.items()
        for genre, (one, other) in (genres or WRONG["base"]).items()
        for seed, wrong in enumerate((one, other))
    ]
    return replace(table_of(rows), about=about)


class Tables:
    """Stands in for the tables of the page, and counts how often it was asked."""

    def __init__(self, table: Table | None) -> None:
        self.given, self.asked = table, 0

    def table(self, source: str) -> Table:
        self.asked += 1
        assert source == "shipped"
        if self.given is None:
            raise SourceError("there is none")
        return self.given


def test_rates_by_genre_are_those_of_the_adapter_alone() -> None:
    found = measure(planted(), JUDGE)
    assert found.keys() == {"folk"}  # a half of it is another composition
    folk = found["folk"]
    assert [(g.genre, g.wer.value, g.base) for g in folk.genres] == [("folk", 0.1, 0.3), ("rock", 0.8, 0.5)]
    assert [g.difference for g in folk.genres] == [pytest.approx(-0.2), pytest.approx(0.3)]
    assert (folk.wer.value, folk.songs, folk.judge) == (18 / 40, 4, JUDGE)
    assert folk.base is not None and folk.base.value == 16 / 40
    assert folk.difference is not None and folk.difference.difference.value == pytest.approx(0.05)
    assert (folk.difference.wins, folk.difference.losses) == (1, 1)


def test_without_the_base_model_there_is_nothing_to_compare_with() -> None:
    table = planted()
    alone = replace(table, songs=table.songs[table.songs["composition"] == "folk=1"])
    [folk] = measure(alone, JUDGE).values()
    assert (folk.base, folk.difference) == (None, None) and all(genre.difference is None for genre in folk.genres)


def test_a_measurement_belongs_to_the_files_and_not_to_the_name() -> None:
    prints = {"folk": "0" * 16}
    shown = Measurements(Tables(planted(adapters={"folk": "0" * 16})), lambda: prints)
    assert isinstance(shown.read()["folk"], Measured)
    prints["folk"] = "1" * 16
    assert shown.read()["folk"] == ANOTHER
    untold = Measurements(Tables(planted()), lambda: prints)  # the table does not say which it measured
    assert isinstance(untold.read()["folk"], Measured)


def test_a_table_is_computed_once_until_it_is_another() -> None:
    tables = Tables(planted())
    shown = Measurements(tables, dict)
    first = shown.read()["folk"]
    assert shown.read()["folk"] is first
    tables.given = planted()
    assert shown.read()["folk"] is not first


@pytest.mark.parametrize("tables", [None, Tables(None), Tables(table_of([]))])
def test_without_a_table_nothing_is_known(tables: Tables | None) -> None:
    assert Measurements(tables, dict).read() == {}
