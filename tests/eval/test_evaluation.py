"""A grid that is sung, heard, stopped, gone on with, and told of when something goes wrong."""

from __future__ import annotations

import errno
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import eval.stage
from adapters.files import write_bytes_atomically
from engine.engine import Engine, Job
from engine.errors import ChoirmasterError, SongError
from engine.singer import Singer
from engine.song_model import SongModel
from eval.cells import Cell
from eval.ears import Shares, share_cores
from eval.evaluation import Failure, Watcher, evaluate
from eval.grid import Grid, GridError, Plan
from eval.grid_log import open_heard, open_sung
from eval.grid_table import make_table, write_results
from eval.journal import Journal, LogError
from eval.ledger import Ledger, Listening
from eval.results import cell_name
from eval.stage import Manners, Stage, make_request
from eval.table import Table, read_table
from eval.waves import AudioError
from tests.eval.planted_grid import LISTENING, PlantedJudge, make_grid, planted_prompts

OTHER = Listening("another judge", "settings")


def sing(
    grid: Grid,
    model: SongModel,
    judges: Mapping[Listening, list[PlantedJudge]],
    watcher: Watcher | None = None,
    **more: Any,
) -> tuple[Failure, ...]:
    with Engine(model, shelf=grid.shelf) as engine:
        return evaluate(grid, Ledger(grid).todo(list(judges)), engine, dict(judges), watcher, **more)


def table_of(grid: Grid, judges: list[Listening], about: dict[str, Any]) -> Table:
    return make_table(Ledger(grid), judges, about)


