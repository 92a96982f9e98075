"""Sung and studio corpora: who sings what and how, words timed as they sound, and nothing that evaluation asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.codec import CEPSTRA, WORLD_RATE
from engine.lyrics import parse_lyrics
from engine.plan import FRAME_RATE, Plan, make_plan
from engine.planning import plan_song
from engine.request import SongRequest
from engine.tokenizer import MAX_CAPTION_TOKENS, SongTokenizer
from eval.prompts import read_prompts
from tests.training.planted_bank import LINES, Bank, planted_bank, write_work
from training.audit import audit, check_variant, count_words
from training.corpus import split_bank
from training.manifest import ClipEntry, NewClip, read_corpus, write_corpus
from training.singing import Singer
from training.speech import read_bank
from training.studio import PACES, SINGERS, TECHNIQUES, ClipMaker, Kind, about, render_clips
from training.styles import STYLES
from training.texts import corpus_lines


@pytest.fixture(scope="module")
def bank() -> Bank:
    return planted_bank()


@pytest.fixture(autouse=True, scope="module")
def one_vocal_tract() -> Iterator[None]:
    """Fitting how each technique shapes the voice takes a second each, and no test here listens for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Singer, "shift", lambda *_: np.eye(CEPSTRA, dtype=np.float32))
        yield


