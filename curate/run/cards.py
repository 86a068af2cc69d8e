"""Writing the cards of a workspace's exports anew, without their pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from curate.errors import BadArtefact, CurateError, why_of
from curate.exports.cards.write import Cards, make_cards, refresh_cards
from curate.exports.disk.folder import RECORD, load_record
from curate.run.session import Session, store
from curate.run.survivors import about_workspace


@dataclass(frozen=True)
class Refreshed:
    """What became of the cards of one export.

    Attributes:
        folder: Of the export.
        written: Whether they say something else now.
        why: Why they could not be written; empty if they could.
    """

    folder: Path
    written: bool
    why: str = ""


def refresh_exports(session: Session, names: Sequence[str] = ()) -> Iterator[Refreshed]:
    """Write the cards of exports anew, and keep the options of the session for the exports to come.

    Args:
        session: The open workspace.
        names: Of exports, or their folders; all that there are if empty.

    Raises:
        CurateError: There is no such export, or another curate is at work in the workspace.
    """
    folders = export_folders(session, names)
    with session.workspace.lock():
        session.pipeline.refresh()
        about = about_workspace(session.pipeline)
        store(session)
        for folder in folders:
            try:
                written = refresh_cards(folder, load_record(folder), about)
            except ValueError as error:
                yield Refreshed(folder, False, f"its {RECORD} {error}; delete the folder and export again")
            except (BadArtefact, CurateError) as error:
                yield Refreshed(folder, False, f"{error}; 'curate verify' says what is wrong with it")
            except OSError as error:
                raise CurateError(
                    f"cannot write the cards of {folder}: {why_of(error)}; check the disk and rights"
                ) from error
            else:
                yield Refreshed(folder, written)


def cards_of(session: Session, name: str) -> Cards:
    """The cards of an export as they would be written now; nothing is written.

    Raises:
        CurateError: There is no such export, or it cannot be read.
    """
    (folder,) = export_folders(session, (name,))
    try:
        record = load_record(folder)
    except OSError as error:
        raise CurateError(f"cannot read {folder / RECORD}: {why_of(error)}") from error
    except ValueError as error:
        raise CurateError(f"{folder}: its {RECORD} {error}") from error
    try:
        return make_cards(folder, record, about_workspace(session.pipeline))
    except BadArtefact as error:
        raise CurateError(f"{error}; 'curate verify {folder}' says what is wrong with it") from error


def export_folders(session: Session, names: Sequence[str] = ()) -> list[Path]:
    """Folders of the exports of a workspace.

    Args:
        session: The open workspace.
        names: Of exports, or their folders; all that there are if empty.

    Raises:
        CurateError: There is none, or none of a name.
    """
    root = session.workspace.exports_folder
    there = sorted(path.parent for path in root.glob(f"*/{RECORD}") if not path.parent.name.startswith("."))
    if not there:
        raise CurateError(f"{session.workspace.root} has no export yet: 'curate export -w {session.workspace.root}'")
    found = []
    for name in names:
        places = [path for path in there if path.name == name or path.resolve() == Path(name).resolve()]
        if not places:
            known = ", ".join(path.name for path in there)
            raise CurateError(f"{name} is no export of {session.workspace.root}; there are {known}")
        found += places
    return list(dict.fromkeys(found)) or there
