import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from engine.codec import LOG_F0, WorldCodec
from engine.genres import GENRES, read_caption
from engine.lyrics import Line, normalise, parse_lyrics
from engine.phonemes import VOWELS
from engine.plan import make_plan
from engine.tokenizer import SongTokenizer, lyric_tokens
from tests.training.planted_bank import LINES, planted_bank
from training.captions import make_caption, tempo_word
from training.corpus import alignment_targets, draw_song, encode, pack_clips, read_corpus, split_bank
from training.singing import Singer
from training.speech import SpokenWord
from training.styles import STYLES, well_covered
from training.texts import corpus_lines, grammar_lines, written_lines

TOKENIZER = SongTokenizer()


@pytest.fixture(scope="module")
def bank() -> list[tuple[Line, list[SpokenWord]]]:
    return planted_bank()


@pytest.fixture(scope="module")
def singer(bank: list[tuple[Line, list[SpokenWord]]]) -> Singer:
    return Singer(bank)


def test_every_phone_sounds_where_the_plan_says(bank: list[tuple[Line, list[SpokenWord]]], singer: Singer) -> None:
    _line, words = bank[0]
    lyrics = parse_lyrics(LINES[0])
    plan = make_plan(lyrics, "folk", "low", 120, 1)
    sung = singer.sing(words, plan, STYLES["folk"])
    assert sung.features.shape == (plan.frames * 4, 35)
    tokens = lyric_tokens(lyrics)
    phone_at, slot_at = alignment_targets(sung, tokens)
    for note in plan.notes:
        span = slice(note.start, note.start + note.frames)
        slots = {tokens[i].text for i in slot_at[span].ravel()}
        assert slots == {f"<s{note.slot}>"}
        heard = [tokens[i].text for i in phone_at[span].ravel()]
        expected = [t.text for t in tokens if t.kind == "phone" and t.syllable == note.slot]
        assert list(dict.fromkeys(heard)) == expected
        vowel = next(t for t in expected if t in VOWELS)
        assert Counter(heard).most_common(1)[0][0] == vowel or note.frames <= 4, "the vowel fills the note"
    assert {tokens[i].text for i in phone_at[: plan.notes[0].start].ravel()} == {"<bos>"}
    assert tokens[phone_at[-1, -1]].text == "<eos>"


def test_the_melody_is_the_plans(bank: list[tuple[Line, list[SpokenWord]]], singer: Singer) -> None:
    plan = make_plan(parse_lyrics(LINES[0]), "edm", "low", 120, 1)
    style = STYLES["edm"]
    assert style.vibrato[0] == 0 and style.glide == 1
    sung = singer.sing(bank[0][1], plan, style)
    for note in plan.notes:
        hertz = np.exp(sung.features[note.start * 4 : (note.start + note.frames) * 4, LOG_F0])
        np.testing.assert_allclose(hertz, 440 * 2 ** ((note.midi - 69) / 12), rtol=1e-5)


def test_labels_are_as_noisy_as_the_card_says(bank: list[tuple[Line, list[SpokenWord]]], singer: Singer) -> None:
    rng = random.Random(0)
    records = [draw_song(bank, singer, TOKENIZER, rng)[2] for _ in range(900)]
    by_coverage: dict[str, Counter[str]] = {}
    for record in records:
        by_coverage.setdefault(STYLES[record.genre].coverage.name, Counter())[record.label] += 1
    for name, counts in by_coverage.items():
        coverage = next(s.coverage for s in STYLES.values() if s.coverage.name == name)
        sung = counts.total() - counts["instrumental"]
        for label, share in (("missing", coverage.missing), ("wrong", coverage.wrong)):
            four_sigma = 4 * (share * (1 - share) / sung) ** 0.5
            assert counts[label] / sung == pytest.approx(share, abs=four_sigma)
    shares = {name: counts.total() for name, counts in by_coverage.items()}
    assert shares["well covered"] > 2 * shares["thinly covered"] > 2 * shares["poorly covered"]
    missing = [r for r in records if r.label == "missing"]
    assert missing and all(r.lyrics == "" for r in missing)


def test_clips_survive_their_file(bank: list[tuple[Line, list[SpokenWord]]], singer: Singer, tmp_path: Path) -> None:
    rng = random.Random(0)
    drawn = [draw_song(bank, singer, TOKENIZER, rng) for _ in range(12)]
    codec = WorldCodec()
    codec.fit([sung.features for sung, _, _ in drawn])
    clips = [encode(codec, sung, clip) for sung, clip, _ in drawn]
    (tmp_path / "songs-0000.npz").write_bytes(pack_clips(clips, [r for _, _, r in drawn]))
    found, records = read_corpus(tmp_path)
    assert records == [r for _, _, r in drawn]
    for a, b in zip(clips, found, strict=True):
        for name in ("latents", "notes", "lyric_ids", "caption_ids", "phone_at", "slot_at"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert a.aligned == b.aligned


def test_validation_lines_are_never_trained_on(bank: list[tuple[Line, list[SpokenWord]]]) -> None:
    kept, held = split_bank(bank)
    assert len(kept) + len(held) == len(bank) and not {id(k) for k in kept} & {id(h) for h in held}


def test_captions_describe_their_song() -> None:
    rng = random.Random(0)
    right = 0
    for _ in range(300):
        genre, voice = rng.choice(sorted(GENRES)), rng.choice(("low", "high"))
        low, high = GENRES[genre].bpm
        bpm = rng.uniform(low, high)
        reading = read_caption(make_caption(genre, voice, bpm, rng))  # type: ignore[arg-type]
        right += reading.genre == genre
        assert reading.tempo in (None, tempo_word(genre, bpm)) or reading.genre != genre
    assert right > 280


def test_no_evaluation_line_is_in_the_corpus() -> None:
    prompts = Path(__file__).parents[2] / "eval" / "prompts" / "everyday.jsonl"
    tested = {
        normalise(line)
        for row in prompts.read_text(encoding="utf-8").splitlines()
        for line in json.loads(row)["lyrics"].split("\n")
    } - {""}
    lines = corpus_lines(5600)
    assert len(set(lines)) == 5600 and not tested & set(lines)


def test_texts_are_broad_and_reproducible() -> None:
    assert len({w for line in written_lines() for w in line.split()}) > 3500
    assert grammar_lines(50, 1) == grammar_lines(50, 1) != grammar_lines(50, 2)
    assert not any(" a i" in line or " a o" in line or " a e" in line for line in grammar_lines(500, 3))


def test_twelve_genres_are_well_covered() -> None:
    assert set(STYLES) == set(GENRES) and len(well_covered()) == 12
