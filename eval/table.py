"""The results table: one row for every song of a prompt, a seed and a composition, as one judge heard it.

The only module of this room that the router may know: reads and writes the table and says what its columns mean, and
knows neither the song model, nor the judge, nor what is made of the figures.

On disk it is one Parquet file. The heads' attention measures lie in it as a nested column, the same for every judge of
a song, and ``about`` (how the table was made) in the file's metadata. For people without a Parquet reader
:meth:`Table.write_csv` writes two CSV files of the same.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from adapters.errors import ChoirmasterError
from adapters.files import write_bytes_atomically, write_text_atomically

PARQUET, SONGS_CSV, HEADS_CSV = "table.parquet", "table.csv", "heads.csv"
_ABOUT = b"choirmaster"
_HEADS = "heads"


class TableError(ChoirmasterError):
    """A results table cannot be read or written, or is none."""


class Column(NamedTuple):
    """One column: its name, what it holds, and what that means. ``optional``: a value may be absent (NaN)."""

    name: str
    kind: Literal["text", "count", "number"]
    meaning: str
    optional: bool = False


#: What tells one row from another.
KEYS = ("prompt", "seed", "composition", "judge")
#: What tells one sung song from another.
CELL = KEYS[:3]

SONG_COLUMNS: tuple[Column, ...] = (
    # which song
    Column("prompt", "text", "id of the prompt"),
    Column("genre", "text", "genre of the prompt"),
    Column("seed", "count", "seed of the starting noise; the same noise for every composition of a prompt"),
    Column("composition", "text", "adapters and weights, such as `lyrics=0.6,nolyrics=0.4`; `base` is none"),
    Column("judge", "text", "who listened: model, arithmetic, beam"),
    # what was asked for
    Column("caption", "text", "description of the music"),
    Column("tags", "text", "tags of the prompt, parted by commas"),
    Column("lyrics", "text", "what was to be sung, tags included"),
    # what was heard
    Column("audio_seconds", "number", "length of the song, s"),
    Column("judge_seconds", "number", "time the judge took, s"),
    Column("transcript", "text", "what the judge wrote"),
    Column("avg_logprob", "number", "mean log probability of the transcript's tokens, over segments", True),
    Column("compression_ratio", "number", "how well the transcript compresses; the worst segment's", True),
    Column("no_speech_prob", "number", "probability that nobody sang; the worst segment's", True),
    Column("temperature", "number", "decoding temperature, highest of the segments", True),
    # words
    Column("wer", "number", "word error rate, uncapped: errors / reference words"),
    Column("cer", "number", "character error rate, uncapped"),
    Column("mer", "number", "match error rate: errors / (hits + errors), at most 1"),
    Column("substitutions", "count", "words heard as another word"),
    Column("deletions", "count", "words that were not heard"),
    Column("insertions", "count", "words heard too many"),
    Column("hits", "count", "words that came through"),
    Column("reference_words", "count", "words to be sung"),
    Column("heard_words", "count", "words heard"),
    Column("character_errors", "count", "characters wrong, missing or too many"),
    Column("reference_characters", "count", "characters to be sung"),
    Column("failure", "text", "`good`, `garbled`, `unrelated`, `boilerplate`, `loop` or `silent`"),
    # attention of the heads that follow the words, at the last denoising step
    Column("lyric_mass", "number", "probability on words, mean of the alignment heads", True),
    Column("alignment_score", "number", "ACE-Step's alignment score, 0 to 1", True),
    Column("alignment_null", "number", "the same with the tokens of words shuffled", True),
)  # fmt: skip

HEAD_COLUMNS: tuple[Column, ...] = (
    Column("layer", "count", "layer of the transformer, from 0"),
    Column("head", "count", "head of the layer, from 0"),
    Column("lyric_mass", "number", "probability on words, mean over time", True),
    Column("lyric_mass_null", "number", "the same with the lyric tokens shuffled", True),
    Column("entropy", "number", "entropy over the lyric tokens, renormalised, mean over time, nats", True),
    Column("entropy_null", "number", "that of attention spread evenly: log of the number of lyric tokens", True),
    Column("dominant", "number", "share of time bins whose strongest lyric token is the most frequent such one", True),
    Column("dominant_null", "number", "the same with the tokens shuffled in every time bin, mean of 200 draws", True),
    Column("dominant_token", "text", "that token, and its word where it is a part of one; empty where there is none"),
    Column("dominant_kind", "text", "`word`, `structure`, or empty"),
    Column("switch_rate", "number", "share of neighbouring time bins whose strongest lyric tokens differ", True),
    Column("switch_rate_null", "number", "the same with the time bins shuffled, exact expectation", True),
    Column("diagonal", "number", "share of attention on words within a tenth of them of the straight way", True),
    Column("diagonal_null", "number", "the same with the words' tokens shuffled, exact expectation", True),
    Column("order", "number", "rank correlation of time and strongest word token; 0 where that never changes", True),
    Column("order_null", "number", "what its size stays below in 95 of 100 shuffles of the words' tokens", True),
)  # fmt: skip

_TYPES = {"text": pa.string(), "count": pa.int64(), "number": pa.float64()}
_NARROW = {"text": pa.string(), "count": pa.int16(), "number": pa.float32()}
_HEAD_TYPE = pa.list_(pa.struct([pa.field(c.name, _NARROW[c.kind]) for c in HEAD_COLUMNS]))
_SCHEMA = pa.schema([*(pa.field(c.name, _TYPES[c.kind]) for c in SONG_COLUMNS), pa.field(_HEADS, _HEAD_TYPE)])


@dataclass(frozen=True)
class Table:
    """``songs``: a row per prompt, seed, composition and judge, columns :data:`SONG_COLUMNS`.

    ``heads``: a row per prompt, seed, composition, layer and head, columns :data:`CELL` and :data:`HEAD_COLUMNS`; empty
    where no attention was captured. ``about``: how the table was made (model, adapters, judges, versions, command).
    """

    songs: pd.DataFrame
    heads: pd.DataFrame
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def judges(self) -> list[str]:
        """Names of the judges, in order of their first row."""
        return list(dict.fromkeys(self.songs["judge"]))

    @property
    def compositions(self) -> list[str]:
        """Names of the compositions, in order of their first row."""
        return list(dict.fromkeys(self.songs["composition"]))

    def of_judge(self, judge: str) -> pd.DataFrame:
        """The songs as one judge heard them.

        Raises:
            TableError: no such judge listened.
        """
        if judge not in self.judges:
            raise TableError(f"the judge {judge!r} is not in the table: it has {', '.join(self.judges) or 'no rows'}")
        found: pd.DataFrame = self.songs[self.songs["judge"] == judge]
        return found

    def write(self, path: Path) -> None:
        """Write one Parquet file, all of it or nothing.

        Raises:
            TableError: a column is missing, a key stands twice, or the disk is full.
        """
        checked = check(self)
        nested = _nest(checked.heads)
        rows = checked.songs.to_dict("records")
        for row in rows:
            row[_HEADS] = nested.get(tuple(row[key] for key in CELL), [])
        about = json.dumps(self.about, ensure_ascii=False).encode()
        made = pa.Table.from_pylist(rows, schema=_SCHEMA).replace_schema_metadata({_ABOUT: about})
        out = io.BytesIO()
        pq.write_table(made, out, compression="zstd", compression_level=15)
        try:
            write_bytes_atomically(path, out.getvalue())
        except OSError as error:
            raise TableError(
                f"the table {path} cannot be written ({error.strerror or error}): free some space or choose another "
                "folder; what was sung and judged is kept"
            ) from error

    def write_csv(self, folder: Path) -> None:
        """Write ``table.csv`` and ``heads.csv``, UTF-8 with a header, into ``folder``.

        Raises:
            TableError: see :meth:`write`.
        """
        checked = check(self)
        try:
            write_text_atomically(folder / SONGS_CSV, checked.songs.to_csv(index=False, lineterminator="\n"))
            write_text_atomically(folder / HEADS_CSV, checked.heads.to_csv(index=False, lineterminator="\n"))
        except OSError as error:
            raise TableError(f"no CSV can be written into {folder} ({error.strerror or error})") from error


def read_table(path: Path) -> Table:
    """The table in a Parquet file, or in a folder that holds one as ``table.parquet``.

    Raises:
        TableError: there is none, or the file is something else.
    """
    file = path / PARQUET if path.is_dir() else path
    try:
        made = pq.ParquetFile(file).read()
        about = json.loads((made.schema.metadata or {}).get(_ABOUT, b"{}"))
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = "there is none" if isinstance(error, FileNotFoundError) else str(error).splitlines()[0]
        raise TableError(f"{file} is no results table ({reason}): `choirmaster eval --out FOLDER` makes one") from error
    if missing := [name for name in _SCHEMA.names if name not in made.schema.names]:
        raise TableError(f"{file} lacks the columns {', '.join(missing)}: it is no results table of this version")
    rows = made.select([c.name for c in SONG_COLUMNS]).to_pylist()
    heads = _unnest(rows, made.column(_HEADS).to_pylist())
    return check(Table(make_songs(rows), heads, about if isinstance(about, dict) else {}), str(file))


def make_songs(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with all columns and their types; absent optional values become NaN."""
    return _frame(rows, SONG_COLUMNS)


