"""What kind of failure a song is, by rules over what one judge heard. The first that fits holds:

1. ``good``: there is nothing to sing, and nothing was heard.
2. ``silent``: no word was heard.
3. ``boilerplate``: what a judge writes when nobody sings ("thank you", "thanks for watching", "subtitles by ...",
   "Untertitelung des ZDF") is more than half of what was heard, or all of it, single words like "you" then included. A
   phrase that the lyrics hold is none, unless its places there are less than a tenth of them: one "you" among twenty
   words says nothing. Credits take the six words that follow them; lyrics that hold how they begin hold them. A song
   that is good is never boilerplate.
4. ``loop``: one phrase of 1 to 6 words, 4 times in a row or more, is more than half of what was heard, and its run is
   more than twice as long as any in the lyrics; or the transcript compresses by more than 2.4, where Whisper itself
   calls it a loop, by a fifth more than the lyrics do, and the song is not good.
5. ``unrelated``: fewer than 20 % of the words came through, most of what was heard is wrong, and more than 65 % of the
   characters are; or there was nothing to sing. A few words that are right and nothing else are garbled. Of all 14 280
   ordered pairs of two songs of ``everyday.jsonl``, one's lyrics scored against the other's, 99.7 % are unrelated by
   this rule, which was chosen on them; the others are garbled.
6. ``good``: a word error rate of at most 0.3.
7. ``garbled``: the rest.

Knows neither sound nor song: a judge that mishears looks like a singer that misses. The thresholds are conventions.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from eval.text import heard_words
from eval.wer import WordErrors

Failure = Literal["good", "garbled", "unrelated", "boilerplate", "loop", "silent"]

GOOD_WER = 0.3
SUNG_SHARE = 0.1
UNRELATED_HITS, UNRELATED_RIGHT, UNRELATED_CER = 0.2, 0.5, 0.65
LONGEST_PHRASE, REPEATS, LOOP_COVER = 6, 4, 0.5
#: Whisper decodes anew what compresses better than this (``compression_ratio_threshold``).
COMPRESSION = 2.4
_TIMES_AS_LONG, _TIMES_AS_COMPRESSED = 2, 1.2
#: What a judge writes into silence and noise, as the normaliser leaves it.
_PHRASES = (
    r"(?:thank you|thanks(?= (?:so|very|a|for)))(?: all)?(?: (?:so|very) much| a lot)?"
    r"(?: for (?:watching|listening|viewing)(?: (?:this|my|the) (?:video|channel))?)?"
    r"|(?:do not forget to )?(?:please )?(?:like )?(?:comment )?(?:share )?(?:and )?subscribe"
    r"(?: to (?:my|our|the|this) channel)?"
    r"|(?:i will )?see you (?:all )?(?:in the next (?:video|one|episode)|next (?:time|week))"
    r"|we will be right back|to be continued|the end|bye bye|music playing|amara org(?: community)?"
    r"|transcript emily beynon"
    r"|all rights reserved|no part of this recording may be reproduced(?: without (?:\S+ ){0,6}?consent)?"
)
#: Credits, which name somebody: so many words that follow belong to them.
_CREDITS = (
    r"(?:subtitles?|captions?|subtitled|captioned|transcription|transcribed|translation|translated)"
    r"(?: (?:made|provided|created|edited))? by|copyright"
)
CREDIT_WORDS = 6
#: The same in other languages, as a judge writes them.
_FOREIGN = (
    "ご視聴ありがとうございました", "谢谢观看", "感谢观看", "시청해주셔서 감사합니다", "Продолжение следует",
    "Vielen Dank fürs Zuschauen", "Vielen Dank für die Aufmerksamkeit", "Merci d'avoir regardé cette vidéo",
    "Merci d'avoir regardé", "Gracias por ver el video", "Grazie per la visione", "Obrigado por assistir",
)  # fmt: skip
_FOREIGN_CREDITS = (
    "Untertitelung", "Untertitel der", "Untertitel von", "Untertitel im Auftrag", "Sous-titres réalisés par",
    "Sous-titres par", "Sous-titrage", "Subtítulos realizados por", "Subtítulos por", "Sottotitoli creati dalla",
    "Sottotitoli di", "Sottotitoli a cura di", "Legendas pela comunidade", "Legendas por", "Ondertitels ingediend door",
    "Ondertiteld door", "Napisy stworzone przez", "Субтитры сделал", "Субтитры создавал", "Редактор субтитров",
)  # fmt: skip
#: Single words of that kind: stock only where nothing else was heard.
_WORDS = frozenset(["you", "bye", "goodbye", "thanks", "okay", "ok", "music", "applause", "laughter", "silence"])


def failure_kind(errors: WordErrors, transcript: str, compression_ratio: float | None) -> Failure:
    """The kind of one song, by the rules of this module.

    Args:
        errors: what :func:`eval.wer.score` made of the lyrics and ``transcript``.
        compression_ratio: the transcript's, the worst segment's; None where the judge tells none.
    """
    heard = heard_words(transcript)
    lyrics = [pair.reference for pair in errors.alignment if pair.reference]
    if not heard:
        return "silent" if lyrics else "good"
    if (errors.wer > GOOD_WER or not lyrics) and _is_boilerplate(heard, lyrics):
        return "boilerplate"
    if _is_loop(_spell_out(heard), _spell_out(lyrics)):
        return "loop"
    if errors.wer > GOOD_WER and _is_compressed(compression_ratio, lyrics):
        return "loop"
    if not lyrics or _is_unrelated(errors):
        return "unrelated"
    return "good" if errors.wer <= GOOD_WER else "garbled"


def _is_unrelated(errors: WordErrors) -> bool:
    came_through, right = errors.hits / errors.reference_words, errors.hits / errors.heard_words
    return came_through < UNRELATED_HITS and right < UNRELATED_RIGHT and errors.cer > UNRELATED_CER


@lru_cache(maxsize=1)
def _stock() -> re.Pattern[str]:
    """What is stock, the group ``credit`` being that of credits which is the same whoever is named."""
    phrases, credits = (  # the foreign ones the longest first, and as the normaliser leaves them
        "|".join([known, *(re.escape(" ".join(heard_words(text))) for text in sorted(foreign, key=len, reverse=True))])
        for known, foreign in ((_PHRASES, _FOREIGN), (_CREDITS, _FOREIGN_CREDITS))
    )
    return re.compile(rf"(?<!\S)(?:{phrases}|(?P<credit>{credits})(?: \S+){{0,{CREDIT_WORDS}}})(?!\S)")


def _is_boilerplate(heard: Sequence[str], lyrics: Sequence[str]) -> bool:
    def is_stock(phrase: str) -> bool:
        words = phrase.split()
        places = sum(list(lyrics[at : at + len(words)]) == words for at in range(len(lyrics)))
        return places == 0 or places * len(words) < SUNG_SHARE * len(lyrics)

    def take_out(match: re.Match[str]) -> str:
        credit = match["credit"]
        stock = f" {credit} " not in f" {' '.join(lyrics)} " if credit else is_stock(match.group())
        return "" if stock else match.group()

    rest = _stock().sub(take_out, " ".join(heard)).split()
    return len(rest) < len(heard) / 2 or all(word in _WORDS and is_stock(word) for word in rest)


def _is_loop(heard: Sequence[str], lyrics: Sequence[str]) -> bool:
    for length in range(1, LONGEST_PHRASE + 1):
        start, run = _longest_run(heard, length)
        if run >= REPEATS * length and run > LOOP_COVER * len(heard):
            phrase = heard[start : start + length]
            if run > _TIMES_AS_LONG * _run_of(phrase, lyrics):
                return True
    return False


def _longest_run(words: Sequence[str], length: int) -> tuple[int, int]:
    """Where the longest run begins in which every word equals the one ``length`` before it, and its words."""
    best, start = (0, 0), 0
    for at in range(length, len(words) + 1):
        if at == len(words) or words[at] != words[at - length]:
            best = max(best, (at - start, -start))
            start = at - length + 1
    return -best[1], best[0]


def _run_of(phrase: Sequence[str], lyrics: Sequence[str]) -> int:
    """Words of the longest run of a phrase in the lyrics, begun at any of its words; none of it is 0."""
    turns = [list(phrase[at:]) + list(phrase[:at]) for at in range(len(phrase))]
    longest = 0
    for turn in turns:
        for start in range(len(lyrics)):
            run = 0
            while start + run < len(lyrics) and lyrics[start + run] == turn[run % len(turn)]:
                run += 1
            longest = max(longest, run if run >= len(turn) else 0)
    return longest


def _is_compressed(ratio: float | None, lyrics: Sequence[str]) -> bool:
    if ratio is None or not ratio > COMPRESSION:
        return False
    sung = " ".join(lyrics).encode()
    return not sung or ratio > _TIMES_AS_COMPRESSED * len(sung) / len(zlib.compress(sung))


def _spell_out(words: Sequence[str]) -> list[str]:
    """The normaliser makes of "oh oh oh" the number 000: digit by digit it is three words again."""
    return [part for word in words for part in (word if word.isdigit() and len(set(word)) == 1 else [word])]
