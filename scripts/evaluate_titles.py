"""Measure what titles suggest, on a list whose procedures and robots are known: LEMON's.

    python scripts/evaluate_titles.py DATA/manifests/lemon_labels.json

The phrases of `labels/titles.toml` were written with half of LEMON's titles at hand: those of the videos whose id has a
SHA-256 with an even first byte. Figures are for the other half unless `--half` says otherwise. What counts are the
procedures that LEMON knows: a suggestion beyond its 35 is neither right nor wrong, except that a narrower procedure
counts as LEMON's wider one. LEMON's labels are queries of a search as often as what is shown (thymectomy for videos of
lobectomies), so that a suggestion that differs is not always the wrong one: `--differences` lists them.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from curate.manifests import read_sources
from curate.manifests.titles import Suggestion, shipped_title_words
from curate.records import Video

WIDER = {"sleeve_gastrectomy": "gastrectomy", "fundoplication": "nissen_fundoplication"}
"""LEMON's name for procedures that it does not tell apart."""

HALVES = {"tuned": 0, "held-out": 1}


def in_half(video: Video, half: str) -> bool:
    """Whether a video belongs to a half; all do to ``all``."""
    return half == "all" or hashlib.sha256(video.id.encode()).digest()[0] % 2 == HALVES[half]


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lists", nargs="+", type=Path, help="lists with titles and procedures")
    parser.add_argument("--half", choices=[*HALVES, "all"], default="held-out")
    parser.add_argument("--differences", action="store_true", help="list titles whose suggestion is not the label")
    args = parser.parse_args(arguments)
    known = [video for video in read_sources(args.lists).videos if video.procedures and video.title]
    names = {name for video in known for name in video.procedures}
    words = shipped_title_words()
    judged = [(video, words.suggest(video.title)) for video in known if in_half(video, args.half)]
    print_table(judged, names)
    if args.differences:
        for video, suggestion in judged:
            if taken(suggestion, names) ^ set(video.procedures):
                print(f"{','.join(video.procedures)} | {suggestion.evidence()} | {video.title}")


def taken(suggestion: Suggestion, names: set[str]) -> set[str]:
    """Suggested procedures by the names of the list."""
    return {WIDER.get(name, name) for name in suggestion.procedures} & names


def print_table(judged: Iterable[tuple[Video, Suggestion]], names: set[str]) -> None:
    """Precision and recall by procedure and together, what is not answered, and the robots."""
    right: Counter[str] = Counter()
    suggested: Counter[str] = Counter()
    labelled: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    robots: Counter[tuple[bool | None, bool | None]] = Counter()
    videos = answered = 0
    for video, suggestion in judged:
        found, truth = taken(suggestion, names), set(video.procedures)
        videos += 1
        answered += bool(found)
        right.update(found & truth)
        suggested.update(found)
        labelled.update(truth)
        silent.update(truth if not found else ())
        robots[video.robotic, suggestion.robotic] += 1
    print("| procedure | labelled | precision | recall | not answered |\n|---|---:|---:|---:|---:|")
    for name in sorted(labelled | suggested):
        precision = f"{right[name] / suggested[name]:.3f}" if suggested[name] else "-"
        recall = f"{right[name] / labelled[name]:.3f}" if labelled[name] else "-"
        print(f"| {name} | {labelled[name]} | {precision} | {recall} | {silent[name]} |")
    total = sum(right.values())
    print(
        f"| all | {sum(labelled.values())} | {total / max(sum(suggested.values()), 1):.3f} "
        f"| {total / max(sum(labelled.values()), 1):.3f} | {videos - answered} of {videos} videos |\n"
    )
    print("| robotic | labelled | precision | recall | not answered |\n|---|---:|---:|---:|---:|")
    for truth in (True, False):
        hits = robots[truth, truth]
        said = sum(count for (_, answer), count in robots.items() if answer is truth)
        there = sum(count for (label, _), count in robots.items() if label is truth)
        name, silence = "yes" if truth else "no", robots[truth, None]
        print(f"| {name} | {there} | {hits / max(said, 1):.3f} | {hits / max(there, 1):.3f} | {silence} |")


if __name__ == "__main__":
    main()
