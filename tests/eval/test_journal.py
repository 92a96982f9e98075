"""A journal loses nothing that was finished, whatever happens while the next line is written."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from eval.journal import Journal, LogError


class Entry(BaseModel):
    number: int
    text: str = ""


def journal(folder: Path) -> Journal[Entry]:
    return Journal(folder / "deep" / "j.jsonl", Entry, "entry")


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    assert kept.read() == []
    for number in range(3):
        kept.append(Entry(number=number, text="zwölf\nlines"))
    assert [e.number for e in kept.read()] == [0, 1, 2] and kept.read()[0].text == "zwölf\nlines"


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_line_is_passed_over_and_cut_off(tmp_path: Path, cut: int) -> None:
    kept = journal(tmp_path)
    for number in range(3):
        kept.append(Entry(number=number))
    whole = kept.path.read_bytes()
    kept.path.write_bytes(whole[:-cut])
    assert [e.number for e in kept.read()] == [0, 1]
    kept.append(Entry(number=7))
    assert [e.number for e in kept.read()] == [0, 1, 7]


def test_a_line_torn_within_a_letter(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for text in ("one", "café"):
        kept.append(Entry(number=1, text=text))
    content = kept.path.read_bytes()
    kept.path.write_bytes(content[: content.index("é".encode()) + 1])
    assert [e.text for e in kept.read()] == ["one"]
    kept.append(Entry(number=2, text="two"))
    assert [e.text for e in kept.read()] == ["one", "two"]


def test_many_threads_may_add(tmp_path: Path) -> None:
    kept = journal(tmp_path)

    def add_ten(first: int) -> None:
        for number in range(first, first + 10):
            kept.append(Entry(number=number))

    threads = [threading.Thread(target=add_ten, args=(first,)) for first in range(0, 80, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(e.number for e in kept.read()) == list(range(80))


def test_what_is_no_entry_is_named(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.append(Entry(number=1))
    with kept.path.open("a") as file:
        file.write('{"number": "none"}\n')
    with pytest.raises(LogError, match=r"(?s)j\.jsonl:2 is no entry.*delete that line"):
        kept.read()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = journal(tmp_path)
    kept.append(Entry(number=1))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LogError, match=r"No space left.*free some space"):
        kept.append(Entry(number=2))
    monkeypatch.undo()
    assert kept.read()[0] == Entry(number=1)
