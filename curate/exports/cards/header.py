"""The YAML at the top of a dataset card, by which the Hugging Face hub and ``datasets`` know a dataset."""

from __future__ import annotations

from typing import Any

from curate.exports.cards.about import About
from curate.exports.cards.facts import Facts, hub_splits
from curate.exports.cards.features import features
from curate.exports.cards.licences import OTHER, is_open, of_all
from curate.exports.cards.markdown import safe

_SIZES = ((10**3, "1K"), (10**4, "10K"), (10**5, "100K"), (10**6, "1M"), (10**7, "10M"), (10**8, "100M"), (10**9, "1B"))
"""Size classes of the hub: https://huggingface.co/docs/hub/datasets-cards."""


def header(facts: Facts, about: About) -> str:
    """The block with its lines of dashes.

    Explicit globs keep readers from guessing splits out of the names of folders. Counts and sizes, and the fingerprint
    of the content in ``description``, are part of what ``datasets`` knows a local folder by: without them its cache
    gives what another folder of that name held.
    """
    import yaml

    text: str = yaml.safe_dump(_fields(facts, about), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{text}---"


def _fields(facts: Facts, about: About) -> dict[str, Any]:
    card = about.card
    licence = card.licence or of_all(facts.licences())
    fields: dict[str, Any] = {"pretty_name": card.name, "license": licence}
    if licence == OTHER:
        fields |= {"license_name": "per-video", "license_link": "README.md#licences"}
    fields |= {
        "language": list(card.languages) or None,
        "task_categories": _tasks(facts),
        "tags": _tags(facts),
        "size_categories": [size_category(examples_of(facts))],
        "source_datasets": _sources(facts),
        "annotations_creators": _annotators(facts),
        "language_creators": ["found"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": path} for split, path in hub_splits(facts)],
                **facts.layout.parameters(),
            }
        ],
        "dataset_info": _info(facts),
    }
    if is_gated(facts, about):
        fields |= _gate(facts)
    return {name: value for name, value in fields.items() if value is not None}


def examples_of(facts: Facts) -> int:
    """How many rows a reader finds in all."""
    return sum(split.examples for split in facts.splits)


def size_category(examples: int) -> str:
    """The hub's class of a number of rows."""
    lower = ""
    for bound, name in _SIZES:
        if examples < bound:
            return f"{lower}<n<{name}" if lower else f"n<{name}"
        lower = name
    return "1B<n<10B"


def _tasks(facts: Facts) -> list[str]:
    if facts.layout.media == "video/mp4":
        return ["video-classification"]
    return ["image-feature-extraction", "image-classification"]


def _tags(facts: Facts) -> list[str]:
    kind = "video" if facts.layout.media == "video/mp4" else "video-frames"
    return ["surgery", "endoscopy", "medical", kind, "self-supervised-learning", "curate"]


def _sources(facts: Facts) -> list[str]:
    corpora = sorted({video.corpus for video in facts.videos if video.corpus})
    named = [f"extended|other-{corpus}" for corpus in corpora]
    return named if all(video.corpus for video in facts.videos) else ["original", *named]


def _annotators(facts: Facts) -> list[str]:
    found = any(video.procedures for video in facts.videos)
    return ["machine-generated", *(["found"] if found else []), *(["other"] if facts.reviewed else [])]


def _info(facts: Facts) -> dict[str, Any]:
    if facts.layout.builder:
        splits = [
            {"name": split.name, "num_bytes": split.size, "num_examples": split.examples} for split in facts.splits
        ]
    else:
        (name, path), size = hub_splits(facts)[0], 0
        size = facts.files[path]["size"]
        splits = [{"name": name, "num_bytes": size, "num_examples": facts.frames}]
    size = sum(int(str(split["num_bytes"])) for split in splits)
    return {
        "config_name": "default",
        "description": f"content {facts.content}",
        "features": features(facts.layout, facts.classes, facts.schema),
        "splits": splits,
        "download_size": size,
        "dataset_size": size,
    }


def is_gated(facts: Facts, about: About) -> bool:
    """Whether the hub is to ask readers to accept terms first."""
    if about.card.gated != "licence":
        return about.card.gated == "always"
    return not all(map(is_open, facts.licences()))


def _gate(facts: Facts) -> dict[str, Any]:
    stated = [safe(name) or "none stated" for name in facts.licences()]
    return {
        "extra_gated_heading": "Terms of the videos",
        "extra_gated_prompt": (
            "The videos belong to their authors, and these are the licences that they state: "
            f"{'; '.join(stated)}. Some forbid commercial use or derived works, or nothing is stated, which leaves all "
            "rights with the author. The pictures show patients. Take a video out of your copy when its author asks "
            "for that."
        ),
        "extra_gated_fields": {
            "Name": "text",
            "Affiliation": "text",
            "Purpose": "text",
            "I use the videos as their licences permit and for no other purpose": "checkbox",
            "I do not try to identify patients or staff, and report what could identify them": "checkbox",
            "I delete what is taken down": "checkbox",
        },
        "extra_gated_button_content": "Accept and ask for access",
    }
