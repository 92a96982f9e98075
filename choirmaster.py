"""The command line: one verb per task, each living in its room.

A room is imported only when its verb is called, so that ``choirmaster --help`` answers at once. Knows the names of the
verbs and one line about each, nothing about their options.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup

from engine.errors import ChoirmasterError


class Verb(NamedTuple):
    """Where a verb lives, ``module:function`` (or ``module:app`` for a Typer app of sub-verbs), and what it does."""

    target: str
    help: str


VERBS: dict[str, Verb] = {
    "serve": Verb("server:serve", "Serve the HTTP API and the browser pages over one engine."),
    "sing": Verb("ui.sing_cli:sing", "Sing lyrics in a style and write the song to disk."),
    "adapters": Verb("adapters.cli:app", "List, show, import, remove and rename adapters."),
    "bench": Verb("bench.cli:app", "Time songs, training, the engine and a whole server beside their peers."),
    "measure": Verb("eval.cli:measure", "Measure word errors, speed and attention of a song model."),
    "curves": Verb("eval.curves_cli:curves", "Draw the training curves of adapters."),
    "eval": Verb("eval.eval_cli:app", "Sing a grid of songs by every adapter, judge them, and report."),
    "fit": Verb("router.fit_cli:fit", "Fit a router to a results table: which adapter or blend a prompt needs."),
    "route": Verb("router.route_cli:app", "Ask a router which composition a prompt needs, or test and report it."),
    "pretrain": Verb("training.cli:pretrain", "Train the tiny song model from its corpus."),
    "corpus": Verb("training.corpus_cli:app", "Make and audit corpora to train adapters on."),
    "export": Verb("adapters.export_cli:export", "Export a composition of adapters for another tool."),
    "recordings": Verb("training.cli:recordings", "Write the corpus's own songs as sound files."),
    "train": Verb("training.train_cli:train", "Train one adapter on a corpus."),
}


class LazyGroup(TyperGroup):
    """Lists placeholders and swaps in the real command once a verb is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in VERBS else placeholder, rest


def load(name: str) -> Any:
    """Import the room of a verb and return the verb as a command."""
    module, _, attribute = VERBS[name].target.partition(":")
    target = getattr(import_module(module), attribute)
    if not isinstance(target, typer.Typer):
        function, target = target, typer.Typer(add_completion=False)
        target.command(name)(function)
    return typer.main.get_command(target)


# Errors reach main() as they are; a traceback of anything else is more use plain than in a box.
app = typer.Typer(cls=LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def choirmaster() -> None:
    """Sing with the music model ACE-Step 1.5 and a shelf of LoRA adapters."""


for _name, _verb in VERBS.items():
    app.command(_name, help=_verb.help)(lambda: None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit: 2 with one line on stderr for an error of ours or a wrong option, 130 when interrupted."""
    try:
        app(arguments)
    except ChoirmasterError as error:
        print("choirmaster:", " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
