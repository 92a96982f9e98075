"""A training in a process of its own, which may be killed.

Processes are forked from a server that has imported everything, so that each is there at once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["accelerate", "engine.song_model", "training.adapter_run", __name__])


def start_training(corpus: Path, out: Path, fields: dict[str, Any], replace: int | None = None) -> BaseProcess:
    """Train an adapter of the embedded model; ``replace``: number of the checkpoint that is being put in place when the
    process is killed."""
    return _started(_train, corpus, out, fields, replace)


def start_command(arguments: Sequence[str], environment: dict[str, str]) -> BaseProcess:
    """``choirmaster`` with these arguments."""
    return _started(_call, arguments, environment)


def _started(target: Callable[..., None], *given: Any) -> BaseProcess:
    process = _CONTEXT.Process(target=target, args=given)
    process.start()
    return process


def _call(arguments: Sequence[str], environment: dict[str, str]) -> None:
    os.environ.update(environment)
    import torch

    from choirmaster import main

    torch.set_num_threads(1)
    main(arguments)


def _train(corpus: Path, out: Path, fields: dict[str, Any], replace: int | None) -> None:
    import torch
    from accelerate import Accelerator

    from engine.song_model import load_song_model
    from training.adapter_options import AdapterOptions
    from training.adapter_run import make_run
    from training.adapter_training import AdapterTrainer
    from training.encoding import read_encoded
    from training.manifest import read_corpus

    torch.set_num_threads(1)
    if replace is not None:
        _die_at(replace)
    options, model, read = AdapterOptions(**fields), load_song_model(), read_corpus(corpus)
    clips = read_encoded(read, model, with_words=options.with_words)
    run = make_run(lambda steps: AdapterTrainer(model, options, steps, Accelerator()), read, clips, options, out, 1)
    run.train(lambda _: None)
    run.finish("mine")


def _die_at(number: int) -> None:
    """Be killed just after the checkpoint of an odd number is put in place, or just before one of an even number is."""
    left, plain = [number], os.replace

    def replace(source: Any, target: Any) -> None:
        if Path(target).suffix == ".safetensors":
            left[0] -= 1
            if left[0] == 0:
                if number % 2:
                    plain(source, target)
                os.kill(os.getpid(), signal.SIGKILL)
        plain(source, target)

    os.replace = replace  # type: ignore[assignment]
