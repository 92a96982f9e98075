"""The log of a training run: a JSON row per step, and TensorBoard's event files beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adapters.files import write_text_atomically
from training.adapter_training import StepResult
from training.sharpness import AttentionState

#: The board's folder has a name that no adapter can have: adapters stand beside it.
LOG, BOARD = "log.jsonl", "tensorboard.d"


@dataclass(frozen=True)
class RunProgress:
    """Told after each step. ``loss`` is smoothed; ``warning`` is said once, when attention collapses."""

    step: int
    steps: int
    loss: float
    sharpness: float
    attention: AttentionState | None
    learning_rate: float
    steps_per_second: float
    validation: dict[str, float] | None
    warning: str | None


class TrainingLog:
    """A JSON row per step and TensorBoard's event files; rows past the step a run goes on from are dropped."""

    def __init__(self, out: Path, step: int, *, write: bool) -> None:
        self.out, self.step, self.writes = out, step, write

    def __enter__(self) -> TrainingLog:
        if self.writes:
            from tensorboardX import SummaryWriter

            self.out.mkdir(parents=True, exist_ok=True)
            path = self.out / LOG
            if path.exists():
                write_text_atomically(
                    path, "".join(_rows_until(path.read_text(encoding="utf-8").splitlines(), self.step))
                )
            self.file = path.open("a", encoding="utf-8")
            # the suffix keeps two runs within one second from writing the same file
            self.board = SummaryWriter(str(self.out / BOARD), purge_step=self.step + 1, filename_suffix=f".{self.step}")
        return self

    def __exit__(self, *_: object) -> None:
        if self.writes:
            self.file.close()
            self.board.close()

    def write(self, progress: RunProgress, result: StepResult) -> None:
        row: dict[str, Any] = {
            "step": progress.step,
            "loss": result.loss,
            "sharpness": result.sharpness,
            "learning_rate": progress.learning_rate,
        }
        row |= {} if progress.attention is None else {"attention": asdict(progress.attention)}
        row |= {} if progress.validation is None else {"validation": progress.validation}
        row |= {} if progress.warning is None else {"warning": progress.warning}
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()
        flat = {k: v for k, v in row.items() if isinstance(v, float)}
        for group in ("attention", "validation"):
            flat |= {f"{group}/{k}": v for k, v in row.get(group, {}).items()}
        for name, value in flat.items():
            self.board.add_scalar(name.replace("@", "_"), value, progress.step)  # else the board warns and does so


def _rows_until(rows: Iterable[str], step: int) -> Iterator[str]:
    for row in rows:
        try:
            if json.loads(row)["step"] <= step:
                yield row + "\n"
        except (json.JSONDecodeError, KeyError):  # the row being written when the run was killed
            continue
