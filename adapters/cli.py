"""The ``adapters`` verb: the shelf from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass

from adapters.places import SHELF, TINY_MODEL

Shelf = Annotated[Path, typer.Option(help="Folder of adapters.")]
Model = Annotated[Path, typer.Option(help="Folder of a song model in diffusers layout, for which the adapters are.")]
Name = Annotated[str, typer.Argument(help="Name of an adapter: 1 to 64 of a-z, 0-9 and -.")]

app = typer.Typer(name="adapters", add_completion=False, no_args_is_help=True)


@app.callback()
def adapters() -> None:
    """List, show, import, remove and rename adapters."""


@app.command("list")
def list_adapters(shelf: Shelf = SHELF) -> None:
    """List the adapters on the shelf."""
    from rich.console import Console
    from rich.table import Table

    from adapters.store import AdapterStore

    store = AdapterStore(shelf)
    console = Console() if Console().is_terminal else Console(width=160)  # a table for a file is not folded
    table = Table("name", "variant", "rank", "alpha", "layers", "targets", "song model", "made", box=None)
    table.columns[0].no_wrap = table.columns[-1].no_wrap = True  # a name is there to be typed
    for card in store.cards():
        table.add_row(
            card.name,
            card.variant or "-",
            str(card.rank),
            f"{card.alpha:g}",
            str(card.layers),
            _short(card.targets),
            card.base.name,
            f"{card.created:%Y-%m-%d}",
        )
    if table.row_count:
        console.print(table)
    else:
        console.print(
            f"{shelf} holds no adapter: import one with `choirmaster adapters import PATH NAME`", markup=False
        )
    for name, fault in store.damaged().items():
        Console(stderr=True).print(f"{name} is damaged: {fault}", markup=False)


@app.command()
def show(name: Name, shelf: Shelf = SHELF, model: Model = TINY_MODEL) -> None:
    """Show an adapter's card, and whether it can sing with the song model."""
    from adapters.errors import AdapterError
    from adapters.exporting import read_base
    from adapters.store import AdapterStore

    store = AdapterStore(shelf)
    typer.echo(store.card(name).model_dump_json(indent=1))
    base, base_name = read_base(model)
    try:
        store.load(name, base)
    except AdapterError as error:
        typer.echo(f"cannot sing with {base_name}: {error}", err=True)
    else:
        typer.echo(f"fits {base_name}", err=True)


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="Folder or .safetensors file of an adapter, whatever tool wrote it.")],
    name: Name,
    shelf: Shelf = SHELF,
    model: Model = TINY_MODEL,
    description: Annotated[str, typer.Option(help="A sentence for its card.")] = "",
) -> None:
    """Read an adapter of another tool and put it on the shelf."""
    from adapters.exporting import read_base
    from adapters.importing import import_adapter
    from adapters.store import AdapterStore

    store = AdapterStore(shelf)
    store.check_free(name)
    base, base_name = read_base(model)
    weights, card, notes = import_adapter(path, name, base, base_name, description=description)
    card = store.add(name, weights, card, base=base)
    for note in notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{name}: rank {card.rank}, alpha {card.alpha:g}, {card.layers} layers ({_short(card.targets)})")


@app.command()
def control(
    like: Annotated[str, typer.Argument(help="Name of an adapter on the shelf.")],
    name: Name,
    shelf: Shelf = SHELF,
    model: Model = TINY_MODEL,
    seed: Annotated[int, typer.Option(min=0, help="Of the weights.")] = 0,
) -> None:
    """Make an adapter of random weights as strong as another's, to measure what trained ones are worth."""
    from adapters.control import draw_control, label_control
    from adapters.exporting import read_base
    from adapters.store import AdapterStore

    store = AdapterStore(shelf)
    store.check_free(name)
    base, _ = read_base(model)
    weights = draw_control(store.load(like, base), seed)
    card = store.add(name, weights, label_control(store.card(like), name, seed), base=base)
    typer.echo(f"{name}: random weights as strong as those of {like}, {card.layers} layers")


@app.command()
def remove(
    name: Name,
    shelf: Shelf = SHELF,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
) -> None:
    """Delete an adapter."""
    from adapters.store import AdapterStore

    store = AdapterStore(shelf)
    store.check_there(name)
    if not yes:
        typer.confirm(f"delete {name} from {shelf} for good?", abort=True)
    store.remove(name)
    typer.echo(f"{name} is removed")


@app.command()
def rename(old: Name, new: Annotated[str, typer.Argument(help="The name it gets.")], shelf: Shelf = SHELF) -> None:
    """Give an adapter another name."""
    from adapters.store import AdapterStore

    AdapterStore(shelf).rename(old, new)
    typer.echo(f"{old} is now {new}")


def _short(targets: tuple[str, ...]) -> str:
    """Kinds of layers by block: ``cross_attn.to_k/to_q self_attn.to_q``."""
    blocks: dict[str, list[str]] = {}
    for target in targets:
        block, _, layer = target.partition(".")
        blocks.setdefault(block, []).append(layer)
    return " ".join(f"{block}.{'/'.join(filter(None, layers))}".rstrip(".") for block, layers in blocks.items())