def test_every_cell_is_sung_once_and_heard_by_every_judge(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    judges = {LISTENING: [PlantedJudge(), PlantedJudge()], OTHER: [PlantedJudge("the kitten light")]}
    told: list[Cell] = []
    assert sing(grid, random_model, judges, Watcher(sung=told.append)) == ()
    assert [e.key for e in open_sung(grid.folder).read()] == [c.key for c in told] == [c.key for c in grid.cells]
    heard = open_heard(grid.folder).read()
    assert sorted((*e.key, e.judge) for e in heard) == sorted((*c.key, one.title) for c in grid.cells for one in judges)
    table = write_results(grid, list(judges), {"command": "planted"})
    assert len(table.songs) == 24 and table.judges == [LISTENING.title, OTHER.title]
    good = table.of_judge(LISTENING.title)
    assert (good.wer == 0).all() and (good.failure == "good").all() and (good.avg_logprob == -0.25).all()
    bad = table.of_judge(OTHER.title).iloc[0]
    # kitchen -> kitten, and "is still on" is missing
    assert (bad.substitutions, bad.deletions, bad.insertions, bad.hits) == (1, 3, 0, 2) and bad.wer == pytest.approx(
        4 / 6
    )
    assert len(table.heads) == 12 * 24 and table.heads["lyric_mass"].notna().all()
    assert table.songs["alignment_score"].between(0, 1).all()
    again = read_table(grid.folder)
    assert again.about["command"] == "planted" and again.songs.equals(table.songs)
    todo = Ledger(grid).todo(list(judges))
    assert not todo.sing and not any(todo.hear.values())


def test_the_sound_is_the_singers_own(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    cell = grid.cells[2]
    alone = Singer(random_model, grid.shelf).sing(make_request(cell, 2, random_model))
    audio, rate = soundfile.read(grid.results.audio_path(*cell.key), dtype="float32", always_2d=True)
    assert rate == alone.sampling_rate and audio.shape == alone.audio.T.shape
    assert np.abs(audio - alone.audio.T).max() < 1e-3  # 16 bits, and the rounding of a batch
    kept = grid.results.attention(*cell.key)
    assert kept is not None and len(kept.heads) == 24


def test_one_seed_is_one_noise_for_all_compositions(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    singer = Singer(random_model, grid.shelf)
    noises = [singer.prepare(make_request(cell, 2, random_model)).latents for cell in grid.cells]
    for at in range(0, len(noises), 3):
        assert torch.equal(noises[at], noises[at + 1]) and torch.equal(noises[at], noises[at + 2])
    assert not torch.equal(noises[0][:50], noises[3][:50])


def test_compositions_share_their_passes(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, sizes, step = make_grid(random_model, tmp_path), list[int](), Singer.step

    def counted(self: Singer, generations: Any) -> Any:
        sizes.append(len(generations))
        return step(self, generations)

    monkeypatch.setattr(Singer, "step", counted)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    assert max(sizes) >= 3


def test_a_judge_hears_while_others_are_sung(random_model: SongModel, tmp_path: Path) -> None:
    grid, sung, early = make_grid(random_model, tmp_path, prompts=4, takes=4), list[Cell](), list[int]()
    sing(
        grid,
        random_model,
        {LISTENING: [PlantedJudge()]},
        Watcher(sung=sung.append, heard=lambda cell: early.append(len(sung))),
    )
    assert len(early) == len(sung) == 48 and min(early) < 24


def test_maps_are_kept_where_they_are_wanted(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    wanted = grid.cells[0].seed
    sing(grid, random_model, {LISTENING: [PlantedJudge()]}, keep_maps=lambda cell: cell.seed == wanted)
    for cell in grid.cells:
        assert (grid.results.attention(*cell.key) is not None) == (cell.seed == wanted)


def test_a_stop_loses_nothing_and_nothing_is_done_twice(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    count = 0

    def stop_at_fifth(cell: Cell) -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sing(grid, random_model, {LISTENING: [PlantedJudge()]}, Watcher(sung=stop_at_fifth))
    kept = len(open_sung(grid.folder).read())
    assert kept >= 5, "those that were finished meanwhile are kept, too"
    second = make_grid(random_model, tmp_path)
    assert len(Ledger(second).todo([LISTENING]).sing) == 12 - kept
    assert sing(second, random_model, {LISTENING: [PlantedJudge()]}) == ()
    for journal in (open_sung(grid.folder), open_heard(grid.folder)):
        keys = [entry.key for entry in journal.read()]
        assert sorted(keys) == sorted(c.key for c in grid.cells)


def test_more_seeds_and_more_judges_only_add(random_model: SongModel, tmp_path: Path) -> None:
    sing(make_grid(random_model, tmp_path, takes=1), random_model, {LISTENING: [PlantedJudge()]})
    more = make_grid(random_model, tmp_path, takes=2)
    late = PlantedJudge("nothing of it")
    todo = Ledger(more).todo([LISTENING, OTHER])
    assert (len(todo.sing), len(todo.ready(LISTENING)), len(todo.ready(OTHER))) == (6, 0, 6)
    sing(more, random_model, {LISTENING: [PlantedJudge()], OTHER: [late]})
    assert late.asked == 12 and len(table_of(more, [LISTENING, OTHER], {}).songs) == 24
    assert Ledger(more).listenings([LISTENING]) == (LISTENING, OTHER), "who listened before is in the table, too"


def test_what_was_sung_by_another_adapter_is_sung_again(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    weights = grid.shelf.folder / "rock" / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    changed = make_grid(random_model, tmp_path, prompts=1, takes=1)
    assert [cell.composition for cell in Ledger(changed).todo([LISTENING]).sing] == ["folk=0.5,rock=0.5"]
    assert len(table_of(changed, [LISTENING], {}).songs) == 2


def test_a_lost_sound_is_sung_again_for_a_new_judge_only(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    grid.results.audio_path(*grid.cells[1].key).unlink()
    assert not Ledger(grid).todo([LISTENING]).sing
    todo = Ledger(grid).todo([LISTENING, OTHER])
    assert todo.sing == (grid.cells[1],) and todo.ready(OTHER) == (grid.cells[0], grid.cells[2])
    assert todo.hear == {LISTENING: (grid.cells[1],), OTHER: grid.cells}
    sing(grid, random_model, {LISTENING: [first := PlantedJudge()], OTHER: [PlantedJudge()]})
    assert first.asked == 1, "it may sound otherwise now, so that who heard it hears it again"


def test_one_song_that_fails_is_told_and_the_others_are_there(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = make_grid(random_model, tmp_path)
    bad = grid.cells[4]
    finish = Singer.finish

    def not_a_number(self: Singer, generation: Any) -> Any:
        request = generation.request
        if request.seed == bad.seed and request.composition == bad.weights:
            raise SongError("the song was decoded to not-a-number")
        return finish(self, generation)

    monkeypatch.setattr(Singer, "finish", not_a_number)
    [failure] = sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    assert failure.cell == bad and "not-a-number" in failure.reason
    assert len(table_of(grid, [LISTENING], {}).songs) == 11
    monkeypatch.undo()
    assert Ledger(grid).todo([LISTENING]).sing == (bad,)


def test_a_song_no_judge_can_take_is_told(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    deaf = PlantedJudge(fault=AudioError("the audio holds NaN"), after=2)
    [failure] = sing(grid, random_model, {LISTENING: [deaf]})
    assert failure.reason == "planted judge could not listen: the audio holds NaN"

    grid.results.audio_path(*failure.cell.key).write_bytes(b"no sound")
    assert Ledger(grid).todo([LISTENING]).sing == (failure.cell,)

    def damage(cell: Cell) -> None:
        grid.results.audio_path(*cell.key).write_bytes(b"no sound")

    [damaged] = sing(grid, random_model, {LISTENING: [PlantedJudge()]}, Watcher(sung=damage))
    assert "cannot be read as sound" in damaged.reason and "delete it" in damaged.reason


def test_silence_is_an_error_rate_of_one(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    sing(grid, random_model, {LISTENING: [PlantedJudge("")]})
    songs = table_of(grid, [LISTENING], {}).songs
    assert (songs.wer == 1).all() and (songs.failure == "silent").all() and songs.avg_logprob.isna().all()


@pytest.mark.parametrize("where", ["songs.jsonl", "heard.jsonl", ".flac"])
def test_a_full_disk_ends_it_and_finished_cells_are_safe(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    grid, written = make_grid(random_model, tmp_path), 0

    def no_space(name: str) -> None:
        nonlocal written
        written += name.endswith(where)
        if name.endswith(where) and written > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(path: Path, content: bytes) -> None:
        no_space(path.name)
        atomically(path, content)

    def append(self: Journal[Any], entry: Any) -> None:
        try:
            no_space(self.path.name)
        except OSError as error:
            with self.path.open("ab") as file:  # as much as there was room for
                file.write(entry.model_dump_json().encode()[:40])
            raise LogError(f"the log {self.path} cannot be written: {error}") from error
        whole(self, entry)

    atomically, whole = write_bytes_atomically, Journal.append
    monkeypatch.setattr(eval.stage, "write_bytes_atomically", write)
    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(ChoirmasterError, match=rf"{re.escape(where)}.* cannot be written.*No space left"):
        sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    monkeypatch.undo()
    ledger = Ledger(grid)
    assert len(ledger.heard(LISTENING) if where == "heard.jsonl" else ledger.sung) == 3
    assert sing(grid, random_model, {LISTENING: [PlantedJudge()]}) == ()
    assert len(table_of(grid, [LISTENING], {}).songs) == 12


def test_a_judge_that_is_broken_ends_it(random_model: SongModel, tmp_path: Path) -> None:
    grid, broken = make_grid(random_model, tmp_path, prompts=4), PlantedJudge(fault=RuntimeError("broken"), after=2)
    with pytest.raises(GridError, match="planted judge failed on 3 songs in a row"):
        sing(grid, random_model, {LISTENING: [broken]})
    assert len(open_heard(grid.folder).read()) <= 2


def test_one_song_a_judge_breaks_on_is_told(random_model: SongModel, tmp_path: Path) -> None:
    class Breaks(PlantedJudge):
        def listen(self, audio: NDArray[np.float32], sampling_rate: int) -> Any:
            if np.array_equal(audio, bad):
                raise RuntimeError("an odd song")
            return super().listen(audio, sampling_rate)

    grid = make_grid(random_model, tmp_path)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    cell = grid.cells[5]
    bad = soundfile.read(grid.results.audio_path(*cell.key), dtype="float32", always_2d=True)[0].T
    [failure] = sing(grid, random_model, {OTHER: [Breaks()]})
    assert failure.cell == cell and "failed on it (RuntimeError: an odd song)" in failure.reason
    assert len(Ledger(grid).heard(OTHER)) == 11


def test_a_transcript_counts_for_its_own_sound_alone(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    other = make_grid(random_model, tmp_path, prompts=1, takes=1, steps=1)
    assert len(Ledger(other).todo([LISTENING]).sing) == 3
    sing(other, random_model, {LISTENING: [PlantedJudge()]})
    again = Ledger(grid).todo([LISTENING])
    assert again.sing == grid.cells, "what lies on disk was sung in one step"
    sing(grid, random_model, {LISTENING: [PlantedJudge("anew")]})
    assert set(table_of(grid, [LISTENING], {}).songs.transcript) == {"anew"}


def test_another_sound_under_the_name_is_sung_again(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    sing(grid, random_model, {LISTENING: [PlantedJudge()]})
    one, two = (grid.results.audio_path(*cell.key) for cell in grid.cells[:2])
    one.write_bytes(two.read_bytes())
    assert not Ledger(grid).todo([LISTENING]).sing
    assert Ledger(grid).todo([OTHER]).sing == grid.cells[:1]


def test_maps_of_an_earlier_song_are_not_left_beside_a_new_one(random_model: SongModel, tmp_path: Path) -> None:
    sing(make_grid(random_model, tmp_path, 1, 1), random_model, {LISTENING: [PlantedJudge()]})
    other = make_grid(random_model, tmp_path, 1, 1, steps=1)
    sing(other, random_model, {LISTENING: [PlantedJudge()]}, keep_maps=lambda cell: False)
    assert not list((other.folder / "attention").glob("*.npz"))


def test_an_adapter_replaced_while_it_sings_ends_it(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, finish, count = make_grid(random_model, tmp_path), Singer.finish, 0

    def replaced(self: Singer, generation: Any) -> Any:
        nonlocal count
        song = finish(self, generation)
        count += 1
        return replace(song, adapters={name: f"weights {count}" for name in song.adapters})

    monkeypatch.setattr(Singer, "finish", replaced)
    with pytest.raises(GridError, match="adapter folk was replaced while it sang"):
        sing(grid, random_model, {LISTENING: [PlantedJudge()]})


def test_a_dead_engine_is_told(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    with Engine(random_model, shelf=grid.shelf) as engine:

        def kill(cell: Cell) -> None:
            engine._closing = True

        with pytest.raises(ChoirmasterError, match=r"engine is dead|shut down|takes no"):
            evaluate(grid, Ledger(grid).todo([LISTENING]), engine, {LISTENING: [PlantedJudge()]}, Watcher(sung=kill))


def test_two_cannot_write_into_one_folder(random_model: SongModel, tmp_path: Path) -> None:
    grid, other = make_grid(random_model, tmp_path), make_grid(random_model, tmp_path)
    with grid.claim():
        left = grid.folder / "audio" / ".half.flac.x"
        left.write_bytes(b"half")
        with pytest.raises(GridError, match="another evaluation is writing"), other.claim():
            pass
    with other.claim():
        assert not left.exists()


def test_a_folder_that_cannot_be(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    grid.folder.write_text("a file")
    with pytest.raises(GridError, match=r"cannot be written.*choose another --out"), grid.claim():
        pass


def test_songs_are_let_go_once_they_are_kept(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1, takes=1)
    with Engine(random_model, shelf=grid.shelf) as engine:
        jobs = list[Job]()
        engine.listeners.append(jobs.append)
        evaluate(grid, Ledger(grid).todo([LISTENING]), engine, {LISTENING: [PlantedJudge()]})
        assert jobs and not [job for job in jobs if engine.job(job.id) is not None]


def test_background_songs_are_let_go_where_the_grid_ends_early(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = make_grid(random_model, tmp_path, prompts=1)
    stopped, decoding, go = threading.Event(), threading.Event(), threading.Event()
    finish = Singer.finish

    def slow(singer: Singer, *given: Any) -> Any:
        decoding.set()
        go.wait(60)
        return finish(singer, *given)

    monkeypatch.setattr(Singer, "finish", slow)
    with Engine(random_model, shelf=grid.shelf) as engine:
        stage = Stage(engine, grid, manners=Manners(4, background=True, stopped=stopped.is_set))
        thread = threading.Thread(target=stage.sing, args=(grid.cells, lambda _: None, lambda *_: None))
        thread.start()
        assert decoding.wait(60)
        jobs = list(engine._register._jobs.values())
        stopped.set()  # too late for the one that is being decoded
        thread.join(60)
        go.set()
        assert jobs and all(job.wait(60) for job in jobs)
        assert {job.state for job in jobs} == {"cancelled"} and all(job.song is None for job in jobs)
    assert not open_sung(grid.folder).read()


def test_background_songs_are_let_go_where_the_disk_is_full(
    random_model: SongModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid, jobs = make_grid(random_model, tmp_path, prompts=1), list[Job]()

    def full(*_: object) -> None:
        assert all(job.wait(60) for job in jobs)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def submit(*given: Any, **more: Any) -> Job:
        jobs.append(Engine.submit(engine, *given, **more))
        return jobs[-1]

    monkeypatch.setattr(eval.stage, "write_bytes_atomically", full)
    with Engine(random_model, shelf=grid.shelf) as engine:
        monkeypatch.setattr(engine, "submit", submit)
        with pytest.raises(GridError):
            Stage(engine, grid, manners=Manners(4, background=True)).sing(grid.cells, lambda _: None, lambda *_: None)
        assert len(jobs) == 4 and all(engine.job(job.id) is None for job in jobs)


def test_cores_are_shared_out() -> None:
    assert share_cores(1, "cpu", cores=2) == Shares(2, 1, 1)
    assert share_cores(2, "cpu", cores=64) == Shares(4, 4, 32)
    assert share_cores(1, "cpu", cores=1) == Shares(1, 1, 1)
    assert share_cores(2, "cuda", cores=16).copies == 1 and share_cores(2, "cuda", 3, cores=16).copies == 3


def test_a_card_is_not_what_an_adapter_sings_with(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    card = grid.shelf.folder / "rock" / "card.json"
    card.write_text(card.read_text() + "\n")
    assert make_grid(random_model, tmp_path).adapters == grid.adapters


def test_a_missing_adapter_is_told_before_anything_is_sung(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    with pytest.raises(ChoirmasterError, match="jazz"):
        Grid(Plan("m", planted_prompts(1), ({"jazz": 1.0},)), tmp_path / "new", grid.shelf)
    assert not (tmp_path / "new").exists()


def test_the_manifest_cannot_be_written(random_model: SongModel, tmp_path: Path) -> None:
    grid = make_grid(random_model, tmp_path)
    grid.folder.mkdir()
    (grid.folder / "grid.json").mkdir()
    with pytest.raises(GridError, match=r"grid\.json cannot be written"):
        write_results(grid, [LISTENING], {})


def test_names_of_cells_are_safe_and_different() -> None:
    names = [
        cell_name("folk-1", 7, "base"),
        cell_name("../../etc/passwd", 7, "base"),
        cell_name("A", 7, "base"),
        cell_name("a", 7, "base"),
        cell_name("x" * 300, 7, "base"),
        cell_name("x" * 300, 7, ",".join(f"a{n}=0.5" for n in range(16))),
    ]
    assert names[0] == "folk-1.7.base"
    assert len({name.lower() for name in names}) == len(names)
    assert all("/" not in name and len(name) <= 200 and not name.startswith(".") for name in names)
