"""The test sets are frozen, the three files share no line, every prompt can be sung; files are read strictly."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from engine.genres import GENRES, read_caption
from engine.lyrics import normalise, parse_lyrics
from engine.phonemes import known
from engine.planning import plan_song
from engine.request import read_request
from eval.prompts import EVERYDAY, ROUTER, TEST, Prompt, PromptError, across_genres, read_prompts
from eval.text import reference_words
from training.texts import corpus_lines

GOOD = '{"id": "a", "genre": "folk", "caption": "c", "tags": [], "lyrics": "la"}\n'


NEW = pytest.mark.parametrize("path", [TEST, ROUTER], ids=lambda path: path.stem)


@pytest.mark.parametrize(
    ("path", "digest"),
    [
        (EVERYDAY, "e10e75f3105ef5e5092828b48e36c2109f175e299a24788bebea3da512713c2f"),
        (TEST, "91fa98785d535a0612fed8392b4f90ec17deff7fd2cac47dfbc58d2a3d035e03"),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_sets_for_measuring_are_frozen(path: Path, digest: str) -> None:
    # A test set that moves measures nothing. To change it, start a new file.
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_everyday_is_thirty_genres_by_four_songs_of_four_lines() -> None:
    prompts = read_prompts()
    assert Counter(p.genre for p in prompts) == dict.fromkeys(GENRES, 4)
    assert all(len(p.lines) == 4 for p in prompts)
    lines = [line.lower() for p in prompts for line in p.lines]
    assert len(set(lines)) == len(lines)


def test_test_set_is_one_song_of_each_genre() -> None:
    prompts = read_prompts(TEST)
    assert [p.genre for p in prompts] == list(GENRES)
    assert [p.id for p in prompts] == [f"test-{spelt(genre)}" for genre in GENRES]
    assert all(6 <= len(p.caption.split()) <= 14 and len(p.tags) == 3 for p in prompts)


def test_router_set_has_ten_songs_of_each_genre() -> None:
    prompts = read_prompts(ROUTER)
    per_genre = Counter(p.genre for p in prompts)
    assert list(per_genre) == list(GENRES)  # in order of first appearance
    assert min(per_genre.values()) >= 10
    assert [p.id for p in prompts] == [f"router-{spelt(g)}-{n + 1:02d}" for g in GENRES for n in range(per_genre[g])]


def test_no_line_or_caption_occurs_twice() -> None:
    # What was sung in training or fitted on cannot show how other words come through.
    prompts = [p for path in (EVERYDAY, TEST, ROUTER) for p in read_prompts(path)]
    texts = Path(__file__).parents[2] / "training" / "texts"
    trained = {normalise(line) for path in texts.glob("lines_*.txt") for line in path.read_text().splitlines()}
    trained |= set(corpus_lines(5600))
    lines = [normalise(line) for p in prompts for line in p.lines]
    captions = [normalise(p.caption) for p in prompts]
    assert len(trained) >= 5600
    assert [line for line, times in Counter(lines).items() if times > 1] == []
    assert [caption for caption, times in Counter(captions).items() if times > 1] == []
    assert trained.intersection(lines) == set()


@NEW
def test_captions_are_read_as_their_genre(path: Path) -> None:
    readings = [(p, read_caption(p.caption)) for p in read_prompts(path)]
    assert [p.id for p, reading in readings if reading.genre != p.genre or not reading.known] == []


@NEW
def test_every_prompt_can_be_sung(path: Path) -> None:
    assert {p.id: fault for p in read_prompts(path) if (fault := fault_of(p))} == {}


@pytest.mark.parametrize(
    ("lyrics", "fault"),
    [
        ("one line\nis not enough", "2 lines"),
        ("la la la la\nla la la la\nla la la la\nla la la", "3 syllables"),
        ("la la la la\nla la la la\nla la la la\nla la la la la la la la la la la la", "12 syllables"),
        ("la la la la\nla la la la\nla la la la\nla la la zzyzxqy", "zzyzxqy is in no dictionary"),
        ("we met at half past nine\ntwo horses in the rain\nla la la la\nla la la la", "92 is several words"),
        ("la la la la\noh la la la\nla la la la\nla la la la", "oh is not compared as a word"),
        ("la la la la\nhmm la la la la\nla la la la\nla la la la", "hmm is not compared as a word"),
    ],
)
def test_faults_are_found(lyrics: str, fault: str) -> None:
    prompt = Prompt(id="a", genre="folk", caption="a folk song", tags=("slow",), lyrics=lyrics)
    assert fault_of(prompt) == fault


def spelt(genre: str) -> str:
    """A genre as it stands in an id."""
    return genre.replace(" ", "_").replace("&", "n")


def fault_of(prompt: Prompt) -> str:
    """What keeps the words of a prompt from being sung and compared; empty where nothing does."""
    parsed = parse_lyrics(prompt.lyrics)
    if not len(parsed.lines) == len(prompt.lines) == 4:
        return f"{len(prompt.lines)} lines"
    for line in parsed.lines:
        if not 4 <= line.syllables <= 11:
            return f"{line.syllables} syllables"
    for word in parsed.words:
        if not known(word.text):
            return f"{word.text} is in no dictionary"
        if word.text in ("oh", "o", "hmm", "mm", "mhm", "mmm", "uh", "um"):
            return f"{word.text} is not compared as a word"
    # The normaliser joins number words that stand side by side: a judge is then charged for other words than were sung.
    words = [word.text for word in parsed.words]
    for first, second in pairwise(words):
        joined = reference_words(f"{first} {second}")
        if len(joined) == 1 and joined[0].isdigit():
            return f"{joined[0]} is several words"
    plan, _ = plan_song(read_request({"lyrics": prompt.lyrics, "caption": prompt.caption}))
    return "" if plan.seconds < 24 else f"{plan.seconds:.1f} s"


def test_any_beginning_has_all_genres() -> None:
    ordered = across_genres(read_prompts())
    assert len(ordered) == 120
    assert len({p.genre for p in ordered[:30]}) == 30
    assert {p.id.rsplit("-", 1)[1] for p in ordered[:30]} == {"1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + '{"id": "b"}\n', r":2 is not a prompt"),
        (GOOD + "nonsense\n", r":2 is not a prompt"),
        (GOOD.replace('"tags"', '"style": 1, "tags"'), r":1 is not a prompt"),
        (GOOD + GOOD, r":2: the id 'a' was used before"),
        ("\n", "holds no prompts"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(PromptError, match=message):
        read_prompts(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="cannot be read"):
        read_prompts(tmp_path / "none.jsonl")
