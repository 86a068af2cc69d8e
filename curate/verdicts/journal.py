"""What people decided in a workspace: append-only files, one a reviewer, that survive reruns and new models.

``decisions/{reviewer}.jsonl`` has one decision a line, flushed to disk before anything else happens. A decision says
who made it, when, about which video and which second of it, and what the models had said there. Nothing is ever
changed in such a file: taking a decision back is a decision too. Every line stands for itself and names its workspace,
so that a file that was cut, edited by hand or copied from elsewhere costs the lines it costs and no others.
"""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import math
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate.errors import CurateError
from curate.files.atomic import open_own, sync_folder, write_atomic
from curate.files.bounded import lines_bounded, open_regular, parse_json, read_bounded
from curate.records import NON_SURGICAL, REGION_KINDS, SURGICAL, UNCERTAIN, VIDEO_ID

KINDS = ("frame", "trim", "box", "video", "undo")
LABELS = (SURGICAL, NON_SURGICAL, UNCERTAIN)
BOX_ACTIONS = ("add", "move", "delete")
VIDEO_ACTIONS = ("keep", "drop", "opt_out")

REVIEWER = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a reviewer may be called (``fullmatch``)."""

_IDENTITY = "workspace"
_LONGEST_LINE = 10_000
_LONGEST_VIDEO = 1e7
"""Seconds; four months."""

_LARGEST_SIDE = 1 << 16


@dataclass(frozen=True)
class Decision:
    """One line.

    Attributes:
        workspace: Id of the workspace.
        who: Reviewer.
        seq: Counts the decisions of a reviewer, from 1; orders them.
        time: Unix seconds.
        video: Id of the video.
        kind: One of `KINDS`.
        at: Second of the video, of a frame or box.
        until: For a box: second of the last frame that it is about; of one frame only if not given.
        label: For a frame: one of `LABELS`.
        start: For a trim: second from which frames are kept, if it is moved.
        end: For a trim: second from which they no longer are, if it is moved.
        action: For a box, one of `BOX_ACTIONS`; for a video, one of `VIDEO_ACTIONS`.
        box: ``(x1, y1, x2, y2)`` in pixels, half open: the new box, or the one that is moved or deleted.
        to: Where a box is moved.
        size: Width and height of the frame on which the box was drawn.
        region: Kind of an added or moved box.
        undoes: For ``undo``: the ``seq`` of the decision that no longer counts.
        model: What the models said: ``verdict``, ``p`` (0..1), ``sha256`` of the weights, ``seen``: the fingerprint of
            the verdicts without decisions.
        where: File and line, for messages.
    """

    workspace: str
    who: str
    seq: int
    time: float
    video: str
    kind: str
    at: float | None = None
    until: float | None = None
    label: str = ""
    start: float | None = None
    end: float | None = None
    action: str = ""
    box: tuple[int, int, int, int] | None = None
    to: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None
    region: str = ""
    undoes: int = 0
    model: Mapping[str, Any] = field(default_factory=dict)
    where: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if why := _wrong(self):
            raise ValueError(why)

    def to_json(self) -> str:
        """One line without its end; what is at its default is left out."""
        data = {
            spec.name: value
            for spec in dataclasses.fields(self)
            if (spec.name != "where" and (value := getattr(self, spec.name)) not in (None, "", 0, {}))
            or (spec.name in ("at", "start", "end") and getattr(self, spec.name) is not None)
        }
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: bytes, where: str = "") -> Decision:
        """Parse a line, which anybody may have written.

        Raises:
            ValueError: It is no decision; the message reads on after its place.
        """
        data = parse_json(line)
        if not isinstance(data, dict):
            raise ValueError("is not an object")
        if unknown := sorted(data.keys() - _NAMES):
            raise ValueError(f"has {unknown[0][:40]!r}, which is no part of a decision")
        for name in ("box", "to", "size"):
            if isinstance(data.get(name), list):
                data[name] = tuple(data[name])
        try:
            return cls(**data, where=where)
        except TypeError as error:
            raise ValueError(f"is no decision: {str(error).partition('() ')[2] or error}") from None


_NAMES = frozenset(spec.name for spec in dataclasses.fields(Decision)) - {"where"}


def _is_number(value: Any, high: float = _LONGEST_VIDEO) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= high


def _is_box(value: Any) -> bool:
    if not (isinstance(value, tuple) and len(value) == 4 and all(type(side) is int for side in value)):
        return False
    x1, y1, x2, y2 = value
    return 0 <= x1 < x2 <= _LARGEST_SIDE and 0 <= y1 < y2 <= _LARGEST_SIDE


def _is_size(value: Any) -> bool:
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(type(side) is int and 0 < side <= _LARGEST_SIDE for side in value)
    )


def _is_model(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.keys() - {"verdict", "p", "sha256", "seen"}:
        return False
    texts = all(isinstance(value.get(name, ""), str) for name in ("verdict", "sha256", "seen"))
    return texts and ("p" not in value or _is_number(value["p"], 1.0))


def _wrong(d: Decision) -> str:
    """Why something is no decision; empty if it is one."""
    checks = (
        (isinstance(d.workspace, str) and d.workspace, "names no workspace"),
        (isinstance(d.who, str) and REVIEWER.fullmatch(d.who), "names no reviewer"),
        (type(d.seq) is int and 0 < d.seq < 1 << 53, "has no number 'seq'"),
        (_is_number(d.time, 1e12), "has no time"),
        (isinstance(d.video, str) and VIDEO_ID.fullmatch(d.video), "names no video"),
        (d.kind in KINDS, f"is of no known kind: {str(d.kind)[:40]!r}"),
        (d.at is None or _is_number(d.at), "has an 'at' that is no second of a video"),
        (d.until is None or _is_number(d.until), "has an 'until' that is no second of a video"),
        (d.start is None or _is_number(d.start), "has a 'start' that is no second of a video"),
        (d.end is None or _is_number(d.end), "has an 'end' that is no second of a video"),
        (d.box is None or _is_box(d.box), "has a 'box' that is none"),
        (d.to is None or _is_box(d.to), "has a 'to' that is no box"),
        (d.size is None or _is_size(d.size), "has a 'size' that is no width and height"),
        (d.region in ("", *REGION_KINDS), "has a 'region' that is no kind of region"),
        (type(d.undoes) is int and d.undoes >= 0, "has an 'undoes' that is no number"),
        (_is_model(d.model), "says nonsense of the model"),
    )
    for fine, why in checks:
        if not fine:
            return why
    match d.kind:
        case "frame":
            fine, why = d.at is not None and d.label in LABELS, f"needs 'at' and a label: {', '.join(LABELS)}"
        case "trim":
            fine, why = d.start is not None or d.end is not None, "needs 'start' or 'end'"
        case "box":
            placed = d.at is not None and d.box is not None and d.size is not None and (d.until or d.at) >= d.at
            fine = d.action in BOX_ACTIONS and placed and (d.action != "move" or d.to is not None)
            why = f"needs 'at', 'box', 'size' and an action ({', '.join(BOX_ACTIONS)}); to move, 'to'"
        case "video":
            fine, why = d.action in VIDEO_ACTIONS, f"needs an action: {', '.join(VIDEO_ACTIONS)}"
        case _:
            fine, why = 0 < d.undoes < d.seq, "needs 'undoes', the number of an earlier decision"
    return "" if fine else f"is about a {d.kind} and {why}" if d.kind != "undo" else why


@dataclass(frozen=True)
class Journal:
    """All decisions of a workspace.

    Attributes:
        decisions: By reviewer and ``seq``, those that were taken back and their undoing included.
        problems: What is wrong with other lines, each with file and line.
    """

    decisions: tuple[Decision, ...] = ()
    problems: tuple[str, ...] = ()

    def standing(self) -> list[Decision]:
        """Decisions that were not taken back, without the undoing."""
        undone = {(d.who, d.undoes) for d in self.decisions if d.kind == "undo"}
        return [d for d in self.decisions if d.kind != "undo" and (d.who, d.seq) not in undone]


def read_identity(folder: Path) -> str:
    """Id of the workspace to which a folder of decisions belongs; empty where there is none yet."""
    try:
        return read_bounded(folder / _IDENTITY, 100).decode("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""


def _identity(folder: Path) -> str:
    """As `read_identity`; one is made where there is none."""
    path = folder / _IDENTITY
    if path.is_symlink():
        path.unlink()
    made = secrets.token_hex(8)
    for _ in range(100):
        if found := read_identity(folder):
            return found
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        except FileExistsError:  # another process is just writing it
            time.sleep(0.02)
            continue
        try:
            os.write(descriptor, f"{made}\n".encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    raise CurateError(f"{path} is empty: delete it, and the next review gives the workspace an id again")


def read_journal(folder: Path) -> Journal:
    """Read all decisions of a workspace.

    Args:
        folder: ``decisions`` of the workspace; it need not exist.
    """
    identity = read_identity(folder)
    found: list[Decision] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() and not folder.is_symlink() else ():
        taken = _read_file(path, identity, problems)
        identity = identity or next((d.workspace for d in taken), "")
        found += taken
    found.sort(key=lambda d: (d.who, d.seq))
    return Journal(tuple(found), tuple(problems))


def read_file(path: Path) -> Journal:
    """Read one file of decisions, of whatever workspace.

    Raises:
        CurateError: It cannot be read.
    """
    problems: list[str] = []
    if not path.is_file():
        raise CurateError(f"cannot read the decisions {path}: there is no such file")
    found = _read_file(path, "", problems)
    return Journal(tuple(sorted(found, key=lambda d: (d.who, d.seq))), tuple(problems))


def _read_file(path: Path, identity: str, problems: list[str]) -> list[Decision]:
    """Decisions of one file; adds to ``problems`` what is wrong with other lines."""
    found: dict[int, Decision] = {}
    for number, line in _lines(path, problems):
        where = f"{path}:{number}"
        try:
            if line is None:
                raise ValueError(f"has more than {_LONGEST_LINE} bytes")
            decision = Decision.from_json(line, where)
            identity = identity or decision.workspace
            if decision.workspace != identity:
                raise ValueError(f"was made in another workspace ({decision.workspace[:40]}, not {identity})")
            if decision.who != path.stem:
                raise ValueError(f"is of {decision.who}, and the file is of {path.stem[:64]}")
            if decision.seq in found:
                raise ValueError(f"has the number {decision.seq}, which {found[decision.seq].where} has too")
            if decision.kind == "undo" and decision.undoes not in found:
                raise ValueError(f"undoes number {decision.undoes}, which does not stand above it")
        except ValueError as error:
            cut = line is not None and not line.endswith(b"\n")
            problems.append(f"{where} {'is cut in the middle' if cut else error}: passed over")
            continue
        found[decision.seq] = decision
    return list(found.values())


def _lines(path: Path, problems: list[str]) -> Iterator[tuple[int, bytes | None]]:
    try:
        with open_regular(path) as stream:
            for number, line in enumerate(lines_bounded(stream, _LONGEST_LINE), 1):
                if line is None or line.strip():
                    yield number, line
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        problems.append(f"{path} cannot be read ({why}): passed over")


class JournalWriter:
    """Appends the decisions of one reviewer; nobody else does at the same time. Close it at the end.

    Attributes:
        path: The file.
        who: The reviewer.

    Args:
        folder: ``decisions`` of a workspace; made if needed.
        who: Name of the reviewer.

    Raises:
        CurateError: The name cannot be one, or the file cannot be written or is being written.
    """

    def __init__(self, folder: Path, who: str) -> None:
        if not REVIEWER.fullmatch(who):
            raise CurateError(f"reviewer {who!r}: a name has 1 to 64 letters, digits, '_' or '-'")
        if folder.is_symlink():
            raise CurateError(f"{folder} is a link: put the folder itself there")
        self.path, self.who = folder / f"{who}.jsonl", who
        try:
            folder.mkdir(exist_ok=True)
            self._workspace = _identity(folder)
            self._descriptor = open_own(self.path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise CurateError(f"cannot write {self.path}: {error.strerror or error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise CurateError(f"{who} is reviewing already: end that review, or take another name with --as") from error
        sync_folder(folder)
        _end_torn_line(self._descriptor)
        self._seq = max((d.seq for d in _read_file(self.path, "", [])), default=0)
        self._seq = max(self._seq, _highest(self.path))

    def append(self, video: str, kind: str, **facts: Any) -> Decision:
        """Write a decision and flush it to disk.

        Args:
            video: Id of the video.
            kind: One of `KINDS`.
            facts: Other attributes of `Decision`.

        Raises:
            ValueError: It is no decision.
            OSError: The disk is full or gone.
        """
        decision = Decision(self._workspace, self.who, self._seq + 1, round(time.time(), 3), video, kind, **facts)
        line = decision.to_json().encode() + b"\n"
        if os.write(self._descriptor, line) != len(line):
            _end_torn_line(self._descriptor)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        os.fsync(self._descriptor)
        self._seq += 1
        return decision

    def close(self) -> None:
        """Close the file, and let others write it."""
        os.close(self._descriptor)


def _highest(path: Path) -> int:
    """Highest number in a file, lines that are passed over included."""
    highest = 0
    for _, line in _lines(path, []):
        try:
            seq = parse_json(line or b"").get("seq", 0)
        except (ValueError, AttributeError):
            continue
        if type(seq) is int and 0 < seq < 1 << 52:
            highest = max(highest, seq)
    return highest


def _end_torn_line(descriptor: int) -> None:
    """End a line that could not be written whole."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")


def forget_decisions(folder: Path, videos: Collection[str]) -> int:
    """Rewrite all files of decisions without some videos.

    Lines that are no decisions go as well where such an id stands in them.

    Args:
        folder: ``decisions`` of the workspace; it need not exist.
        videos: Ids.

    Returns:
        How many lines were removed.

    Raises:
        CurateError: Somebody is reviewing, or a file cannot be written; those before it are rewritten.
    """
    removed = 0
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() and not folder.is_symlink() else ():
        if path.is_symlink() or not path.is_file():
            path.unlink()
            continue
        with open_regular(path) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CurateError(f"{path.stem} is reviewing: end that review, and purge again") from error
            lines = stream.readlines()
            kept = [line for line in lines if not _speaks_of(line, videos)]
            if len(kept) < len(lines):
                removed += len(lines) - len(kept)
                write_atomic(path, b"".join(kept)) if kept else path.unlink()
    return removed


def _speaks_of(line: bytes, videos: Collection[str]) -> bool:
    try:
        return Decision.from_json(line).video in videos
    except ValueError:
        text = line.decode(errors="replace")
        return any(video in text for video in videos)
