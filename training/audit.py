"""What a corpus holds, measured before anything is trained on it: words, descriptions, and every sound file.

A ``lyrics`` variant is refused where clips lack words: in the study behind this project all words were lost in silence,
because the maker of the corpus looked for them under another key.
"""

from __future__ import annotations

import hashlib
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from adapters.card import Variant
from training.manifest import MANIFEST, ClipEntry, Corpus, CorpusError

#: The share of clips that may lack words in a corpus for the lyrics variants.
WORDLESS_LIMIT = 0.05
#: The key of the manifest the words are under.
LYRICS = "lyrics"
#: Of a 16-bit sample read as a float.
FULL_SCALE = 32767 / 32768
#: So many neighbouring samples at full scale are a wave cut off; fewer may be a recording just as loud as can be.
CUT_OFF_RUN = 3
#: Seconds by which a sound may differ from what the manifest says.
LENGTH_SLACK = 0.05
HISTOGRAM_EDGES = (0, 2, 4, 6, 8, 10, 12, 16, 20, 30, 60, 120)
BLOCK = 1 << 18

_TAG = re.compile(r"\[[^\[\]\n]*\]")

#: Called after each clip with (clips done, clips in all).
Listener = Callable[[int, int], None]


@dataclass(frozen=True)
class Audit:
    """The findings. Lists of clips hold sound files as the manifest names them."""

    name: str
    fingerprint: str
    clips: int
    hours: float
    # words
    with_words: int
    words: int
    words_per_second: float
    timed: int
    without_words: tuple[str, ...]
    # descriptions
    with_caption: int
    with_tags: int
    singers: dict[str, int]
    styles: dict[str, int]
    # durations in seconds, from the manifest; the histogram's rows are (from, up to, clips), the last without limit
    shortest: float
    median: float
    longest: float
    histogram: tuple[tuple[float, float | None, int], ...]
    # sounds
    full_scale: int
    cut_off: int
    sampling_rates: dict[int, int]
    channels: dict[int, int]
    missing: tuple[str, ...]
    unreadable: tuple[str, ...]
    changed: tuple[str, ...]
    wrong_length: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]

    @property
    def broken(self) -> tuple[str, ...]:
        """Clips that cannot be trained on: gone, unreadable, or not the sound the manifest was made of."""
        return self.missing + self.unreadable + self.changed

    @property
    def problems(self) -> list[str]:
        """What should be known before training, worst first, a sentence each."""
        found = [
            _list(self.missing, "missing sound file"),
            _list(self.unreadable, "unreadable sound file"),
            _list(self.changed, "sound file changed since the manifest was written"),
            _list(self.wrong_length, "clip whose length is not what the manifest says"),
            _list([" = ".join(same[:3]) for same in self.duplicates], "sound that stands in the corpus more than once"),
        ]
        if 0 < self.with_words < self.clips:
            found.append(_list(self.without_words, "clip without words"))
        elif not self.with_words:
            found.append(f"no clip has words under the key {LYRICS!r}: fit for the nolyrics variants only")
        if self.cut_off:
            found.append(f"{self.cut_off} of {self.clips} clips are cut off at full scale: they are distorted")
        if self.with_caption < self.clips:
            found.append(f"{self.clips - self.with_caption} of {self.clips} clips have no caption")
        if len(self.sampling_rates) > 1:
            found.append(f"the clips have {len(self.sampling_rates)} sampling rates: each is resampled for training")
        return [problem for problem in found if problem]

    def as_json(self) -> dict[str, object]:
        """Everything as plain values."""
        return {**asdict(self), "problems": self.problems}


def audit(corpus: Corpus, listen: Listener | None = None) -> Audit:
    """Read every sound of a corpus, in blocks, and count what its manifest says. Reports to ``listen``; never raises
    for what it finds."""
    sounds = list[_Sound]()
    for done, clip in enumerate(corpus.clips, 1):
        sounds.append(_hear(corpus.folder / clip.audio, clip))
        if listen is not None:
            listen(done, len(corpus.clips))
    counts = [count_words(clip.lyrics) for clip in corpus.clips]
    worded = [(clip, count) for clip, count in zip(corpus.clips, counts, strict=True) if count]
    seconds = sorted(clip.seconds for clip in corpus.clips)
    pairs = list(zip(corpus.clips, sounds, strict=True))
    return Audit(
        name=corpus.about.name,
        fingerprint=corpus.fingerprint,
        clips=len(corpus.clips),
        hours=corpus.hours,
        with_words=len(worded),
        words=sum(counts),
        words_per_second=sum(counts) / sum(clip.seconds for clip, _ in worded) if worded else 0.0,
        timed=sum(clip.words is not None for clip in corpus.clips),
        without_words=tuple(clip.audio for clip, n in zip(corpus.clips, counts, strict=True) if not n),
        with_caption=sum(bool(clip.caption.strip()) for clip in corpus.clips),
        with_tags=sum(bool(clip.tags) for clip in corpus.clips),
        singers=_ranked(clip.singer for clip in corpus.clips),
        styles=_ranked(clip.style for clip in corpus.clips),
        shortest=seconds[0],
        median=statistics.median(seconds),
        longest=seconds[-1],
        histogram=_histogram(seconds),
        full_scale=sum(sound.loudest_run > 0 for sound in sounds),
        cut_off=sum(sound.loudest_run >= CUT_OFF_RUN for sound in sounds),
        sampling_rates=dict(sorted(Counter(s.rate for s in sounds if s.state == "read").items())),
        channels=dict(sorted(Counter(s.channels for s in sounds if s.state == "read").items())),
        missing=tuple(clip.audio for clip, sound in pairs if sound.state == "missing"),
        unreadable=tuple(clip.audio for clip, sound in pairs if sound.state == "unreadable"),
        changed=tuple(clip.audio for clip, s in pairs if s.state == "read" and s.sha256 != clip.sha256),
        wrong_length=tuple(
            clip.audio for clip, s in pairs if s.state == "read" and abs(s.seconds - clip.seconds) > LENGTH_SLACK
        ),
        duplicates=_duplicates(pairs),
    )


