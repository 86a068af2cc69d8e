"""For tests that damage exports: what is found, and accounts that agree with the damage."""

from __future__ import annotations

import json
from pathlib import Path

from curate.exports.check.verify import verify_export
from curate.exports.disk.checksums import files_below


def found(folder: Path, **kw) -> list[tuple[str, str]]:
    return [(problem.where, problem.what) for problem in verify_export(folder, **kw)]


def bless(folder: Path) -> None:
    """Make the record agree with the files, as if the writer itself had made the mistake; Croissant goes."""
    (folder / "croissant.json").unlink(missing_ok=True)
    record = json.loads((folder / "export.json").read_text())
    record["files"] = files_below(folder)
    (folder / "export.json").write_text(json.dumps(record))