def unheard(bank: Bank, kind: Kind, count: int) -> list[NewClip]:
    """Clips of silence, for looking at all that stands in the manifest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.studio.synthesise", lambda features: np.zeros(len(features) * 160, np.float32))
        maker = ClipMaker(bank, seed=3)
        return [getattr(maker, kind)(number) for number in range(count)]


@pytest.fixture(scope="module")
def takes(bank: Bank) -> list[NewClip]:
    return unheard(bank, "studio", 120)


@pytest.fixture(scope="module")
def songs(bank: Bank) -> list[NewClip]:
    return unheard(bank, "sung", 160)


def entry(clip: NewClip) -> ClipEntry:
    measured = {"audio": f"audio/{clip.name}.flac", "sha256": "0" * 64}
    return ClipEntry.model_validate({**clip.fields, **measured, "seconds": clip.audio.shape[1] / clip.sampling_rate})


def test_every_singer_technique_and_pace_occurs(takes: list[NewClip]) -> None:
    made = [entry(take) for take in takes]
    assert Counter(e.singer for e in made) == {singer.name: 40 for singer in SINGERS}
    styles = Counter(e.style for e in made)
    assert styles["neutral"] == 60 and set(styles) == set(TECHNIQUES)
    assert min(styles.values()) >= 4
    paces = Counter(tag for e in made for tag in e.tags if tag in PACES)
    assert set(paces) == set(PACES) and paces.total() == 120 and min(paces.values()) >= 25
    for singer in SINGERS:
        assert {e.style for e in made if e.singer == singer.name} == set(TECHNIQUES)
    assert {e.lyrics.count("\n") for e in made} == {1, 2, 3}, "one to three lines under a tag"


def test_captions_and_tags_say_what_is_sung(takes: list[NewClip]) -> None:
    tokenizer = SongTokenizer()
    for made in map(entry, takes):
        singer = next(s for s in SINGERS if s.name == made.singer)
        gender = "female" if singer.voice == "high" else "male"
        assert made.tags[:5] == ("a cappella", "studio", singer.range, gender, made.style)
        pace = made.tags[5]
        how = "clear" if made.style == "neutral" else made.style
        assert made.caption.endswith(f"{gender} {singer.range}, {how} singing, {pace} pace")
        assert made.plan is not None and made.plan.voice == singer.voice
        low, high = PACES[pace]
        assert low <= made.plan.bpm <= high
        tokens = tokenizer.caption_tokens(made.caption)
        assert len(tokens) < MAX_CAPTION_TOKENS and tokens[-1] == "w:pace", "nothing of it is cut off"


def check_words(made: ClipEntry) -> None:
    """The words with their times are those of the lyrics, and sound where the plan has them."""
    assert made.words is not None and made.plan is not None
    parsed = parse_lyrics(made.lyrics)
    assert [word.text for word in made.words] == [word.text for word in parsed.words]
    notes = iter(made.plan.notes)
    for timed, word in zip(made.words, parsed.words, strict=True):
        own = [next(notes) for _ in word.syllables]
        assert timed.start == pytest.approx(own[0].start / FRAME_RATE)
        assert timed.end == pytest.approx((own[-1].start + own[-1].frames) / FRAME_RATE)
        assert [(n.start, n.end, n.midi) for n in timed.notes] == [
            pytest.approx((n.start / FRAME_RATE, (n.start + n.frames) / FRAME_RATE, n.midi)) for n in own
        ]
    assert next(notes, None) is None and made.seconds == pytest.approx(made.plan.seconds)


def test_words_of_takes_are_true_and_timed(takes: list[NewClip]) -> None:
    for made in map(entry, takes):
        check_words(made)
        assert made.lyrics.startswith("[verse]\n")


def test_words_sound_when_they_are_said_to(bank: Bank) -> None:
    """Against the sound itself: the voice is on within words and off before the first."""
    maker = ClipMaker(bank)
    for number in range(4):
        take = maker.studio(number)
        made = entry(take)
        assert made.words is not None
        level = np.abs(take.audio[0]).reshape(-1, WORLD_RATE // FRAME_RATE).max(1)
        begin, end = round(made.words[0].start * FRAME_RATE), round(made.words[-1].end * FRAME_RATE)
        assert np.median(level[begin:end]) > 5 * level[: begin - 1].max()
        assert take.audio.shape[0] == 1 and np.abs(take.audio).max() <= 0.9901


@pytest.mark.parametrize("kind", ["studio", "sung", "genres"])
def test_a_clip_depends_on_its_number_and_the_seed_alone(bank: Bank, kind: str) -> None:
    maker, another = ClipMaker(bank, seed=3), ClipMaker(bank, seed=3)
    clips = [getattr(maker, kind)(number) for number in range(2)]
    again = getattr(another, kind)(1)
    assert again.name == clips[1].name and again.fields == clips[1].fields
    np.testing.assert_array_equal(again.audio, clips[1].audio)
    other = getattr(ClipMaker(bank, seed=4), kind)(1)
    assert other.fields != clips[1].fields != clips[0].fields


def test_the_sung_corpus_keeps_the_noise_of_its_labels(songs: list[NewClip]) -> None:
    made = [entry(song) for song in songs]
    assert {e.style for e in made} >= {g for g, s in STYLES.items() if s.coverage.share > 1}
    true = [e for e in made if e.words is not None]
    for e in true:
        check_words(e)
    rest = [e for e in made if e.words is None]
    missing = [e for e in rest if not count_words(e.lyrics) and any(n.slot >= 0 for n in e.plan.notes)]  # type: ignore[union-attr]
    wrong = [e for e in rest if count_words(e.lyrics)]
    instrumental = [e for e in rest if all(n.slot < 0 for n in e.plan.notes)]  # type: ignore[union-attr]
    assert len(missing) + len(wrong) + len(instrumental) == len(rest)
    # by the shares of all styles together, within three standard deviations
    shares = [s.coverage for s in STYLES.values()]
    weight = sum(c.share for c in shares)
    for found, expected in (
        (missing, sum(c.share * c.missing for c in shares) / weight),
        (wrong, sum(c.share * c.wrong for c in shares) / weight),
    ):
        assert len(found) / len(made) == pytest.approx(expected, abs=3 * (expected / len(made)) ** 0.5)
    assert wrong and all(
        parse_lyrics(e.lyrics).syllables == sum(n.slot >= 0 for n in e.plan.notes)  # type: ignore[union-attr]
        for e in wrong
    )


def test_a_corpus_of_genres_has_those_in_turn_and_true_words(bank: Bank) -> None:
    maker = ClipMaker(bank, seed=3, wanted=("hip-hop", "celtic"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.studio.synthesise", lambda features: np.zeros(len(features) * 160, np.float32))
        made = [entry(maker.genres(number)) for number in range(80)]
    assert [e.style for e in made] == ["hip-hop", "celtic"] * 40
    for e in made:
        assert count_words(e.lyrics) and e.tags == (e.style,)
        check_words(e)
    assert about("genres", maker.wanted).description == "songs of hip-hop, celtic; words always right"
    assert "all thirty genres" in about("genres").description


def test_plans_of_sung_clips_count_slots_as_their_lyrics_do(songs: list[NewClip]) -> None:
    """The base model's corpus begins at any slot; lyrics that are encoded anew begin at the first."""
    moved = 0
    for made in map(entry, songs):
        assert made.plan is not None
        slots = [n.slot for n in made.plan.notes if n.slot >= 0]
        assert slots == list(range(len(slots)))
        if made.words is not None:
            tokens = SongTokenizer().tokenize(f"# Lyric\n{made.lyrics}")
            assert [t for t in tokens if t.startswith("<s")] == [f"<s{slot}>" for slot in slots]
            request = SongRequest(lyrics=made.lyrics, plan=made.plan, seed=1)
            assert plan_song(request)[0] == made.plan, "it can be asked for again"
            moved += 1
    assert moved > 100