def make_heads(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows, each with the keys of :data:`CELL`, as a frame of heads."""
    return _frame(rows, _KEYED_HEADS)


def check(table: Table, name: str = "the table") -> Table:
    """The table with its columns in order.

    Raises:
        TableError: a column is missing, a value is absent that may not be, or a key stands twice.
    """
    for frame, columns, keys in (
        (table.songs, SONG_COLUMNS, KEYS),
        (table.heads, _KEYED_HEADS, (*CELL, "layer", "head")),
    ):
        if missing := [c.name for c in columns if c.name not in frame.columns]:
            raise TableError(f"{name} lacks the columns {', '.join(missing)}")
        if empty := [c.name for c in columns if not c.optional and frame[c.name].isna().any()]:
            raise TableError(f"{name} has rows without {', '.join(empty)}")
        twice = frame.loc[frame.duplicated(list(keys)), list(keys)]
        if len(twice):
            raise TableError(f"{name} has {len(twice)} rows twice, the first of {', '.join(map(str, twice.iloc[0]))}")
    order = [c.name for c in SONG_COLUMNS]
    return Table(table.songs[order], table.heads[[c.name for c in _KEYED_HEADS]], table.about)


_KEYED_HEADS = (*(c for c in SONG_COLUMNS if c.name in CELL), *HEAD_COLUMNS)
_PANDAS = {"text": "object", "count": "int64", "number": "float64"}


def _frame(rows: list[dict[str, Any]], columns: tuple[Column, ...]) -> pd.DataFrame:
    made = {c.name: [row.get(c.name) for row in rows] for c in columns}
    if missing := [c.name for c in columns if c.kind == "count" and any(value is None for value in made[c.name])]:
        raise TableError(f"rows without {', '.join(missing)} are none of a results table")
    return pd.DataFrame({c.name: pd.Series(made[c.name], dtype=_PANDAS[c.kind]) for c in columns})


def _nest(heads: pd.DataFrame) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    nested: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in heads.to_dict("records"):
        nested.setdefault(tuple(row[key] for key in CELL), []).append({c.name: row[c.name] for c in HEAD_COLUMNS})
    return nested


def _unnest(rows: list[dict[str, Any]], nested: list[list[dict[str, Any]] | None]) -> pd.DataFrame:
    """Every cell's heads once, whoever judged it."""
    cells: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row, heads in zip(rows, nested, strict=True):
        cells.setdefault(tuple(row[key] for key in CELL), heads or [])
    return make_heads(
        [{**dict(zip(CELL, cell, strict=True)), **head} for cell, found in cells.items() for head in found]
    )
