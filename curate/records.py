"""The data model: videos, outcomes, reasons, and what is found on frames."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a video id may look like (``fullmatch``): safe as a file name, an LMDB key prefix and a WebDataset key."""

DOMAINS = ("laparoscopic", "robotic", "endoscopic", "cataract", "open", "unknown")

SURGICAL = "surgical"
NON_SURGICAL = "non-surgical"
UNCERTAIN = "uncertain"

REGION_KINDS = ("text", "logo", "ui", "pip", "redaction", "face", "border", "other")
"""What a region can be. A ``redaction`` hides something that was there before: it is no surgery, and drops no frame."""

FINDING_KINDS = ("face", "name", "date", "identifier")


class Reason(StrEnum):
    """Why a video was dropped or failed. One closed set for all stages; the raw text is kept beside it."""

    # download: the video
    PRIVATE = "private"
    REMOVED = "removed"
    TERMINATED = "terminated"
    TERMS = "terms"
    COPYRIGHT = "copyright"
    GEO = "geo"
    AGE = "age"
    MEMBERS = "members"
    LIVE = "live"
    EMBEDDING = "embedding"
    NO_FORMAT = "no_format"
    LOW_RESOLUTION = "low_resolution"
    UNSUPPORTED_URL = "unsupported_url"
    LOCAL_ADDRESS = "local_address"
    NOT_FOUND = "not_found"
    # download: the way there
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"
    FORBIDDEN = "forbidden"
    NETWORK = "network"
    INCOMPLETE = "incomplete"
    # the file
    FILE_MISSING = "file_missing"
    EMPTY_FILE = "empty_file"
    NOT_A_VIDEO = "not_a_video"
    NO_VIDEO_STREAM = "no_video_stream"
    NO_FRAMES = "no_frames"
    TOO_LARGE = "too_large"
    UNSUPPORTED_CODEC = "unsupported_codec"
    ENCRYPTED = "encrypted"
    # decisions
    OPTED_OUT = "opted_out"
    DUPLICATE = "duplicate"
    NOT_LISTED = "not_listed"
    NOT_SURGICAL = "not_surgical"
    NO_SURGICAL_RUN = "no_surgical_run"
    REVIEWED = "reviewed"
    # the machine
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    BAD_ARTEFACT = "bad_artefact"
    ERROR = "error"


LATER_FIELDS = ("channel", "case", "corpus", "public")
"""Fields of `Video` that lists and workspaces written by curate 0.2 do not have."""


@dataclass(frozen=True)
class Video:
    """One row of the normalised manifest.

    Attributes:
        id: Unique, ``[A-Za-z0-9_-]{1,64}``; the YouTube id where there is one. Compared with case.
        source: An ``http(s)`` URL, or the absolute path of a local file.
        title: As the source gives it; untrusted text.
        procedures: Normalised procedure names of ``labels/procedures.toml``, in the source's order.
        domain: One of `DOMAINS`.
        robotic: Whether a robot was used; ``None`` where the source does not say.
        licence: As stated by the source; empty where nothing is stated.
        split: Split the source assigns (``train``, ``val``, ``test``), or empty.
        duration: Seconds, or ``None`` where the source does not say.
        width: Pixels, or ``None``.
        height: Pixels, or ``None``.
        md5: Hex MD5 of the video file as the source published it, or empty.
        origin: Where the row was read: ``file:row``.
        channel: Who published it: the site's id of the channel where it is known, else a name; untrusted text.
        case: The patient or the procedure that it shows, as the source names it, or empty.
        corpus: The corpus that the list is of, such as ``lemon`` or ``cholec80``, or empty.
        public: Whether its site shows it to everybody; ``None`` where the source does not say.
    """

    id: str
    source: str
    title: str = ""
    procedures: tuple[str, ...] = ()
    domain: str = "unknown"
    robotic: bool | None = None
    licence: str = ""
    split: str = ""
    duration: float | None = None
    width: int | None = None
    height: int | None = None
    md5: str = ""
    origin: str = ""
    channel: str = ""
    case: str = ""
    corpus: str = ""
    public: bool | None = None

    def __post_init__(self) -> None:
        if not VIDEO_ID.fullmatch(self.id):
            raise ValueError(f"video id {self.id!r} is not 1 to 64 letters, digits, '_' or '-'")
        if self.domain not in DOMAINS:
            raise ValueError(f"domain {self.domain!r} of video {self.id} is not one of {', '.join(DOMAINS)}")

    @property
    def is_local(self) -> bool:
        """Whether the source is a file on this machine and not a URL."""
        return not self.source.lower().startswith(("http://", "https://"))


