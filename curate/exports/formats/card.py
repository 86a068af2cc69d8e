"""The dataset card, ``README.md``, that stands in every export."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from curate.config import format_fields
from curate.corpus.balance import ProcedureRow
from curate.exports.formats.dataset import Dataset
from curate.records import FINDING_KINDS
from curate.version import __version__


def dataset_card(dataset: Dataset, reading: str, *, header: bool) -> str:
    """Write the card of an export.

    Args:
        dataset: What was written.
        reading: Markdown on how to read this format; ``{split}`` stands for the name of the first split, and other
            braces are doubled.
        header: Whether to begin with the YAML from which ``datasets`` and the hub learn the splits of Parquet files.

    Returns:
        Markdown.
    """
    parts = [_header(dataset)] if header else []
    splits = dataset.plan.splits()
    hours = sum(video.seconds for video in dataset.plan.videos) / 3600
    parts += [
        "# Surgical video frames\n\n"
        f"{dataset.plan.frames:,} frames of {len(dataset.plan.videos):,} videos, {hours:.2f} hours, "
        f"made by curate {__version__}.",
        "## Reading it\n\n" + reading.format(split=next(iter(splits))),
        "## Splits\n\nWhole videos, never single frames, are assigned to a split.\n\n" + _split_table(dataset),
        "## Procedures\n\n"
        "A video of several procedures counts for each with an equal share of its frames. `weight` is the "
        f"probability of a procedure under balanced sampling, {_balanced(dataset)} "
        "(`procedures.csv`; `frame_weight` in `videos.parquet`).\n\n" + _procedure_table(dataset.procedures),
        "## How it was made\n\n"
        "Videos were sampled by presentation time, each frame was judged surgical or not by a network, each video was "
        "trimmed to its surgical part, and regions that are not surgery were found and painted over as the options "
        "say. `regions` holds their boxes in pixels of the exported picture, `field` the endoscope's field of view in "
        "it (the part of the box that lies in the ellipse, if `rx` > 0), and `crop` which part of the sampled frame "
        "the picture is.\n\n" + _made_with(dataset),
        "## Licences\n\n"
        "The videos belong to their authors. The licence each source states is in the column `licence`; where none is "
        "stated the video must be taken as all rights reserved. Check that your use is allowed.\n\n"
        + _licence_table(dataset),
        "## Privacy audit\n\n" + _audit(dataset),
        "## Privacy and take-down\n\n"
        "The networks miss things: frames may still show text, faces or other personal data. Do not try to identify "
        "anyone. Authors of videos and people shown in them can ask whoever published this dataset to remove a video; "
        "every frame carries its `video_id`. The publisher runs `curate purge` with the id, which takes the video out "
        "of every shard.",
    ]
    return "\n\n".join(parts) + "\n"


def _header(dataset: Dataset) -> str:
    lines = ["---", "pretty_name: Surgical video frames", "license: other", "license_name: per-video"]
    lines += ["license_link: README.md", "tags:", "- surgery", "- endoscopy", "- medical", "- video-frames"]
    lines += ["size_categories:", f"- {_size_category(dataset.plan.frames)}"]
    lines += ["configs:", "- config_name: default", "  data_files:"]
    for split in dataset.plan.splits():
        lines += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    return "\n".join([*lines, "---"])


def _size_category(frames: int) -> str:
    """Size class of the hub: https://huggingface.co/docs/hub/datasets-cards."""
    bounds = ((10**3, "1K"), (10**4, "10K"), (10**5, "100K"), (10**6, "1M"), (10**7, "10M"), (10**8, "100M"))
    lower = ""
    for bound, name in bounds:
        if frames < bound:
            return f"{lower}<n<{name}" if lower else f"n<{name}"
        lower = name
    return "100M<n<1B"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Text of a cell; characters with a meaning in Markdown or HTML are disarmed, since licences are free text."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\|`*[]" else c for c in flat)


def _split_table(dataset: Dataset) -> str:
    return _table(
        ("split", "videos", "frames", "hours"),
        (
            (
                name,
                f"{len(videos):,}",
                f"{sum(v.frames for v in videos):,}",
                f"{sum(v.seconds for v in videos) / 3600:.2f}",
            )
            for name, videos in dataset.plan.splits().items()
        ),
    )


def _procedure_table(rows: list[ProcedureRow]) -> str:
    return _table(
        ("split", "procedure", "videos", "frames", "hours", "weight"),
        (
            (row.split, row.procedure, f"{row.videos:,}", f"{row.frames:,.6g}", f"{row.hours:.2f}", f"{row.weight:.4f}")
            for row in rows
        ),
    )


def _balanced(dataset: Dataset) -> str:
    """How the sampling weights came about, in words."""
    options = dataset.options
    groups = " within a ".join(reversed(options.balance_by)) or "split"
    if options.balance_frames:
        return f"by the hierarchical cap of {options.balance_frames:,} frames over each {groups}"
    return f"each {groups} in proportion to frames^{options.balance_alpha:g}"


def _licence_table(dataset: Dataset) -> str:
    videos: dict[str, int] = defaultdict(int)
    frames: dict[str, int] = defaultdict(int)
    for video in dataset.plan.videos:
        videos[video.licence] += 1
        frames[video.licence] += video.frames
    return _table(
        ("licence", "videos", "frames"),
        ((name or "not stated", f"{videos[name]:,}", f"{frames[name]:,}") for name in sorted(videos)),
    )


def _audit(dataset: Dataset) -> str:
    """What was looked for, on how many frames it was found, and what became of them."""
    tally = dataset.plan.audit
    if not tally.videos:
        return "Not audited: nobody looked for faces, names, dates or identifiers (stage `audit` is switched off)."
    missing = [what for key, what in (("audit.faces", "faces"), ("audit.reader", "text")) if key not in dataset.context]
    captions = "audit.reader" in dataset.context and any(key.startswith("mask.") for key in dataset.context)
    fate = {
        "keep": "They are shown as they are.",
        "mask": "It is painted over there as regions are, and listed in `regions`.",
        "drop": f"These frames are not shown; {tally.hidden:,} are left out, or black where others are black.",
    }[dataset.options.privacy]
    if dataset.options.privacy == "mask" and dataset.options.fill == "none":
        fate = "It is painted over in black, though other regions are not (`export.fill` is none), and in `regions`."
    sentences = [
        f"{tally.frames:,} sampled frames of {tally.videos:,} videos were searched for faces"
        + (", and their captions for what reads like a name, a date or an identifier" if captions else "")
        + f". Something was found on {tally.any:,} of them.",
        fate,
        *(f"It was not asked for {what}." for what in missing),
        *(["No caption was read: masks are switched off."] if not captions and "text" not in missing else []),
        *([f"{tally.unaudited:,} videos were not audited."] if tally.unaudited else []),
    ]
    rows = ((kind, f"{tally.found[kind]:,}") for kind in FINDING_KINDS)
    return " ".join(sentences) + "\n\n" + _table(("kind", "frames"), rows)


def _made_with(dataset: Dataset) -> str:
    fields = format_fields(dataset.options, dataset.format)
    own = fields.pop(dataset.format, {})
    options = [(f"export.{name}", str(value)) for name, value in fields.items()]
    options += [(f"export.{dataset.format}.{name}", str(value)) for name, value in own.items()]
    return _table(("what", "value"), iter([*sorted(dataset.context.items()), *options]))
