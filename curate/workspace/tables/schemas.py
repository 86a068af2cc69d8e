"""The Arrow schema of each table of a workspace.

The only module that knows column names. ``pyarrow`` is imported when a schema is asked for, so that ``curate --help``
stays fast.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@cache
def manifest_schema() -> pa.Schema:
    """``manifest.parquet``: one row a video, the fields of `Video`; older ones end with ``origin``."""
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
            ("channel", pa.string()),
            ("case", pa.string()),
            ("corpus", pa.string()),
            ("public", pa.bool_()),
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

    ``change``, in 0..1, tells how far the colours are from those of the frame before (`curate.vision.colour_change`);
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


@cache
def embedding_schema(columns: int = 384) -> pa.Schema:
    """``embeddings/{id}.parquet``: one row an embedded frame, in order; ``vector`` has unit length but for rounding.

    ``columns`` is that of the model. The file's metadata carries ``model``, ``sha256`` (of the weights),
    ``architecture``, ``width`` and ``height`` of what it saw, and ``spacing`` in seconds.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("timestamp", pa.float64(), nullable=False),
            pa.field("vector", pa.list_(pa.float16(), columns), nullable=False),
        ]
    )


@cache
def signature_schema() -> pa.Schema:
    """``signatures/{id}.parquet``: perceptual hashes, one row a second of the frames that are kept.

    ``quality``, 0..100, says how much content the picture has; ``whole``, ``mirror`` and ``crops`` are the hashes of
    `curate.vision.perceptual_hash` of the field of view, 32 bytes each, ``crops`` one after another; ``frame`` is that
    of all of the frame but dark borders. The file's metadata carries ``width`` and ``height`` of the largest frame, and
    ``spacing``, the seconds that a row stands for.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("n", pa.int32(), nullable=False),
            pa.field("timestamp", pa.float64(), nullable=False),
            pa.field("quality", pa.uint8(), nullable=False),
            pa.field("whole", pa.binary(32), nullable=False),
            pa.field("mirror", pa.binary(32), nullable=False),
            pa.field("crops", pa.binary(192), nullable=False),
            pa.field("frame", pa.binary(32), nullable=False),
        ]
    )


@cache
def duplicate_schema() -> pa.Schema:
    """``corpus/duplicates.parquet``: one row a stretch that two videos share, ordered; ``a`` sorts before ``b``.

    Times are seconds from the start of each video, ends exclusive; ``offset`` is what is to be added to a time of ``a``
    for that of ``b``; ``matched`` of ``frames`` informative frames of the stretch were found in the other video,
    ``matched_seconds`` is what those stand for; ``pictures`` counts those among them that differ from one another;
    ``distance`` is the mean number of bits of 256 in which they differ, ``score`` is ``1 - distance / 128``, averaged
    over all frames of the stretch with 0 for those that were not found: 1 the same, 0 unrelated; ``similarity`` is the
    mean cosine of embeddings above that of unrelated videos, null where there are none. ``seconds_a`` is what all
    informative frames of ``a`` stand for, ``pixels_a`` the area of its frames. The
    file's metadata carries ``fingerprint``.
    """
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("a", pa.string(), nullable=False),
            pa.field("b", pa.string(), nullable=False),
            pa.field("start_a", pa.float64(), nullable=False),
            pa.field("end_a", pa.float64(), nullable=False),
            pa.field("start_b", pa.float64(), nullable=False),
            pa.field("end_b", pa.float64(), nullable=False),
            pa.field("offset", pa.float64(), nullable=False),
            pa.field("matched_seconds", pa.float64(), nullable=False),
            pa.field("mirrored", pa.bool_(), nullable=False),
            pa.field("matched", pa.int32(), nullable=False),
            pa.field("frames", pa.int32(), nullable=False),
            pa.field("pictures", pa.int32(), nullable=False),
            pa.field("distance", pa.float32(), nullable=False),
            pa.field("score", pa.float32(), nullable=False),
            ("similarity", pa.float32()),
            pa.field("seconds_a", pa.float64(), nullable=False),
            pa.field("seconds_b", pa.float64(), nullable=False),
            pa.field("pixels_a", pa.int64(), nullable=False),
            pa.field("pixels_b", pa.int64(), nullable=False),
        ]
    )