class Region(NamedTuple):
    """What is not surgery in a frame, as a detector found it.

    Attributes:
        x1: Left edge in pixels of the frame.
        y1: Top edge.
        x2: Right edge, exclusive.
        y2: Bottom edge, exclusive.
        kind: One of `REGION_KINDS`.
        score: In 0..1.
        model: What found it.
    """

    x1: int
    y1: int
    x2: int
    y2: int
    kind: str
    score: float
    model: str

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(x1, y1, x2, y2)``."""
        return self[:4]


class Finding(NamedTuple):
    """One thing that may identify a person.

    Attributes:
        kind: One of `FINDING_KINDS`.
        score: Of the face, or of the worst read line, in 0..1.
        x1: Left edge in pixels of the frame.
        y1: Top edge.
        x2: Right edge, exclusive.
        y2: Bottom edge, exclusive.
        pattern: Shape of the text as `curate.privacy.text.redact` gives it; empty for faces. The text is not kept.
        model: ``centerface``, or the rule that speaks, such as ``title``; ``between`` if it was only found before and
            after (`curate.privacy.gaps`).
    """

    kind: str
    score: float
    x1: int
    y1: int
    x2: int
    y2: int
    pattern: str
    model: str

    @property
    def box(self) -> tuple[int, int, int, int]:
        """``(x1, y1, x2, y2)``."""
        return self[2:6]


class FrameDecision(NamedTuple):
    """What people say of a frame.

    Attributes:
        at: Milliseconds of the video, so that it holds when frames are numbered anew.
        label: ``surgical``, ``non-surgical``, or ``uncertain`` where they do not know or do not agree.
        confirms: Where it only says what the verdict was: what that verdict was made of (the fingerprint of ``trim``
            without decisions); else empty.
    """

    at: int
    label: str
    confirms: str = ""


class BoxDecision(NamedTuple):
    """A box that people add to frames, or take away.

    Attributes:
        at: Milliseconds of the first frame.
        until: Milliseconds of the last frame, at least ``at``.
        action: ``add`` or ``delete``.
        box: ``(x1, y1, x2, y2)`` in pixels of a frame of ``size``, half open.
        size: Width and height of the frame on which it was drawn.
        kind: One of `REGION_KINDS`, of an added one.
    """

    at: int
    until: int
    action: str
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    kind: str = "other"


@dataclass(frozen=True)
class VideoDecisions:
    """What people decided about one video, contradictions settled.

    Attributes:
        frames: By time, each time once.
        start: Second from which frames are kept; ``None`` leaves it to the verdicts.
        end: Second from which they no longer are, or ``None``.
        boxes: In the order in which they apply.
        dropped: Whether the video is not to be used.
    """

    frames: tuple[FrameDecision, ...] = ()
    start: float | None = None
    end: float | None = None
    boxes: tuple[BoxDecision, ...] = ()
    dropped: bool = False


@dataclass(frozen=True)
class Done:
    """A stage finished a video.

    Attributes:
        artefact: The file written under a temporary name (see `curate.stage.Files.temporary`), to be made durable and
            renamed by the caller; ``None`` when the stage makes no file of its own.
        sidecars: Further temporary files that belong to it.
        figures: Counts for the funnel, e.g. ``{"frames": 48}``. Summed over videos by ``curate status``.
        note: What the user should know although it worked (e.g. how much of a damaged video was lost).
        sha256: Hex SHA-256 of the artefact, where the stage knows it already; else whoever commits it looks.
    """

    artefact: Path | None = None
    sidecars: tuple[Path, ...] = ()
    figures: Mapping[str, int | float] = field(default_factory=dict)
    note: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Dropped:
    """A decision against the video: final for these options, counted, inspectable.

    A stage may leave an artefact that shows why (verdicts of a video without surgery, a storyboard).
    """

    reason: Reason
    detail: str = ""
    artefact: Path | None = None
    sidecars: tuple[Path, ...] = ()
    figures: Mapping[str, int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The stage could not do its work on this video.

    Attributes:
        reason: From the closed set.
        detail: The raw text of the cause, kept for people.
        retryable: Whether the next run should try again.
    """

    reason: Reason
    detail: str = ""
    retryable: bool = False


Outcome = Done | Dropped | Failed
