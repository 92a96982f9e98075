"""The tiny model's tokenizer: phonemes for lyrics, words for captions, behind transformers' ``PreTrainedTokenizer``.

It reads the two prompts that ACE-Step pipelines build ("# Lyric ..." and "# Caption ..."). Lyrics become a slot
token per syllable followed by its phones; captions become words, unknown ones letters. Never raises on any text.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import PreTrainedTokenizer

from engine.genres import caption_words, lexicon
from engine.lyrics import SECTION_TAGS, Lyrics, parse_lyrics
from engine.phonemes import CONSONANTS, VOWELS

MAX_SLOTS = 128
MAX_CAPTION_TOKENS = 64
_SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>", "<line>", "<caption>")
VOCAB_FILE = "vocab.json"


@dataclass(frozen=True)
class LyricToken:
    """One token of the lyric sequence and what it belongs to; ``word`` counts over the song, -1 where there is none."""

    text: str
    kind: Literal["special", "tag", "slot", "phone"]
    line: int = -1
    word: int = -1
    syllable: int = -1


def slot_token(slot: int) -> str:
    return f"<s{min(slot, MAX_SLOTS - 1)}>"


def lyric_tokens(lyrics: Lyrics, first_slot: int = 0) -> list[LyricToken]:
    """``<bos>``, then per line its tags and per syllable a slot token and its phones, lines parted by ``<line>``,
    ``<eos>``.

    Consonants after the vowel have tokens of their own (``T_``), so that a phone's place in its syllable is never
    in doubt.
    """
    out = [LyricToken("<bos>", "special")]
    slot = first_slot
    word_index = 0
    for number, line in enumerate(lyrics.lines):
        if number:
            out.append(LyricToken("<line>", "special", number))
        out += [LyricToken(tag, "tag", number) for tag in line.tags]
        for word in line.words:
            for syllable in word.syllables:
                here = {"line": number, "word": word_index, "syllable": slot - first_slot}
                out.append(LyricToken(slot_token(slot), "slot", **here))
                out += [LyricToken(p, "phone", **here) for p in (*syllable.onset, syllable.vowel)]
                out += [LyricToken(f"{p}_", "phone", **here) for p in syllable.coda]
                slot += 1
            word_index += 1
    out += [LyricToken(tag, "tag") for tag in lyrics.trailing_tags]
    out.append(LyricToken("<eos>", "special"))
    return out


def build_vocabulary() -> list[str]:
    """Every token of the tiny model: specials, section tags, slots, phones, letters, and the lexicon's caption
    words."""
    data = lexicon()
    phrases: list[str] = [p for e in data["genres"].values() for p in (*e["names"], *e["words"])]
    phrases += [p for group in ("tempo", "voice") for words in data[group].values() for p in words] + data["mood"]
    phrases += [re.sub(r"\{\w+\}", " ", t) for t in data["templates"]]
    words = sorted({w for p in phrases for w in caption_words(p)})
    return [
        *_SPECIAL,
        *SECTION_TAGS,
        *(f"<s{i}>" for i in range(MAX_SLOTS)),
        *CONSONANTS,
        *(f"{c}_" for c in CONSONANTS),
        *VOWELS,
        *(f"c:{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789&'"),
        *(f"w:{w}" for w in words),
    ]


class SongTokenizer(PreTrainedTokenizer):
    """Tokenizer of the tiny song model; ``vocab.json`` lists its tokens in order of their ids."""

    vocab_files_names = {"vocab_file": VOCAB_FILE}  # noqa: RUF012
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, vocab_file: str | None = None, **kwargs: Any) -> None:
        tokens = json.loads(Path(vocab_file).read_text(encoding="utf-8")) if vocab_file else build_vocabulary()
        self._tokens: list[str] = tokens
        self._ids = {token: i for i, token in enumerate(tokens)}
        for name in ("pad", "bos", "eos", "unk"):
            kwargs[f"{name}_token"] = f"<{name}>"
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]

    @property
    def vocab_size(self) -> int:
        return len(self._tokens)

    def get_vocab(self) -> dict[str, int]:
        return dict(self._ids)

    def tokenize(
        self, text: str, pair: str | None = None, add_special_tokens: bool = False, **kwargs: Any
    ) -> list[str]:
        """Tokens of an ACE-Step prompt, or of a bare caption. Overridden so that ``<eos>`` typed by a user stays
        text."""
        _, is_lyric, lyrics = text.partition("# Lyric\n")
        if is_lyric:
            return [t.text for t in lyric_tokens(parse_lyrics(lyrics.removesuffix("<|endoftext|>")))]
        _, is_caption, caption = text.partition("# Caption\n")
        if is_caption:
            text = caption.partition("# Metas")[0]
        return self.caption_tokens(text)

    def caption_tokens(self, caption: str) -> list[str]:
        out = ["<caption>"]
        for word in caption_words(caption):
            out += [f"w:{word}"] if f"w:{word}" in self._ids else [f"c:{c}" for c in word[:12]]
        return out[:MAX_CAPTION_TOKENS]

    def ids(self, tokens: Iterable[str]) -> list[int]:
        unknown = self._ids["<unk>"]
        return [self._ids.get(token, unknown) for token in tokens]

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        return self.tokenize(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids.get(token, self._ids["<unk>"])

    def _convert_id_to_token(self, index: int) -> str:
        return self._tokens[index] if 0 <= index < len(self._tokens) else "<unk>"

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return " ".join(tokens)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        path = os.path.join(save_directory, (f"{filename_prefix}-" if filename_prefix else "") + VOCAB_FILE)
        Path(path).write_text(json.dumps(self._tokens, ensure_ascii=False), encoding="utf-8")
        return (path,)
