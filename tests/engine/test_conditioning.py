"""Which of the tokens the transformer hears are words, for the embedded tokenizer and for one of the real kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tokenizers import decoders

from engine.conditioning import TokenKind, encode_condition, lyric_kinds
from engine.lyrics import parse_lyrics
from engine.plan import make_plan
from engine.song_model import SongModel
from engine.tokenizer import SongTokenizer
from tests.engine.real_tokenizer import real_pipeline

WORD, STRUCTURE = TokenKind.WORD, TokenKind.STRUCTURE
LYRICS = (
    "[verse - soft]\nHello, my friend!\nDon't go -- 'til nine\n\n[Chorus 2]\nOh (ooh yeah)\u2026 caf\u00e9\n[outro]"
)
PLANTED = [*"Hello my friend Don't go til nine Oh ooh yeah café".split()]


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return real_pipeline()


def tokens_of(pipeline: Any, lyrics: str) -> list[str]:
    """The text of every token as the pipeline's ``encode_prompt`` makes them."""
    prompt = pipeline._format_prompt(prompt="", lyrics=lyrics)[1]
    ids = pipeline.tokenizer([prompt], padding="longest", truncation=True, max_length=2048).input_ids[0]
    return [pipeline.tokenizer.backend_tokenizer.id_to_token(i) for i in ids]


def letters(token: str) -> str:
    text: str = decoders.ByteLevel().decode([token])
    return text


def test_exactly_the_tokens_of_sung_words_are_words(pipeline: Any) -> None:
    tokens, kinds = tokens_of(pipeline, LYRICS), lyric_kinds(pipeline, LYRICS)
    assert len(kinds) == len(tokens)
    words = decoders.ByteLevel().decode([t for t, kind in zip(tokens, kinds, strict=True) if kind == WORD])
    rest = decoders.ByteLevel().decode([t for t, kind in zip(tokens, kinds, strict=True) if kind == STRUCTURE])
    planted = "".join(PLANTED).replace("'", "")
    assert "".join(c for c in words if c.isalnum()) == planted
    # the header, the tags and both end markers, and of the words nothing
    left = "".join(c for c in rest if c.isalnum())
    assert left == "LanguagesenLyric" + "versesoft" + "Chorus2" + "outro" + "endoftext" * 2
    assert len([k for k in kinds if k == WORD]) > len(PLANTED), "the small vocabulary cuts words in pieces"


@pytest.mark.parametrize("lyrics", ["", "[verse]", "[intro]\n\n[instrumental]", "...", " \n "])
def test_lyrics_without_words_have_no_word(pipeline: Any, random_model: SongModel, lyrics: str) -> None:
    assert WORD not in lyric_kinds(pipeline, lyrics) and lyric_kinds(pipeline, lyrics)
    assert WORD not in lyric_kinds(random_model.pipeline, lyrics)


@pytest.mark.parametrize(
    "lyrics", ["# Lyric\nhello", "hello <|endoftext|> there", "hello\n# Languages\nthere", "[a [b] c"]
)
def test_lyrics_that_look_like_the_wrapping_still_have_a_kind_for_every_token(pipeline: Any, lyrics: str) -> None:
    tokens, kinds = tokens_of(pipeline, lyrics), lyric_kinds(pipeline, lyrics)
    assert len(tokens) == len(kinds)
    assert all(kind == STRUCTURE for token, kind in zip(tokens, kinds, strict=True) if token == "<|endoftext|>")
    assert WORD in kinds


def test_kinds_end_where_the_pipeline_cuts_the_lyrics_off(pipeline: Any) -> None:
    lyrics = "hello my friend\n" * 600
    assert len(lyric_kinds(pipeline, lyrics)) == len(tokens_of(pipeline, lyrics)) == 2048


def test_the_embedded_tokenizers_words_are_slots_and_phones(random_model: SongModel) -> None:
    lyrics = "[verse]\nhello there\n[chorus]\nmy friend\n[outro]"
    kinds = lyric_kinds(random_model.pipeline, lyrics)
    tokens = SongTokenizer().tokenize(f"# Languages\nen\n\n# Lyric\n{lyrics}<|endoftext|>")
    structure = [token for token, kind in zip(tokens, kinds, strict=True) if kind == STRUCTURE]
    assert structure == ["<bos>", "[verse]", "<line>", "[chorus]", "[outro]", "<eos>"]
    words = " ".join(token for token, kind in zip(tokens, kinds, strict=True) if kind == WORD)
    assert words == "<s0> HH AH <s1> L OW <s2> DH EH R_ <s3> M AY <s4> F R EH N_ D_"


@pytest.mark.parametrize(
    ("caption", "lyrics"),
    [
        ("a folk song", "hello there\nmy friend"),
        ("", ""),
        ("jazz", "[verse]"),
        ("x\n# Lyric\nhello", "\n\nhello <|endoftext|> there # Lyric\nfriend\n"),
        ("long words " * 60, "one two three " * 10),
    ],
)
def test_every_packed_token_has_its_kind(random_model: SongModel, caption: str, lyrics: str) -> None:
    condition = encode_condition(random_model, caption, lyrics, 4.0)
    pipeline = random_model.pipeline
    text, _, lyric, _ = pipeline.encode_prompt(caption, lyrics, torch.device("cpu"), audio_duration=4.0)
    assert condition.packed.shape[:2] == (1, len(condition.kinds))
    counts = {kind: int((condition.kinds == kind).sum()) for kind in TokenKind}
    assert counts[TokenKind.PADDING] == 0 and counts[TokenKind.TIMBRE] == 1
    assert counts[TokenKind.CAPTION] == text.shape[1]
    assert counts[WORD] + counts[STRUCTURE] == lyric.shape[1]
    parsed = parse_lyrics(lyrics)
    phones = sum(1 + len(s.phones) for word in parsed.words for s in word.syllables)
    assert counts[WORD] == phones
    order = condition.kinds.tolist()
    assert order.index(TokenKind.TIMBRE) == lyric.shape[1], "lyrics, timbre, caption"


def test_tokens_and_plan_agree_about_an_end_marker_in_the_lyrics(random_model: SongModel) -> None:
    lyrics = "hello <|endoftext|> there"
    parsed = parse_lyrics(lyrics)
    plan = make_plan(parsed, "folk", "low", 120, 1)
    tokens = random_model.pipeline.tokenizer.tokenize(f"# Lyric\n{lyrics}<|endoftext|>")
    assert sum(token.startswith("<s") for token in tokens) == len(plan.notes) == parsed.syllables


def test_training_and_singing_hear_the_same(random_model: SongModel) -> None:
    from engine.request import SongRequest
    from engine.singer import Singer

    request = SongRequest(caption="folk", lyrics="hello there", seed=1)
    sung = Singer(random_model).condition(request, 4.0).packed
    assert torch.equal(sung, encode_condition(random_model, "folk", "hello there", 4.0).packed)


def test_words_move_their_own_tokens_of_the_packed_condition(random_model: SongModel) -> None:
    one, other = (encode_condition(random_model, "folk", f"hello {word}", 4.0) for word in ("light", "night"))
    assert torch.equal(one.kinds, other.kinds)
    differs = (one.packed - other.packed).abs().amax(-1)[0] > 1e-6
    assert differs[one.kinds == WORD].any() and not differs[one.kinds == TokenKind.CAPTION].any()
    assert not differs[one.kinds == TokenKind.TIMBRE].any()
