"""A planted grid that is sung in a process of its own, which may be killed."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["engine.engine", "eval.evaluation", "tests.eval.planted_grid", __name__])


def start_grid(folder: Path) -> BaseProcess:
    """Go on with the grid of ``folder``: four prompts, two seeds, three compositions, by the embedded model."""
    process = _CONTEXT.Process(target=_sing, args=(folder,))
    process.start()
    return process


def _sing(folder: Path) -> None:
    import torch

    from engine.engine import Engine
    from engine.song_model import load_song_model
    from eval.evaluation import evaluate
    from eval.ledger import Ledger
    from tests.eval.planted_grid import LISTENING, PlantedJudge, make_grid

    torch.set_num_threads(1)
    model = load_song_model()
    grid = make_grid(model, folder, prompts=4)
    with Engine(model, shelf=grid.shelf) as engine:
        evaluate(grid, Ledger(grid).todo([LISTENING]), engine, {LISTENING: [PlantedJudge()]})
