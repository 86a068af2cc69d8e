"""What the overview needs to know of one video: small, kept beside its page, so that pages need not be read again."""

from __future__ import annotations

from typing import Any

import numpy as np

from curate.report.pages.facts import VERDICTS, VideoFacts

BINS = 20
"""Of the histogram of probabilities, over 0..1."""

Summary = dict[str, Any]
"""Plain data: JSON on disk."""


def summarise(facts: VideoFacts, data: dict[str, Any]) -> Summary:
    """Boil a video down.

    Args:
        facts: Of the video.
        data: Of its page (`curate.report.pages.video.video_data`).
    """
    copied = (
        *("id", "title", "site", "procedures", "domain", "robotic", "licence", "channel", "corpus", "public"),
        *("state", "stage", "reason"),
    )
    figures = {stage["name"]: stage["figures"] for stage in data["stages"]}
    trim = figures.get("trim", {})
    frames = int(trim.get("frames", figures.get("sample", {}).get("frames", 0)))
    return {
        **{name: data[name] for name in copied},
        "width": data["width"],
        "height": data["height"],
        "seconds": float(figures.get("sample", {}).get("seconds", data["duration"] or 0.0)),
        "seconds_kept": float(trim.get("seconds_kept", 0.0)),
        "frames": frames,
        "kept": int(trim.get("kept", 0)),
        "surgical": int(trim.get("surgical", 0)),
        "uncertain": int(trim.get("uncertain", 0)),
        "flipped": int(facts.judged.flipped.sum()) if facts.judged else 0,
        "covered": sum(facts.covered.values()) / max(1, int(trim.get("kept", 0))),
        "found": len(facts.findings),
        "cover": _cover(data["pictures"]),
        "threshold": facts.judged.threshold if facts.judged else None,
        "scores": _scores(facts),
        "work": {
            stage["name"]: [stage["seconds"], int(stage["figures"].get("frames", 0))]
            for stage in data["stages"]
            if stage["state"] in ("done", "dropped")
        },
        "pictures": [
            {name: shown[name] for name in _OF_PICTURES}
            for shown in data["pictures"]
            if {"least sure", "flipped", "masked", "finding"} & set(shown["whys"])
        ],
    }


_OF_PICTURES = (
    *("n", "t", "p", "smoothed", "doubt", "flipped", "verdict", "kept", "reason", "whys", "src", "width", "height"),
    *("boxes", "covered", "findings", "field", "audited"),
)


def _cover(pictures: list[dict[str, Any]]) -> str:
    """A picture that stands for the video: of the kept ones, else of all, the one in the middle."""
    kept = [shown["src"] for shown in pictures if "kept" in shown["whys"]] or [shown["src"] for shown in pictures]
    return kept[len(kept) // 2] if kept else ""


def _scores(facts: VideoFacts) -> list[list[int]]:
    """Counts by bin of the network's probability, a list for each of `VERDICTS`; empty without verdicts."""
    if facts.judged is None:
        return []
    bins = np.minimum((facts.judged.p * BINS).astype(int), BINS - 1)
    return [np.bincount(bins[facts.judged.verdict == code], minlength=BINS).tolist() for code in range(len(VERDICTS))]
