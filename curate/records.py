"""The data model: videos, outcomes, reasons, and the Arrow schema of every table in a workspace.

This is the only module that knows column names. ``pyarrow`` is imported when a schema is asked for, so that
``curate --help`` stays fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""What a video id may look like (``fullmatch``): safe as a file name, an LMDB key prefix and a WebDataset key."""

DOMAINS = ("laparoscopic", "robotic", "endoscopic", "cataract", "open", "unknown")

SURGICAL = "surgical"
NON_SURGICAL = "non-surgical"
UNCERTAIN = "uncertain"

REGION_KINDS = ("text", "logo", "ui", "pip", "face", "border", "other")
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
    NO_FORMAT = "no_format"
    LOW_RESOLUTION = "low_resolution"
    UNSUPPORTED_URL = "unsupported_url"
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
    # decisions
    NOT_LISTED = "not_listed"
    NOT_SURGICAL = "not_surgical"
    NO_SURGICAL_RUN = "no_surgical_run"
    # the machine
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    BAD_ARTEFACT = "bad_artefact"
    ERROR = "error"


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

    def __post_init__(self) -> None:
        if not VIDEO_ID.fullmatch(self.id):
            raise ValueError(f"video id {self.id!r} is not 1 to 64 letters, digits, '_' or '-'")
        if self.domain not in DOMAINS:
            raise ValueError(f"domain {self.domain!r} of video {self.id} is not one of {', '.join(DOMAINS)}")

    @property
    def is_local(self) -> bool:
        """Whether the source is a file on this machine and not a URL."""
        return not self.source.lower().startswith(("http://", "https://"))


@dataclass(frozen=True)
class Done:
    """A stage finished a video.

    Attributes:
        artefact: The file written under a temporary name (see `curate.stage.Files.temporary`), to be made durable and
            renamed by the caller; ``None`` when the stage makes no file of its own.
        sidecars: Further temporary files that belong to it.
        figures: Counts for the funnel, e.g. ``{"frames": 48}``. Summed over videos by ``curate status``.
        note: What the user should know although it worked (e.g. how much of a damaged video was lost).
    """

    artefact: Path | None = None
    sidecars: tuple[Path, ...] = ()
    figures: Mapping[str, int | float] = field(default_factory=dict)
    note: str = ""


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


@cache
def manifest_schema() -> pa.Schema:
    """``manifest.parquet``: one row a video, the fields of `Video`."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("source", pa.string(), nullable=False),
            ("title", pa.string()),
            ("procedures", pa.list_(pa.string())),
            ("domain", pa.string()),
            ("robotic", pa.bool_()),
            ("licence", pa.string()),
            ("split", pa.string()),
            ("duration", pa.float64()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("md5", pa.string()),
            ("origin", pa.string()),
        ]
    )


@cache
def frame_schema() -> pa.Schema:
    """``frames/{id}.parquet``: every sampled frame.

    ``n`` counts samples from 0; ``timestamp`` is the frame's own presentation time in seconds from the start of the
    video; ``source_index`` is its index in presentation order in the video; ``image`` holds JPEG bytes.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("timestamp", pa.float64(), nullable=False),
            ("source_index", pa.int64()),
            ("key_frame", pa.bool_()),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("image", pa.binary(), nullable=False),
        ]
    )


@cache
def score_schema() -> pa.Schema:
    """``scores/{id}.parquet``: what the network said, one row a sampled frame; ``p_surgical`` in 0..1.

    ``change``, in 0..1, tells how far the colours are from those of the frame before (`curate.media.likeness.change`);
    0 in the first row. The file's metadata carries ``model``, ``sha256``, ``threshold``, ``uncertain_low`` and
    ``uncertain_high`` (the model's own operating point and band).
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("timestamp", pa.float64(), nullable=False),
            pa.field("p_surgical", pa.float32(), nullable=False),
            pa.field("change", pa.float32(), nullable=False),
        ]
    )


@cache
def verdict_schema() -> pa.Schema:
    """``verdicts/{id}.parquet``: one row a sampled frame.

    ``verdict`` is ``surgical``, ``non-surgical`` or ``uncertain``; ``kept`` tells whether the frame lies inside the
    trimmed video; ``reason`` says why not (``before_first_run``, ``after_last_run``, ``no_run``) and is empty for
    kept frames.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("timestamp", pa.float64(), nullable=False),
            pa.field("p_surgical", pa.float32(), nullable=False),
            pa.field("verdict", pa.string(), nullable=False),
            pa.field("kept", pa.bool_(), nullable=False),
            ("reason", pa.string()),
        ]
    )


@cache
def region_schema() -> pa.Schema:
    """``regions/{id}.parquet``: one row a region; boxes in pixels of the sampled frame, ``x2``/``y2`` exclusive."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("x1", pa.int32(), nullable=False),
            pa.field("y1", pa.int32(), nullable=False),
            pa.field("x2", pa.int32(), nullable=False),
            pa.field("y2", pa.int32(), nullable=False),
            pa.field("model", pa.string(), nullable=False),
        ]
    )


@cache
def field_schema() -> pa.Schema:
    """``fields/{id}.parquet``: one row a shot, in order; where the endoscope's picture lies in the frame.

    ``first`` and ``last`` are frame numbers ``n``; between the shots lie frames that are not surgical. ``shape`` is
    ``none`` (the whole frame), ``rectangle``, ``circle`` or ``ellipse``; the field is the part of the box that lies in
    the ellipse, where there is one (``rx`` > 0). All in pixels of the sampled frame of ``width`` by ``height``;
    ``x2``/``y2`` exclusive. ``score`` is the share of the visible boundary that is sharp, in 0..1.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("first", pa.int32(), nullable=False),
            pa.field("last", pa.int32(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("shape", pa.string(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("x1", pa.int32(), nullable=False),
            pa.field("y1", pa.int32(), nullable=False),
            pa.field("x2", pa.int32(), nullable=False),
            pa.field("y2", pa.int32(), nullable=False),
            pa.field("cx", pa.float32(), nullable=False),
            pa.field("cy", pa.float32(), nullable=False),
            pa.field("rx", pa.float32(), nullable=False),
            pa.field("ry", pa.float32(), nullable=False),
        ]
    )


@cache
def audit_schema() -> pa.Schema:
    """``audit/{id}.parquet``: one row a finding of the privacy audit; boxes in pixels of the sampled frame.

    ``kind`` is ``face``, ``name``, ``date`` or ``identifier``; ``x2``/``y2`` are exclusive; ``pattern`` is the shape of
    the text (``Aaaa Aaa, 99.99.9999``), never the text, and empty for faces; ``model`` is the network or the rule.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("kind", pa.string(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            pa.field("x1", pa.int32(), nullable=False),
            pa.field("y1", pa.int32(), nullable=False),
            pa.field("x2", pa.int32(), nullable=False),
            pa.field("y2", pa.int32(), nullable=False),
            pa.field("pattern", pa.string(), nullable=False),
            pa.field("model", pa.string(), nullable=False),
        ]
    )


@cache
def prediction_schema() -> pa.Schema:
    """Output of ``curate predict``: one row an image or sampled frame.

    ``path`` is as the user gave it; ``timestamp`` is null for images; boxes are in pixels of the image, ``x2``/``y2``
    exclusive.
    """
    import pyarrow as pa

    region = pa.struct([field for field in region_schema() if field.name != "n"])
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            ("timestamp", pa.float64()),
            pa.field("p_surgical", pa.float32(), nullable=False),
            pa.field("verdict", pa.string(), nullable=False),
            pa.field("regions", pa.list_(region), nullable=False),
        ]
    )
