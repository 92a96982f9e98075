"""A corpus without its words: the same sounds and captions, for adapters that learn nothing of what is sung.

Kept as a corpus of its own so that two adapters can be trained that differ in the words alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from adapters.files import write_text_atomically
from training.manifest import ABOUT, MANIFEST, AboutCorpus, ClipEntry, Corpus

#: What stands for the words: the tag alone, as the model is used to singing having one.
NO_WORDS = "[verse]"


def write_wordless(corpus: Corpus, folder: Path) -> Iterator[ClipEntry]:
    """Write ``corpus`` without words into ``folder``; yields each entry as its sound is there, the manifest comes last.

    Sounds are hard links where the disk allows, so they take no space; otherwise copies.

    Raises:
        OSError: the folder cannot be written or the disk is full.
    """
    lines = list[str]()
    for clip in corpus.clips:
        entry = clip.model_copy(update={"lyrics": NO_WORDS, "words": None, "plan": None})
        _place(corpus.folder / clip.audio, folder / clip.audio)
        lines.append(entry.model_dump_json(exclude_defaults=True))
        yield entry
    write_text_atomically(folder / ABOUT, rename(corpus.about).model_dump_json(indent=1) + "\n")
    write_text_atomically(folder / MANIFEST, "\n".join(lines) + "\n")


def rename(about: AboutCorpus) -> AboutCorpus:
    """What holds for all clips, under a name that says the words are gone."""
    return about.model_copy(update={"name": f"{about.name} without words"})


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, part)
    os.replace(part, target)
    part.unlink(missing_ok=True)  # replacing a link to the same file leaves both names
