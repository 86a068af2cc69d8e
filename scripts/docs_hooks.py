"""What the pages of ``docs`` take from the code: options, columns of tables, the picture of the rooms.

mkdocs calls `on_page_markdown`; a comment such as ``<!-- options -->`` on a line of its own is replaced.
"""

from __future__ import annotations

import ast
import re
import tomllib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the comments of a page by what they stand for."""
    makers = {"options": options, "columns": columns, "rooms": rooms_table, "floors": floors}

    def made(found: re.Match[str]) -> str:
        name, _, argument = found[1].partition(" ")
        if name not in makers:
            return found[0]
        return makers[name](argument) if argument else makers[name]()

    return re.sub(r"^<!-- ([\w ]+) -->$", made, markdown, flags=re.MULTILINE)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def options() -> str:
    """Every option of every table of `curate.config`, a section a table."""
    from curate.config import option_fields, option_tables

    parts = []
    for place in option_tables():
        rows = []
        for spec, annotation in option_fields(place.kind):
            default = "not set" if spec.default in (None, "") else f"`{_text(spec.default)}`"
            redoes = "yes" if spec.metadata["output"] else "no"
            rows.append([f"`{spec.name}`", _type(annotation, spec.metadata), default, redoes, spec.metadata["help"]])
        summary = (place.kind.__doc__ or "").strip().splitlines()[0]
        parts.append(f"## [{place.name}]\n\n{summary}\n\n{table(['name', 'value', 'default', 'redoes', 'what'], rows)}")
    return "\n".join(parts)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _type(kind: Any, metadata: Any) -> str:
    inner = [part for part in typing.get_args(kind) if part is not type(None)]
    if typing.get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if typing.get_origin(kind) is tuple:
        return f"list of {_type(inner[0], metadata)}"
    if isinstance(kind, types.UnionType):
        return _type(inner[0], metadata)
    name = {bool: "true or false", int: "integer", float: "number", str: "text", Path: "path"}[kind]
    low, high = metadata["low"], metadata["high"]
    if kind not in (int, float) or low is None:
        return name
    return f"{name} from {low:g}" + (f" to {high:g}" if high is not None else "")


def columns(schema: str) -> str:
    """The columns of a table of the workspace, by the name of the function that gives its schema."""
    from curate.workspace import tables

    maker = getattr(tables, schema)
    about = re.sub(r"\s+", " ", (maker.__doc__ or "").partition("\n\n")[2]).replace("``", "`").strip()
    rows = [[f"`{field.name}`", f"`{field.type}`", "yes" if field.nullable else "no"] for field in maker()]
    return (about + "\n\n" if about else "") + table(["column", "type", "may be empty"], rows)


def layers(container: str = "curate") -> list[list[str]]:
    """Rooms of a package from the top floor down, as the linter's contract has them; those of one floor together."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (found,) = [c for c in contracts if c["type"] == "layers" and c.get("containers") == [container]]
    return [[re.sub(r"[()\s]", "", room) for room in re.split(r"[|:]", layer)] for layer in found["layers"]]


def rooms() -> str:
    """The picture of the rooms in plain text, one line a floor, for the README."""
    return "\n".join(", ".join(floor) for floor in layers()) + "\n"


def rooms_table() -> str:
    """The rooms with what each is for: the first sentence of its docstring."""
    rows = []
    for number, floor in enumerate(layers()):
        for i, room in enumerate(floor):
            rows.append([str(len(layers()) - number) if i == 0 else "", f"`{room}`", purpose(f"curate.{room}")])
    return table(["floor", "room", "what is in it"], rows)


def floors() -> str:
    """Floors within rooms that have some."""
    parts = []
    for room in ("exports", "nets"):
        rows = [[f"`{name}`", purpose(f"curate.{room}.{name}")] for floor in layers(f"curate.{room}") for name in floor]
        parts.append(f"### {room}\n\n" + table(["part", "what is in it"], rows))
    return "\n".join(parts)


def purpose(module: str) -> str:
    """First sentence of a module's docstring, read without importing it.

    Raises:
        FileNotFoundError: There is no such module.
    """
    base = ROOT.joinpath(*module.split("."))
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return re.sub(r"\s+", " ", text.split("\n\n")[0]).replace("``", "`")


if __name__ == "__main__":
    print(rooms(), end="")