def check_variant(audit: Audit, variant: Variant) -> list[str]:
    """What a person should know before an adapter of ``variant`` is trained on this corpus.

    Raises:
        CorpusError: sounds are missing or changed, or a lyrics variant was asked for and clips lack words.
    """
    if audit.broken:
        raise CorpusError(
            f"{len(audit.broken)} of the {audit.clips} sounds of {audit.name} are missing, unreadable or not those the "
            f"manifest was made of, such as {', '.join(audit.broken[:3])}: restore them, or make the corpus anew"
        )
    lacking = len(audit.without_words)
    if variant.startswith("nolyrics"):
        if not audit.with_words:
            return [f"{variant} learns from sound and captions alone; {audit.name} has no words to drop"]
        return [
            f"{variant} drops the words of {audit.with_words} of {audit.clips} clips: the adapter learns how they "
            "sound, not what is sung"
        ]
    if lacking > WORDLESS_LIMIT * audit.clips:
        raise CorpusError(
            f"{lacking} of {audit.clips} clips of {audit.name} have no words ({lacking / audit.clips:.1%}, the limit "
            f"for {variant} is {WORDLESS_LIMIT:.0%}), such as {', '.join(audit.without_words[:3])}: their lines of "
            f"{MANIFEST} hold none under the key {LYRICS!r}. Write them there, make the corpus anew with words, or "
            "train a nolyrics variant"
        )
    if lacking:
        return [
            f"{lacking} of {audit.clips} clips have no words and are trained without, such as {audit.without_words[0]}"
        ]
    return []


def count_words(lyrics: str) -> int:
    """Words of any script that stand in lyrics, section tags not counted."""
    return sum(any(letter.isalnum() for letter in word) for word in _TAG.sub(" ", lyrics).split())


@dataclass(frozen=True)
class _Sound:
    """What was found in one sound file; ``loudest_run`` is the longest run of samples at full scale."""

    state: str
    sha256: str = ""
    rate: int = 0
    channels: int = 0
    seconds: float = 0.0
    loudest_run: int = 0


def _hear(path: Path, clip: ClipEntry) -> _Sound:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return _Sound("missing")
    except OSError:
        return _Sound("unreadable")
    try:
        with soundfile.SoundFile(path) as sound:
            frames, longest, run = 0, 0, np.zeros(sound.channels, np.int64)
            for block in sound.blocks(BLOCK, dtype="float32", always_2d=True):
                if not np.isfinite(block).all():
                    return _Sound("unreadable", digest)
                frames += len(block)
                found, run = _runs(abs(block) >= FULL_SCALE, run)
                longest = max(longest, found)
            if frames == 0 or frames != sound.frames:
                return _Sound("unreadable", digest)
            return _Sound("read", digest, sound.samplerate, sound.channels, frames / sound.samplerate, longest)
    except (OSError, RuntimeError, TypeError):  # soundfile raises RuntimeError's heirs, and TypeError for .raw
        return _Sound("unreadable", digest)


def _runs(loud: np.ndarray, before: np.ndarray) -> tuple[int, np.ndarray]:
    """The longest run of True down the columns of ``loud`` [samples, channels], each begun with ``before`` [channels]
    samples of the block before; and how long each goes on at the end."""
    if not loud.any():
        return 0, np.zeros_like(before)
    # Counts since the last False: the row number minus that of the last False at or before it.
    rows = np.arange(1, len(loud) + 1)[:, None]
    last_quiet = np.maximum.accumulate(np.where(loud, -before, rows), axis=0)
    lengths = np.where(loud, rows - last_quiet, 0)
    return int(lengths.max()), lengths[-1]


def _histogram(seconds: Sequence[float]) -> tuple[tuple[float, float | None, int], ...]:
    counts = np.histogram(seconds, [*HISTOGRAM_EDGES, np.inf])[0].tolist()
    used = [i for i, count in enumerate(counts) if count]
    ends = (*HISTOGRAM_EDGES[1:], None)
    return tuple((HISTOGRAM_EDGES[i], ends[i], counts[i]) for i in range(used[0], used[-1] + 1))


def _duplicates(pairs: Sequence[tuple[ClipEntry, _Sound]]) -> tuple[tuple[str, ...], ...]:
    files: dict[str, list[str]] = {}
    for clip, sound in pairs:
        files.setdefault(sound.sha256 or clip.sha256, []).append(clip.audio)
    return tuple(tuple(same) for same in files.values() if len(same) > 1)


def _ranked(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(name or "(none)" for name in names).most_common())


def _list(files: Sequence[str], what: str) -> str:
    if not files:
        return ""
    return f"{len(files)} {what}{'s' if len(files) > 1 else ''}, such as {', '.join(files[:3])}"
