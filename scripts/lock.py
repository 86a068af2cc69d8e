"""Print the pins of ``constraints-dev.txt``: what curate and its extras for development pull in, as installed here.

    python scripts/lock.py > constraints-dev.txt

Only distributions that curate's requirements lead to are named; what else lies in the environment is not. ``make lock``
does this in an environment of its own.
"""

from __future__ import annotations

import importlib.metadata
import re

from packaging.requirements import Requirement
from packaging.version import Version

EXTRAS = ("dev", "docs", "download")

HEADER = """\
# Everything that development pulls in, pinned: `make lint`, `make test` and CI install these versions.
# Written by `make lock`; do not edit.
-c constraints.txt"""


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(root: str, extras: tuple[str, ...]) -> dict[str, str]:
    """Name and public version of every installed distribution that a distribution needs, directly or not, sorted.

    What is not installed here (another system's, another Python's) is left out.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [(root, extras)]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = Version(distribution.version).public
        for line in distribution.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append((normalised(needed.name), tuple(sorted(needed.extras))))
    return dict(sorted(found.items()))


def main() -> None:
    """Print the file."""
    print(HEADER)
    named_elsewhere = {"curate", "torch", "torchvision"}
    for name, version in pins("curate", EXTRAS).items():
        if name not in named_elsewhere:
            print(f"{name}=={version}")


if __name__ == "__main__":
    main()
