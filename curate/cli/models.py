"""``curate models``: what weights there are, fetching, converting and checking them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.cli.common import verbosity
from curate.cli.exits import leave, say
from curate.errors import CurateError

if TYPE_CHECKING:
    from curate.nets.catalogue import KnownModel


@click.group()
def models() -> None:
    """List, show, fetch, convert and check weights."""


@models.command(name="list")
@verbosity
def list_models() -> None:
    """One line a model: name, kind, where it is, licence."""
    from curate.nets.catalogue import known_models

    rows = [(model.name, model.kind, _place(model), model.licence) for model in known_models()]
    head = ("name", "kind", "where", "licence")
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@models.command()
@click.argument("name", metavar="NAME")
@verbosity
def show(name: str) -> None:
    """Print what is known of a model, its digests, and its card."""
    from curate.nets.catalogue import card_of, digests, known_model, known_models
    from curate.nets.weights.hub import find_pulled

    model = known_model(name)
    if model is None:
        raise CurateError(f"no model {name!r}; known: {', '.join(known.name for known in known_models())}")
    pulled = find_pulled(model.hub) if model.hub else None
    for label, text in (
        ("name", model.name),
        ("kind", model.kind),
        ("where", _place(model)),
        ("address", f"https://huggingface.co/{model.hub}" if model.hub else ""),
        ("commit", pulled.commit if pulled else ""),
        ("licence", model.licence),
        ("preprocessing", model.preprocessing),
        ("note", model.note),
    ):
        if text:
            click.echo(f"{label}: {text}")
    for file, digest in digests(model).items():
        click.echo(f"sha256: {digest}  {file}")
    card = None if model.hub else card_of(model.name)
    if card is not None:
        click.echo(f"card: {card}\n\n{card.read_text(encoding='utf-8').strip()}")


def _place(model: KnownModel) -> str:
    """Where a model is, in few words."""
    from curate.nets.weights.hub import find_pulled

    if not model.hub:
        return "shipped"
    return "pulled" if find_pulled(model.hub) else "not here"


@models.command()
@click.argument("name", metavar="NAME_OR_HUB_REPO")
@click.option("--folder", type=click.Path(path_type=Path), help="Put it here instead of in the user's cache folder.")
@click.option("--revision", help="Branch, tag or commit.  [default: the main branch]")
@click.option("--update", is_flag=True, help="Accept files that differ from those pulled before.")
@verbosity
def pull(name: str, folder: Path | None, revision: str | None, update: bool) -> None:
    """Fetch weights from the Hugging Face hub.

    The SHA-256 of every file is kept: where the registry knows none, the first pull pins what it found, and later ones
    must bring the same.
    """
    from curate.nets.catalogue import known_model
    from curate.nets.weights import hub

    known = known_model(name)
    if known is not None and not known.hub:
        click.echo(f"{name} is shipped with curate: there is nothing to fetch")
        return
    repository = known.hub if known else name
    first = hub.find_pulled(repository, folder) is None
    pulled = hub.pull(repository, cache=folder, revision=revision, known=known.sha256 if known else None, update=update)
    click.echo(f"{repository} at {pulled.commit[:12]}: {len(pulled.sha256)} files in {pulled.folder}")
    if not (known and known.sha256) and (first or update):
        click.echo("no digests are published for it: those found now are pinned, and later pulls must bring the same")
    if folder is not None:
        click.echo(f"it is outside the cache folder: name it by its path, e.g. --classify-model {pulled.folder}")


@models.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE.pt...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder.  [default: beside FILE]"
)
@verbosity
def convert(files: tuple[Path, ...], output: Path | None) -> None:
    """Turn YOLO checkpoints into ONNX, once, for curate mask --yolo.

    Needs the extra 'ultralytics', which is AGPL-3.0; the ONNX files run without it. Checkpoints are loaded in
    Ultralytics' restricted mode, so that nothing but a known network is made of them.
    """
    from curate.nets.detect.yolo_checkpoint import convert as to_onnx

    for file in files:
        if not file.is_file():
            raise CurateError(f"{file}: there is no such file")
        target = (output or file.parent) / f"{file.stem}.onnx"
        target.parent.mkdir(parents=True, exist_ok=True)
        to_onnx(file, target)
        click.echo(f"{file}: {target}")


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@verbosity
def check(names: tuple[str, ...]) -> None:
    """Verify the digests of models and run each once; without NAME, all that are on this machine.

    Exit codes: 0 all good, 1 wrong usage, 2 a model is missing or damaged.
    """
    from curate.nets.catalogue import check_model, known_models
    from curate.nets.weights.hub import find_pulled

    every = {model.name: model for model in known_models()}
    if unknown := [name for name in names if name not in every]:
        raise CurateError(f"no model {', '.join(unknown)}; known: {', '.join(every)}")
    chosen = [every[n] for n in names] or [m for m in every.values() if not m.hub or find_pulled(m.hub)]
    bad = 0
    for model in chosen:
        try:
            click.echo(f"{model.name}: {check_model(model)}")
        except CurateError as error:
            bad += 1
            say(f"{model.name}: FAILED: {error}")
    leave(failures=bad)
