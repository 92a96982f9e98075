"""A table comes back as it was, is refused when it is none, and says what its columns mean."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

import eval.table
from eval.table import (
    CELL,
    HEAD_COLUMNS,
    HEADS_CSV,
    PARQUET,
    SONG_COLUMNS,
    SONGS_CSV,
    Table,
    TableError,
    make_heads,
    make_songs,
    read_table,
)

ROOT = Path(__file__).parents[2]
#: A value for every kind of column.
VALUES: dict[str, Any] = {"text": 'words, „quoted"\nand new lines', "count": 7, "number": 0.123456789}


def row(prompt: str = "p", seed: int = 1, composition: str = "base", judge: str = "j") -> dict[str, Any]:
    keys = {"prompt": prompt, "seed": seed, "composition": composition, "judge": judge}
    return {**{c.name: VALUES[c.kind] for c in SONG_COLUMNS}, **keys}


def planted() -> Table:
    songs = [row(p, s, c, j) for p in "pq" for s in (1, 2) for c in ("base", "lyrics=0.5") for j in "jk"]
    songs[3]["avg_logprob"] = songs[3]["alignment_score"] = None
    heads = [
        {**dict(zip(CELL, (p, 1, "base"), strict=True)), **{c.name: VALUES[c.kind] for c in HEAD_COLUMNS}, "head": head}
        for p in "pq"
        for head in range(3)
    ]
    heads[1]["order"] = None
    return Table(make_songs(songs), make_heads(heads), {"command": "choirmaster eval", "adapters": {"ä": "1"}})


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    table = planted()
    table.write(tmp_path / PARQUET)
    for path in (tmp_path, tmp_path / PARQUET):
        found = read_table(path)
        pd.testing.assert_frame_equal(found.songs, table.songs)
        # heads are kept in single precision
        pd.testing.assert_frame_equal(found.heads, table.heads, rtol=1e-6)
        assert found.about == table.about
    assert (table.judges, table.compositions) == (["j", "k"], ["base", "lyrics=0.5"])
    assert len(table.of_judge("k")) == 8 and set(table.of_judge("k").judge) == {"k"}


def test_any_reader_of_parquet_can_read_it(tmp_path: Path) -> None:
    planted().write(tmp_path / PARQUET)
    read = pq.read_table(tmp_path / PARQUET)
    assert read.column("prompt").to_pylist()[:2] == ["p", "p"] and read.num_rows == 16
    assert [head["head"] for head in read.column("heads").to_pylist()[0]] == [0, 1, 2]


def test_csv_holds_the_same(tmp_path: Path) -> None:
    table = planted()
    table.write_csv(tmp_path)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / SONGS_CSV), table.songs, check_dtype=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / HEADS_CSV), table.heads, check_dtype=False)


def test_a_table_without_songs_or_heads(tmp_path: Path) -> None:
    Table(make_songs([]), make_heads([])).write(tmp_path / PARQUET)
    found = read_table(tmp_path)
    assert len(found.songs) == len(found.heads) == 0 and found.judges == []
    Table(make_songs([row()]), make_heads([])).write(tmp_path / PARQUET)
    assert len(read_table(tmp_path).heads) == 0


def test_who_did_not_listen_is_named() -> None:
    with pytest.raises(TableError, match="'x' is not in the table: it has j, k"):
        planted().of_judge("x")


@pytest.mark.parametrize("content", [None, b"", b"PAR1 no parquet", b"a,b\n1,2\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / PARQUET).write_bytes(content)
    with pytest.raises(TableError, match=r"is no results table.*choirmaster eval --out"):
        read_table(tmp_path)


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"prompt": ["p"], "wer": [0.5]}).to_parquet(tmp_path / PARQUET)
    with pytest.raises(TableError, match="lacks the columns genre, seed"):
        read_table(tmp_path)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="1 rows twice, the first of p, 1, base, j"):
        Table(make_songs([row(), row()]), make_heads([])).write(tmp_path / PARQUET)
    assert not (tmp_path / PARQUET).exists()


def test_a_value_that_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="rows without transcript"):
        Table(make_songs([{**row(), "transcript": None}]), make_heads([])).write(tmp_path / PARQUET)


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted().write(tmp_path / PARQUET)
    before = (tmp_path / PARQUET).read_bytes()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(eval.table, "write_bytes_atomically", full)
    with pytest.raises(TableError, match=r"No space left.*what was sung and judged is kept"):
        planted().write(tmp_path / PARQUET)
    assert (tmp_path / PARQUET).read_bytes() == before


def test_every_column_is_documented() -> None:
    text = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for column in (*SONG_COLUMNS, *HEAD_COLUMNS):
        assert f"| `{column.name}` | {column.kind} | {column.meaning} |" in text
