"""Word errors on the words as they were typed: which was missed, heard as another, or followed by extra ones.

Knows lyrics as typed and the steps of one alignment (``eval.wer``); not how they are drawn, nor who judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

from eval.text import reference_words, sung_lines
from eval.wer import WordPair

#: Kind of a step, the sign that says it without colour, and what it means.
LEGEND = (
    ("equal", "", "as written"),
    ("substitute", "≠", "another word"),
    ("delete", "−", "missing"),
    ("insert", "+", "extra"),
)
SIGNS = {kind: sign for kind, sign, _ in LEGEND}


@dataclass
class Token:
    """One written word and what became of it: the alignment steps of the normalised words it stands for."""

    written: str
    steps: list[dict[str, str]] = field(default_factory=list)


class Mark(NamedTuple):
    """One word as it is shown: its kind, its text (empty for the gap a missing word leaves), and its error in words."""

    kind: str
    text: str
    said: str = ""


def align_pairs(lyrics: str, pairs: Iterable[WordPair]) -> list[list[Token]]:
    """:func:`align_lines` for the alignment of ``eval.wer.score``."""
    return align_lines(lyrics, [asdict(pair) for pair in pairs])


def align_lines(lyrics: str, words: list[dict[str, str]]) -> list[list[Token]]:
    """Share the alignment out among the written words, line by line.

    The judge's words are normalised ("don't" is two, "twenty one" is one), so each written word takes as many as it
    normalises to; where that does not add up over a line, or the song, the normalised words are shown instead.
    """
    reference = [w["reference"] for w in words if w["reference"]]
    lines = [[Token(word) for word in line.split()] for line in sung_lines(lyrics)]
    sizes = [[len(reference_words(token.written)) for token in line] for line in lines]
    if [w for line in lines for token in line for w in reference_words(token.written)] != reference:
        by_line = [reference_words(line) for line in sung_lines(lyrics)]
        if [w for line in by_line for w in line] != reference:
            by_line = [reference]
        lines = [[Token(word) for word in line] for line in by_line]
        sizes = [[1] * len(line) for line in by_line]
    owners = [token for line, row in zip(lines, sizes, strict=True) for token, size in zip(line, row, strict=True)
              for _ in range(size)]  # fmt: skip
    if not owners:
        return [[Token("", list(words))]]
    at = -1
    for step in words:
        at += bool(step["reference"])
        owners[max(0, at)].steps.append(step)
    return lines


def mark_written(tokens: Sequence[Token]) -> list[Mark]:
    """The words of one line as they were to be sung."""
    return [_written(token) for token in tokens]


def mark_heard(tokens: Sequence[Token]) -> list[Mark]:
    """The words of one line as they were heard."""
    return [_heard(step) for token in tokens for step in token.steps]


def _written(token: Token) -> Mark:
    kinds = {step["kind"] for step in token.steps if step["reference"]}
    if kinds <= {"equal"}:
        return Mark("equal", token.written)
    if kinds == {"delete"}:
        return Mark("delete", token.written, "missing")
    heard = " ".join(step["heard"] for step in token.steps if step["heard"] and step["reference"])
    return Mark("substitute", token.written, f"heard as {heard}")


def _heard(step: dict[str, str]) -> Mark:
    kind = step["kind"]
    if kind == "delete":
        return Mark(kind, "")
    said = {"insert": "extra", "substitute": f"instead of {step['reference']}"}
    return Mark(kind, step["heard"], said.get(kind, ""))
