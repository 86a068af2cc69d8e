"""How an export was made, in words, out of the options and weights that its record tells."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from curate.exports.cards.facts import Facts
from curate.exports.cards.markdown import table

_LONGEST = 20_000
"""Characters of a value that are looked into."""


def made_how(facts: Facts) -> str:
    """A paragraph on what was done to the videos."""
    get = facts.options.get
    as_video = facts.format in ("video", "clips")
    kept = {
        "surgical": "Frames that are not surgical are left out.",
        "trimmed": "Frames between them that are not surgical are black, so that time goes on.",
    }.get("trimmed" if facts.format == "video" else get("include", "surgical"), "")
    doubtful = {
        "keep": "Frames of which the network was not sure count as surgical.",
        "drop": "Frames of which the network was not sure count as not surgical.",
    }.get(get("uncertain", "drop"), "")
    fill = {
        "none": "found, listed in `regions`, and left as they are",
        "black": "found and painted over in black",
        "blur": "found and blurred",
        "mean": "found and painted over in the mean colour around them",
        "inpaint": "found and painted over with what is around them",
    }.get(get("fill", "black"), "found")
    sentences = [
        "Videos were sampled by presentation time, each frame was judged surgical or not by a network, and each video "
        "was trimmed to its surgical part.",
        kept,
        doubtful,
        f"Regions that are not surgery (captions, logos, user interfaces, pictures in the picture) were {fill}.",
    ]
    crop = {
        "lemon": "Pictures are cropped as LEMON's are, frame by frame.",
        "lemon-black": "Pictures are cropped by their black borders, as LEMON's are.",
        "field": "Pictures are cut to the box of the endoscope's field of view.",
        "inside": "Pictures are cut to the largest rectangle in the endoscope's field of view.",
    }.get(get("crop", "none"), "")
    if not as_video:
        sentences += [crop, "What lies outside of the field of view is black." if get("outside") == "black" else ""]
    if get("short_side"):
        sentences.append(f"Those whose shorter side is longer than {get('short_side')} pixels were shrunk to that.")
    if as_video:
        sentences.append("There is no sound.")
    else:
        sentences.append(
            "`regions` holds the boxes in pixels of the exported picture, `field` the field of view in it (the part of "
            "the box that lies in the ellipse, if `rx` > 0), and `crop` which part of the sampled frame the picture is."
        )
    if facts.reviewed:
        sentences.append("People reviewed some verdicts: `decisions.jsonl`.")
    return " ".join(sentence for sentence in sentences if sentence)


def balanced_how(facts: Facts) -> str:
    """How the sampling weights came about, in words."""
    groups = " within a ".join(reversed(facts.options.get("balance_by", ["procedure"]))) or "split"
    if frames := facts.options.get("balance_frames"):
        return f"by the hierarchical cap of {frames:,} frames over each {groups}"
    return f"each {groups} in proportion to frames^{facts.options.get('balance_alpha', 0.5):g}"


def settings(facts: Facts) -> str:
    """Two tables: weights by their checksums, and options."""
    weights = [(name, in_words(value)) for name, value in sorted(facts.made_with.items())]
    options = []
    for name, value in sorted(facts.options.items(), key=lambda item: (isinstance(item[1], Mapping), item[0])):
        if isinstance(value, Mapping):
            options += [(f"export.{name}.{inner}", _word(what)) for inner, what in sorted(value.items())]
        else:
            options.append((f"export.{name}", _word(value)))
    parts = ["Weights and versions:\n\n" + table(("what", "value"), weights)] if weights else []
    return "\n\n".join([*parts, "Options:\n\n" + table(("option", "value"), options)])


def in_words(value: str) -> str:
    """A fact about how frames were made; what is a table in Python's notation is told without its nested ones."""
    if not value.startswith(("{", "[", "(")) or len(value) > _LONGEST:
        return value
    try:
        told = ast.literal_eval(value)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value
    if not isinstance(told, Mapping):
        return _word(told)
    plain = ((name, what) for name, what in told.items() if _is_plain(what))
    return "; ".join(f"{name}: {_word(what)}" for name, what in plain)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(_is_plain(one) and not isinstance(one, list | tuple) for one in value)
    return not isinstance(value, Mapping)


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "not set"
    if isinstance(value, list | tuple):
        return ", ".join(map(_word, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
