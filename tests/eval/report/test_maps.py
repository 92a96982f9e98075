"""The songs drawn are those on which compositions differ most, of those whose maps were kept."""

from __future__ import annotations

from pathlib import Path

from eval.report.maps import find_kept
from eval.table import Table
from tests.eval.report.planted import JUDGE, plant


def test_most_compositions_first_then_the_widest_spread(tmp_path: Path) -> None:
    results = plant(tmp_path, compositions=("base", "lyrics"), seeds=(42, 43))
    made = results.table()
    spread = {"folk": 0.1, "pop": 0.9, "rock": 0.5}
    songs = made.songs.assign(
        wer=[
            spread[g] if c == "lyrics" else 0.0
            for g, c in zip(made.songs["genre"], made.songs["composition"], strict=True)
        ]
    )
    table = Table(songs, made.heads, made.about)
    results.attention_path("pop-1", 42, "lyrics").unlink()
    found = find_kept(results, table, JUDGE, 5)
    assert [(kept.prompt, kept.seed) for kept in found] == [("rock-1", 42), ("folk-1", 42), ("pop-1", 42)]
    assert found[0].rates == {"base": 0.0, "lyrics": 0.5} and found[2].rates == {"base": 0.0}
    assert find_kept(results, table, JUDGE, 1) == found[:1] and find_kept(results, table, JUDGE, 0) == []


def test_of_several_kept_seeds_of_a_prompt_the_widest_is_drawn(tmp_path: Path) -> None:
    results = plant(tmp_path, genres=("folk",), compositions=("base", "lyrics"), seeds=(42, 43))
    for composition in ("base", "lyrics"):
        content = results.attention_path("folk-1", 42, composition).read_bytes()
        results.attention_path("folk-1", 43, composition).write_bytes(content)
    made = results.table()
    songs = made.songs.assign(
        wer=[0.1 * s * (c == "lyrics") for s, c in zip(made.songs["seed"], made.songs["composition"], strict=True)]
    )
    (kept,) = find_kept(results, Table(songs, made.heads, made.about), JUDGE, 5)
    assert kept.seed == 43
