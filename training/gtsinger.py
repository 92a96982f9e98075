"""GTSinger, as it is downloaded, to clips for a corpus: finding, filtering, de-duplicating and joining recordings.

Layout: ``English/EN-Alto-1/Breathy/<song>/{Control_Group, Breathy_Group, Paired_Speech_Group}/0000.{wav, json}``. All
records are read before the first sound, so that a corpus whose words cannot be found fails at once. Every recording
that is left out is counted under a reason. The corpus is for non-commercial use (CC BY-NC-SA 4.0).
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from training.audit import WORDLESS_LIMIT, Listener
from training.gtsinger_captions import make_caption, make_tags, technique_of
from training.gtsinger_records import NO_KEY, WORD, RecordError, Records, read_records
from training.manifest import AboutCorpus, CorpusError, NewClip, TimedWord

ABOUT = AboutCorpus(
    name="GTSinger",
    description="Professional singers in the studio, with words, notes and techniques; github.com/AaronZ345/GTSinger",
    licence="CC-BY-NC-SA-4.0",
)
#: A recording that never gets louder than this (of full scale) is silence.
SILENT = 10 ** (-50 / 20)
# reasons besides those of the records
SPEECH = "spoken, not sung"
OUTSIDE = "not in <singer>/<technique>/<song>/<name>_Group"
BROKEN = "sound cannot be read"
QUIET = "silent"
SAME_SOUND = "same sound as another"
SAME_WORDS = "same words of the same singer and group as another"


@dataclass(frozen=True)
class JoinOptions:
    """Seconds: ``join_to`` is what short recordings are joined to, with ``pause`` of silence in between."""

    join_to: float = 8.0
    shortest: float = 1.0
    longest: float = 20.0
    pause: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.join_to <= self.longest:
            raise CorpusError(
                f"clips of at least {self.shortest:g} s, joined to {self.join_to:g} s and at most {self.longest:g} s "
                "long cannot be: give 0 < shortest <= join-to <= longest"
            )


@dataclass(frozen=True)
class Recording:
    """One sound file, and what its folders say of it."""

    wav: Path
    language: str
    singer: str
    technique: str
    song: str
    group: str

    @property
    def take(self) -> str:
        """What only recordings of the same song, singer and group share."""
        return "/".join((self.language, self.singer, self.technique, self.song, self.group))


@dataclass
class Gathering:
    """What was found in ``source`` and what became of it: ``dropped`` holds the files left out, and what was wrong
    with them, by reason."""

    source: Path
    recordings: list[tuple[Recording, Records]] = field(default_factory=list)
    found: int = 0
    seen: int = 0
    dropped: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, path: Path, detail: str = "") -> None:
        name = path.relative_to(self.source).as_posix()
        self.dropped.setdefault(reason, []).append(f"{name} ({detail})" if detail else name)

    @property
    def lost(self) -> int:
        return sum(len(files) for files in self.dropped.values())


def find_recordings(language: str, gathering: Gathering) -> list[Recording]:
    """The sung recordings under its source: GTSinger itself, a language of it, or a singer. ``language`` "" is all.

    Raises:
        CorpusError: there is no such folder, or no recording of the language in it.
    """
    source = gathering.source
    if not source.is_dir():
        raise CorpusError(f"{source} is no folder: give the one that holds GTSinger's language folders")
    wavs = sorted(
        Path(folder) / name
        for folder, _, names in os.walk(source)
        for name in names
        if name.lower().endswith(".wav") and not name.startswith(".")
    )
    found, languages = list[Recording](), dict[str, int]()
    for wav in wavs:
        if len(wav.parts) < 7 or not wav.parent.name.endswith("_Group"):
            gathering.found += 1
            gathering.drop(OUTSIDE, wav)
            continue
        recording = Recording(wav, *wav.parts[-6:-1])
        languages[recording.language] = languages.get(recording.language, 0) + 1
        if language and recording.language.lower() != language.lower():
            continue
        gathering.found += 1
        if "speech" in recording.group.lower():
            gathering.drop(SPEECH, wav)
        else:
            found.append(recording)
    if not found:
        there = (
            ", ".join(f"{name} ({count})" for name, count in sorted(languages.items())) or "none in GTSinger's layout"
        )
        raise CorpusError(
            f"{source} holds no sung recording of {language or 'any language'}; its recordings: {there}. Give the "
            "folder that holds English/EN-Alto-1/..., and one of its languages"
        )
    return found


def gather(source: Path, language: str, options: JoinOptions, listen: Listener | None = None) -> Gathering:
    """Find all recordings and read their records, but no sound beyond its header. Reports to ``listen``.

    Raises:
        CorpusError: there is nothing to be had, or too many records lack the key the words are under.
    """
    gathering = Gathering(Path(os.path.abspath(source)))
    sung = find_recordings(language, gathering)
    for number, recording in enumerate(sung, 1):
        if listen is not None:
            listen(number, len(sung))
        try:
            seconds = soundfile.info(recording.wav).duration
            if seconds > options.longest:
                gathering.drop(f"longer than {options.longest:g} s", recording.wav, f"{seconds:.1f} s")
                continue
            gathering.recordings.append((recording, read_records(recording.wav.with_suffix(".json"), seconds)))
        except RecordError as error:
            gathering.drop(error.reason, recording.wav.with_suffix(".json"), error.detail)
        except (OSError, RuntimeError) as error:  # soundfile raises RuntimeError's heirs
            gathering.drop(BROKEN, recording.wav, str(error))
    wrong = gathering.dropped.get(NO_KEY, [])
    if len(wrong) > WORDLESS_LIMIT * len(sung):
        raise CorpusError(
            f"{len(wrong)} of {len(sung)} sung recordings have records without the key {WORD!r}, under which GTSinger "
            f"keeps its words (the limit is {WORDLESS_LIMIT:.0%}), such as {'; '.join(wrong[:3])}: rename the key in "
            "these files, or download them again"
        )
    if not gathering.recordings:
        raise CorpusError(f"none of the {gathering.found} recordings in {source} can be used: {summarise(gathering)}")
    return gathering


def summarise(gathering: Gathering) -> str:
    """All reasons with their counts and an example, in one line."""
    return "; ".join(
        f"{len(files)} {reason}, such as {files[0]}" for reason, files in sorted(gathering.dropped.items())
    )


def make_clips(gathering: Gathering, options: JoinOptions, words: bool = True) -> Iterator[NewClip]:
    """Read the sounds and yield the clips joined of them, with or without words.

    Counts what it drops, and what it has seen, into ``gathering`` as it goes.
    """
    sounds, lines = set[bytes](), set[tuple[str, str, str]]()
    for _, takes in groupby(gathering.recordings, key=lambda pair: pair[0].take):
        heard: list[_Part] = []
        for recording, records in takes:
            gathering.seen += 1
            try:
                data = recording.wav.read_bytes()
                audio, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
            except (OSError, RuntimeError) as error:
                gathering.drop(BROKEN, recording.wav, str(error))
                continue
            digest, line = hashlib.sha256(data).digest(), (recording.singer, recording.group, records.text.casefold())
            if not np.isfinite(audio).all():
                gathering.drop(BROKEN, recording.wav, "it holds samples that are no numbers")
            elif abs(audio).max(initial=0) < SILENT:
                gathering.drop(QUIET, recording.wav)
            elif digest in sounds:
                gathering.drop(SAME_SOUND, recording.wav)
            elif line in lines:
                gathering.drop(SAME_WORDS, recording.wav, f"{records.text[:60]!r}")
            else:
                sounds.add(digest)
                lines.add(line)
                heard.append(_Part(recording, records, audio.mean(axis=1), rate))
        # Only clips of one rate, of which the same can be said, are joined.
        for _, same in groupby(heard, key=lambda part: (part.rate, part.records.labels)):
            run = list(same)
            for span in chunk([part.seconds for part in run], options):
                parts = run[span]
                if sum(part.seconds for part in parts) < options.shortest:
                    for part in parts:
                        gathering.drop(f"shorter than {options.shortest:g} s", part.recording.wav)
                else:
                    yield _join(parts, options.pause, words)


def chunk(lengths: Sequence[float], options: JoinOptions) -> list[slice]:
    """Which recordings of ``lengths`` (seconds) to join: neighbours, until ``join_to`` is reached and never beyond
    ``longest``; what is left at the end goes to the clip before where it fits."""
    spans, first = list[slice](), 0

    def seconds(start: int, stop: int) -> float:
        return sum(lengths[start:stop]) + options.pause * (stop - start - 1)

    for stop in range(1, len(lengths) + 1):
        last = stop == len(lengths)
        if last or seconds(first, stop) >= options.join_to or seconds(first, stop + 1) > options.longest:
            short = seconds(first, stop) < options.join_to
            if last and short and spans and seconds(spans[-1].start, stop) <= options.longest:
                first = spans.pop().start
            spans.append(slice(first, stop))
            first = stop
    return spans


@dataclass(frozen=True)
class _Part:
    """A recording with its sound [samples]."""

    recording: Recording
    records: Records
    audio: npt.NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.audio) / self.rate


def _join(parts: Sequence[_Part], pause: float, with_words: bool) -> NewClip:
    first, rate = parts[0].recording, parts[0].rate
    silence = np.zeros(round(pause * rate), np.float32)
    pieces, words, at = list[npt.NDArray[np.float32]](), list[TimedWord](), 0
    for part in parts:
        if pieces:
            pieces.append(silence)
            at += len(silence)
        words += [_shift(word, at / rate) for word in part.records.words]
        pieces.append(part.audio)
        at += len(part.audio)
    audio = np.concatenate(pieces)[None]
    technique = technique_of(first.group)
    description = (first.language, first.singer, technique, parts[0].records.labels)
    fields: dict[str, object] = {
        "lyrics": "\n".join(["[verse]", *(part.records.text for part in parts)]) if with_words else "[verse]",
        "words": tuple(words) if with_words else None,
        "caption": make_caption(*description),
        "tags": make_tags(*description),
        "singer": first.singer,
        "style": technique,
        "source": f"GTSinger/{first.take}/{'+'.join(part.recording.wav.stem for part in parts)}",
        "licence": ABOUT.licence,
    }
    # The digest keeps names apart where songs differ only in letters a file name cannot have.
    digest = hashlib.sha256(str(fields["source"]).encode() + audio.tobytes()).hexdigest()[:10]
    plain = re.sub("[^a-z0-9]+", "-", f"{first.singer} {technique} {first.song}".lower()).strip("-")[:60]
    return NewClip(f"{plain}-{digest}", fields, audio, rate)


def _shift(word: TimedWord, by: float) -> TimedWord:
    notes = tuple(
        n.model_copy(update={"start": round(n.start + by, 4), "end": round(n.end + by, 4)}) for n in word.notes
    )
    times = {"start": round(word.start + by, 4), "end": round(word.end + by, 4)}
    return word.model_copy(update={**times, "notes": notes})