def test_no_line_that_is_evaluated_is_sung() -> None:
    def words(line: str) -> tuple[str, ...]:
        return tuple(word.text for word in parse_lyrics(line).words)

    lines = corpus_lines(5600)  # more than are ever spoken
    asked = {words(line) for prompt in read_prompts() for line in prompt.lines}
    spoken = {words(line) for line in lines}
    assert len(asked) > 450 and not asked & spoken
    bank = planted_bank(lines[::70], 1)
    for made in map(entry, [*unheard(bank, "studio", 60), *unheard(bank, "sung", 60), *unheard(bank, "genres", 60)]):
        sung = [line for line in made.lyrics.split("\n") if words(line)]
        assert not asked & {words(line) for line in sung}
        assert made.words is None or {words(line) for line in sung} <= spoken


def test_validation_lines_are_not_sung(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = write_work(tmp_path, planted_bank(times=1))
    kept, held = split_bank(read_bank(work / "speech"))
    assert [" ".join(w.text for w in line.words) for line, _ in held] == [LINES[0]] and len(kept) == 4
    monkeypatch.setattr("training.studio.synthesise", lambda features: np.zeros(len(features) * 160, np.float32))
    kinds: tuple[Kind, ...] = ("sung", "studio")
    for kind in kinds:
        lyrics = "\n".join(str(clip.fields["lyrics"]) for clip in render_clips(work / "speech", kind, 40, workers=1))
        assert LINES[0] not in lyrics and all(line in lyrics for line in LINES[1:])


def test_the_slowest_and_longest_take_still_fits(bank: Bank) -> None:
    longest = "a window on a river in a valley far away from"  # 14 syllables; the corpus's longest line has 11
    lyrics = parse_lyrics("\n".join([longest] * 3))
    for seed in range(200):
        plan = make_plan(lyrics, sorted(STYLES)[seed % 30], "high", PACES["slow"][0], seed)
        assert isinstance(plan, Plan)


def test_written_takes_pass_the_audit(bank: Bank, tmp_path: Path) -> None:
    maker = ClipMaker(bank)
    list(write_corpus(tmp_path, about("studio"), map(maker.studio, range(6))))
    corpus = read_corpus(tmp_path)
    findings = audit(corpus)
    assert findings.timed == findings.with_words == findings.with_caption == findings.with_tags == 6
    assert not findings.problems and check_variant(findings, "lyrics-asr") == []
    assert corpus.about.licence.startswith("CC0")
