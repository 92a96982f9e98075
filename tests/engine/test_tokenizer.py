from pathlib import Path

from diffusers import AceStepPipeline
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.lyrics import parse_lyrics
from engine.tokenizer import MAX_CAPTION_TOKENS, SongTokenizer, lyric_tokens

TOKENIZER = SongTokenizer()


def lyric_prompt(lyrics: str) -> str:
    return f"# Languages\nen\n\n# Lyric\n{lyrics}<|endoftext|>"


def test_lyrics_become_slots_and_phones() -> None:
    found = TOKENIZER.tokenize(lyric_prompt("[verse]\nhello\nstone"))
    assert found == "<bos> [verse] <s0> HH AH <s1> L OW <line> <s2> S T OW N_ <eos>".split()


def test_every_token_knows_its_word() -> None:
    tokens = lyric_tokens(parse_lyrics("[verse]\nhello there\n[chorus]\nstone"))
    assert [t.word for t in tokens if t.kind == "slot"] == [0, 0, 1, 2]
    assert {t.word for t in tokens if t.kind in ("tag", "special")} == {-1}
    assert [t.syllable for t in tokens if t.kind == "slot"] == [0, 1, 2, 3]


def test_the_real_pipelines_prompts_are_understood() -> None:
    text, lyrics = AceStepPipeline._format_prompt(AceStepPipeline, "a mellow folk song", "hello")
    assert TOKENIZER.tokenize(text)[0] == "<caption>" and "w:folk" in TOKENIZER.tokenize(text)
    assert "w:bpm" not in TOKENIZER.tokenize(text), "instruction and metas are not part of the caption"
    assert TOKENIZER.tokenize(lyrics) == "<bos> <s0> HH AH <s1> L OW <eos>".split()


def test_unknown_caption_words_are_spelt() -> None:
    assert TOKENIZER.caption_tokens("zydeco folk") == ["<caption>", *(f"c:{c}" for c in "zydeco"), "w:folk"]


def test_saves_and_loads(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    loaded = SongTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == TOKENIZER.get_vocab() and len(loaded) == loaded.vocab_size
    ids = loaded(lyric_prompt("left by the river"), return_tensors="pt").input_ids[0].tolist()
    assert ids == TOKENIZER.ids(TOKENIZER.tokenize(lyric_prompt("left by the river")))


def test_special_tokens_typed_by_a_user_are_text() -> None:
    assert TOKENIZER.tokenize(lyric_prompt("<eos> <s5>")).count("<eos>") == 1
    assert TOKENIZER("<pad> folk").input_ids.count(0) == 0


@settings(max_examples=50)
@given(st.text(max_size=200))
def test_any_text_gives_known_ids(text: str) -> None:
    for prompt in (text, lyric_prompt(text)):
        ids = TOKENIZER(prompt).input_ids
        assert all(0 <= i < TOKENIZER.vocab_size for i in ids)
    assert len(TOKENIZER(text.replace("# Lyric", "")).input_ids) <= MAX_CAPTION_TOKENS
