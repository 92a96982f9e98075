"""What the corpus sings: hand-written lines and a grammar over everyday words.

Written lines carry natural phrasing; the grammar spreads the rest of the vocabulary evenly, least used words first. No
line of the evaluation prompts may appear here (checked by a test).
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path

from engine.lyrics import normalise, parse_lyrics
from engine.phonemes import known

_FOLDER = Path(__file__).parent / "texts"
SYLLABLES = (4, 11)


def written_lines() -> list[str]:
    """The hand-written lines, duplicates and lines of unusual length removed, in file order."""
    lines: dict[str, None] = {}
    for path in sorted(_FOLDER.glob("lines_*.txt")):
        for raw in path.read_text(encoding="utf-8").splitlines():
            lines.setdefault(normalise(raw))
    return [line for line in lines if _fits(line)]


def grammar_lines(count: int, seed: int) -> list[str]:
    """``count`` different lines from the grammar; rare words are drawn first, so that all words are heard about
    equally."""
    data = json.loads((_FOLDER / "grammar.json").read_text(encoding="utf-8"))
    pools = {name: [w for w in dict.fromkeys(words.split()) if known(w)] for name, words in data["words"].items()}
    rng, used, lines = random.Random(seed), Counter[str](), dict[str, None]()
    while len(lines) < count:
        words = []
        for slot in rng.choice(data["templates"]).split():
            pool = pools.get(slot)
            if pool:
                fewest = min(used[w] for w in pool)
                slot = rng.choice([w for w in pool if used[w] <= fewest + 1])
            words.append(slot)
        line = re.sub(r"\ba (?=[aeio]|u(?!ni|s))", "an ", " ".join(words))
        if line not in lines and _fits(line):
            lines[line] = None
            used.update(words)
    return list(lines)


def corpus_lines(count: int, seed: int = 1) -> list[str]:
    """``count`` lines, all written ones first in a mixed order, the rest from the grammar."""
    written = written_lines()
    random.Random(seed).shuffle(written)
    written = written[:count]
    lines = written + grammar_lines(count - len(written), seed)
    random.Random(seed + 1).shuffle(lines)
    return lines


def _fits(line: str) -> bool:
    lyrics = parse_lyrics(line)
    return (
        len(lyrics.lines) == 1
        and SYLLABLES[0] <= lyrics.syllables <= SYLLABLES[1]
        and all(known(w.text) for w in lyrics.words)
    )
