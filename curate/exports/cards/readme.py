"""The dataset card, ``README.md``, that stands in every export: YAML for machines, then prose for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from curate.exports.cards.about import About
from curate.exports.cards.facts import Facts
from curate.exports.cards.header import header
from curate.exports.cards.licences import licence_url
from curate.exports.cards.making import balanced_how, made_how, settings
from curate.exports.cards.markdown import listed, safe, table
from curate.exports.cards.survivors import survivors
from curate.records import FINDING_KINDS

_TOP = 12
"""Procedures that are named in the first paragraph, at most."""


def dataset_card(facts: Facts, about: About, reading: str) -> str:
    """Write the card of an export.

    Args:
        facts: What it is.
        about: What the publisher says, and what became of the lists.
        reading: Markdown on how to read this format; ``{split}`` stands for the name of the first split, and other
            braces are doubled.

    Returns:
        Markdown; the same for the same export, whoever made it and in how many goes.
    """
    sections = [
        ("", _first(facts, about)),
        ("Reading it", _reading(facts, reading)),
        ("Splits", _splits(facts)),
        ("Shards and workers", _shards(facts)),
        ("Procedures", _procedures(facts)),
        ("Where the videos went", survivors(facts, about)),
        ("How it was made", f"{made_how(facts)}\n\n{settings(facts)}"),
        ("Licences", _licences(facts)),
        ("Privacy audit", _audit(facts)),
        ("Privacy and take-down", _take_down(facts, about)),
        ("Citation", about.card.citation and f"```text\n{about.card.citation.replace('`', '')}\n```"),
    ]
    parts = [header(facts, about), f"# {safe(about.card.name)}"]
    parts += [f"## {title}\n\n{text}" if title else text for title, text in sections if text]
    return "\n\n".join(parts) + "\n"


def _first(facts: Facts, about: About) -> str:
    what = "clips" if facts.format == "clips" else "videos" if facts.format == "video" else ""
    files = sum(split.examples for split in facts.splits)
    count = f"{files:,} {what} with {facts.frames:,} frames" if what else f"{facts.frames:,} frames"
    told = [safe(about.card.description)] if about.card.description else []
    maker = safe(str(facts.record.get("curate", "")))
    told.append(
        f"{count} of {len(facts.videos):,} surgical videos, {facts.hours:.2f} hours, made by curate {maker} in the "
        f"format `{facts.format}`."
    )
    frames: Counter[str] = Counter()
    for row in facts.procedures:
        frames[row.procedure] += round(row.frames)
    named = [name for name, _ in sorted(frames.items(), key=lambda item: (-item[1], item[0]))]
    if named:
        most = [*map(safe, named[:_TOP]), *([f"{len(named) - _TOP} more"] if len(named) > _TOP else [])]
        told.append(f"Procedures: {listed(most)}.")
    if about.card.creators:
        told.append(f"Made by {listed(map(safe, about.card.creators))}.")
    if about.card.url:
        told.append(f"Published at {safe(about.card.url)}.")
    if about.published:
        told.append(f"As of {about.published}; version {safe(about.card.version)}.")
    return " ".join(told)


def _reading(facts: Facts, reading: str) -> str:
    first = facts.splits[0] if facts.splits else None
    text = reading.format(split=first.name if first else "train")
    layout = facts.layout
    if not layout.builder:
        return (
            f"{text}\n\nHugging Face `datasets` cannot read these pictures; `load_dataset` on this folder gives the "
            "table of frames, `metadata.parquet`, as the split `metadata`, whose column `split` tells the split of "
            "each frame. `curate export --formats parquet` makes pictures that it reads."
        )
    parts = [text]
    if "load_dataset(" not in text and first is not None:
        column = {"webdataset": "jpg", "imagefolder": "image", "videofolder": "video"}.get(layout.builder, "image")
        kind = "a video; needs torchcodec" if column == "video" else "a PIL image"
        parts.append(
            "Hugging Face `datasets`:\n\n```python\nfrom datasets import load_dataset\n\n"
            f'dataset = load_dataset("path/to/this/folder", split="{first.name}")\n'
            f'dataset[0]["{column}"]  # {kind}\n```'
        )
    if layout.builder != "parquet" and layout.labels:
        parts.append(
            "`datasets` numbers the folders by name: take the names of `label` from `dataset.features`, since these "
            "numbers are not those of `classes.txt`, and others after a purge."
        )
    parts.append(
        "Splits are named by the globs under `configs` at the top of this card, so keep the card beside the files: "
        "without it, readers guess splits out of the names of folders."
    )
    return "\n\n".join(parts)


def _splits(facts: Facts) -> str:
    rows = (
        (split.name, f"{split.videos:,}", f"{split.frames:,}", f"{split.seconds / 3600:.2f}", _size(split.size))
        for split in facts.splits
    )
    return "Whole videos, never single frames, are assigned to a split.\n\n" + table(
        ("split", "videos", "frames", "hours", "size"), rows
    )


def _size(size: int) -> str:
    for unit, bound in (("GB", 10**9), ("MB", 10**6)):
        if size >= bound:
            return f"{size / bound:.1f} {unit}"
    return f"{size / 1000:.1f} kB"


def _shards(facts: Facts) -> str:
    """How many workers the files feed."""
    if not facts.layout.sharded:
        return ""
    counts = listed(f"{split.files:,} in `{split.name}`" for split in facts.splits)
    smallest = min((split.files for split in facts.splits), default=0)
    option, size = f"--{facts.format}-shard-size", facts.options.get(facts.format, {}).get("shard_size", 500)
    return (
        f"Shards: {counts}. A loader that gives whole shards to its workers feeds at most that many of them, over all "
        f"ranks: with more than {smallest:,}, some get nothing and starve or stop. So set `num_workers` times ranks to "
        f"no more, or make more shards: `curate export --readers N` makes at least N of every split, and `{option} MB` "
        f"smaller ones (it was {size} here). Readers of single rows take any number."
    )


def _procedures(facts: Facts) -> str:
    rows = (
        (row.split, row.procedure, f"{row.videos:,}", f"{row.frames:,.6g}", f"{row.hours:.2f}", f"{row.weight:.4f}")
        for row in facts.procedures
    )
    return (
        "A video of several procedures counts for each with an equal share of its frames. `weight` is the "
        f"probability of a procedure under balanced sampling, {balanced_how(facts)} "
        "(`procedures.csv`; `frame_weight` in `videos.parquet`).\n\n"
        + table(("split", "procedure", "videos", "frames", "hours", "weight"), rows)
    )


def _licences(facts: Facts) -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for name, (videos, frames) in facts.licences().items():
            yield name or "not stated", f"{videos:,}", f"{frames:,}", licence_url(name)

    return (
        "The videos belong to their authors. The licence each source states is in the column `licence`; where none is "
        "stated the video must be taken as all rights reserved. Check that your use is allowed.\n\n"
        + table(("licence", "videos", "frames", "text"), rows())
    )


def _audit(facts: Facts) -> str:
    """What was looked for, on how many frames it was found, and what became of them."""
    told = facts.record.get("privacy") or {}
    if not told.get("audited_videos"):
        return "Not audited: nobody looked for faces, names, dates or identifiers (stage `audit` is switched off)."
    made_with = facts.made_with
    missing = [what for key, what in (("audit.faces", "faces"), ("audit.reader", "text")) if key not in made_with]
    captions = "audit.reader" in made_with and any(key.startswith("mask.") for key in made_with)
    fate = {
        "keep": "They are shown as they are.",
        "mask": "It is painted over there as regions are, and listed in `regions`.",
        "drop": f"These frames are not shown; {told['frames_left_out']:,} are left out, or black where others are "
        "black.",
    }[facts.options.get("privacy", "mask")]
    if facts.options.get("privacy") == "mask" and facts.options.get("fill") == "none":
        fate = "It is painted over in black, though other regions are not (`export.fill` is none), and in `regions`."
    sentences = [
        f"{told['frames']:,} sampled frames of {told['audited_videos']:,} videos were searched for faces"
        + (", and their captions for what reads like a name, a date or an identifier" if captions else "")
        + f". Something was found on {told['frames_with_findings']:,} of them.",
        fate,
        *(f"It was not asked for {what}." for what in missing),
        *(["No caption was read: masks are switched off."] if not captions and "text" not in missing else []),
        *([f"{told['unaudited_videos']:,} videos were not audited."] if told["unaudited_videos"] else []),
    ]
    rows = ((kind, f"{told['found'].get(kind, 0):,}") for kind in FINDING_KINDS)
    return " ".join(sentences) + "\n\n" + table(("kind", "frames"), rows)


def _take_down(facts: Facts, about: About) -> str:
    whom = safe(about.card.contact) or "whoever published this dataset"
    return (
        "The networks miss things: frames may still show text, faces or other personal data. Do not try to identify "
        f"anyone. Authors of videos and people shown in them can ask {whom} to remove a video; every frame carries its "
        "`video_id`. The publisher runs `curate purge` with the id, which takes "
        "the video out of every shard, and out of this card and `croissant.json`.\n\n"
        "A purge reaches this folder and no further. It does not reach copies that were downloaded or pushed, models "
        "that were trained, nor what readers keep. `datasets` copies what it loads to a folder below "
        "`~/.cache/huggingface/datasets` (`HF_DATASETS_CACHE`) that is named like the one it was loaded from, here "
        f"`{facts.format}`: delete that after a video was taken down."
    )
