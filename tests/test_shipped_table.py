"""The shipped results table is of the shipped model and adapters, and the README tells what is in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from adapters.fingerprints import fingerprint_adapter, fingerprint_model
from adapters.places import SHELF, TINY_MODEL
from adapters.store import AdapterStore
from eval.cells import plan_cells
from eval.prompts import TEST, read_prompts
from eval.standing import headline_markdown
from eval.summary import Summary, summarise_table
from eval.table import Table, read_table

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table() -> Table:
    return read_table(TINY_MODEL)


def test_it_is_of_this_model_these_adapters_and_the_frozen_prompts(table: Table) -> None:
    about = table.about
    assert about["model_fingerprint"] == fingerprint_model(TINY_MODEL)
    assert about["adapters"] == {name: fingerprint_adapter(SHELF / name) for name in AdapterStore(SHELF).names()}
    assert about["prompts"] == {"file": TEST.name, "sha256": hashlib.sha256(TEST.read_bytes()).hexdigest()}


def test_it_is_complete(table: Table) -> None:
    names = AdapterStore(SHELF).names()
    cells = plan_cells(read_prompts(TEST), [{}, *({name: 1.0} for name in names)], 4)
    keys = [(cell.prompt.id, cell.seed, cell.composition) for cell in cells]
    assert len(table.judges) == 2
    for judge in table.judges:
        rows = table.of_judge(judge)
        assert list(zip(rows.prompt, rows.seed, rows.composition, strict=True)) == keys
    assert len(table.heads) == len(keys) * 24


def test_transcripts_give_the_figures_again(table: Table) -> None:
    from eval.wer import score

    for row in table.songs.sample(60, random_state=1).itertuples():
        errors = score(str(row.lyrics), str(row.transcript))
        assert (errors.wer, errors.substitutions, errors.hits) == (row.wer, row.substitutions, row.hits)


def test_the_readme_tells_what_is_in_it(table: Table) -> None:
    summaries: list[Summary] = [summarise_table(table, judge) for judge in table.judges]
    for summary in summaries:
        for line in headline_markdown(summary).splitlines():
            if line.startswith("|"):
                assert line in README, line
