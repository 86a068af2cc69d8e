"""Fenced blocks of the documentation, and what a comment before each says about running it.

A block of ``bash`` or ``python`` follows one of two comments, which no renderer shows::

    <!-- run -->
    <!-- not run: needs the network -->

A page whose blocks begin with a finished workspace says so in a comment ``<!-- starts with: work -->``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n`]*$")
MARK = re.compile(r"<!-- (run|not run: (?P<why>[^>]+)) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The file.
        line: Line of its fence, from 1.
        language: Word after the fence; empty where there is none.
        code: What stands between the fences, without their indent.
        mark: ``run``, ``not run``, or empty.
    """

    page: Path
    line: int
    language: str
    code: str
    mark: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at, mark = 0, ""
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence is None:
            if lines[at].strip():
                seen = MARK.fullmatch(lines[at].strip())
                mark = "" if seen is None else seen[1].split(":")[0]
            at += 1
            continue
        start, indent = at, len(fence["indent"])
        at += 1
        while lines[at].strip() != "```":
            at += 1
        code = "\n".join(line[indent:] for line in lines[start + 1 : at]) + "\n"
        found.append(Block(page, start + 1, fence["language"], code, mark))
        at, mark = at + 1, ""
    return found


def prose(page: Path) -> str:
    """A page without its fenced blocks and comments."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


ALL = [block for page in PAGES if page.exists() for block in blocks(page)]
