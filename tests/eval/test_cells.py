"""Cells: every prompt by every seed and composition, with seeds that nothing else moves."""

from __future__ import annotations

import zlib

from eval.cells import Cell, derive_seed, plan_cells
from tests.eval.planted_grid import COMPOSITIONS, planted_prompts


def test_all_compositions_of_a_prompt_and_seed_stand_beside_each_other() -> None:
    cells = plan_cells(planted_prompts(3), COMPOSITIONS, 2)
    assert len(cells) == 3 * 3 * 2 and len({cell.key for cell in cells}) == 18
    for at in range(0, 18, 3):
        assert len({(c.prompt.id, c.seed) for c in cells[at : at + 3]}) == 1
        assert [c.composition for c in cells[at : at + 3]] == ["base", "folk=1", "folk=0.5,rock=0.5"]
    assert {c.prompt.id for c in cells[:9]} == {"p0", "p1", "p2"}, "the first seed of all prompts comes first"


def test_seeds_do_not_depend_on_what_else_is_sung() -> None:
    few, many = plan_cells(planted_prompts(1), COMPOSITIONS, 1), plan_cells(planted_prompts(3), COMPOSITIONS[:1], 3)
    assert few[0].seed in {c.seed for c in many if c.prompt.id == "p0"}
    assert derive_seed("p0", 42, 0) == 0x7FFFFFFF & zlib.crc32(b"p0\x0042\x000")
    drawn = {derive_seed(f"p{n}", first, take) for n in range(20) for first in (0, 1) for take in range(10)}
    assert len(drawn) == 400 and all(0 <= seed < 2**31 for seed in drawn)


def test_weights_come_back_from_the_text() -> None:
    assert Cell(planted_prompts(1)[0], 1, "folk=0.5,rock=0.5").weights == {"folk": 0.5, "rock": 0.5}
    assert Cell(planted_prompts(1)[0], 1, "base").weights == {}
