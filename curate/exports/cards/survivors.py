"""The funnel of a card: what became of each list, and on which days its videos were asked for."""

from __future__ import annotations

from collections.abc import Iterator

from curate.exports.cards.about import About, ListSurvivors
from curate.exports.cards.facts import Facts
from curate.exports.cards.markdown import table

_MOST_DAYS = 40
"""Lines of the table of days; beyond, months are told."""


def survivors(facts: Facts, about: About) -> str:
    """Two tables with a sentence each, and what the export itself leaves out; empty if nothing is known."""
    parts = []
    if about.lists:
        parts.append(
            "Of the videos that the lists name, so many passed each step; a video that several lists name counts for "
            "the first.\n\n" + table(*_by_list(about.lists))
        )
        if lost := [(one.name, why, f"{n:,}") for one in about.lists for why, n in sorted(one.lost.items())]:
            parts.append("Why others did not:\n\n" + table(("list", "step: reason", "videos"), lost))
        if any(one.asked for one in about.lists):
            parts.append(
                "Videos vanish from their sites. On these days they were asked for, and so many could be had:\n\n"
                + table(("list", "asked on", "videos", "could be had"), _by_day(about.lists))
            )
    own = [
        (len(facts.record.get("left_out", {})), "could not be read"),
        (len(facts.record.get("without_frames", ())), "have no frame that the options take"),
        (len(facts.record.get("aside", {})), "are left out so that splits do not leak, or as copies of others"),
    ]
    if told := [f"{number:,} {why}" for number, why in own if number]:
        parts.append(f"Of the videos that passed all steps, {'; '.join(told)}.")
    return "\n\n".join(parts)


def _by_list(lists: tuple[ListSurvivors, ...]) -> tuple[tuple[str, ...], Iterator[tuple[str, ...]]]:
    steps = list(dict.fromkeys(step for one in lists for step in one.passed))

    def rows() -> Iterator[tuple[str, ...]]:
        for one in lists:
            passed = (f"{one.passed[step]:,}" if step in one.passed else "" for step in steps)
            yield one.name, f"{one.videos:,}", *passed, f"{one.waiting:,}"

    return ("list", "named", *steps, "waiting"), rows()


def _by_day(lists: tuple[ListSurvivors, ...]) -> Iterator[tuple[str, ...]]:
    long = sum(len(one.asked) for one in lists) > _MOST_DAYS
    for one in lists:
        periods: dict[str, tuple[int, int]] = {}
        for day, (asked, had) in sorted(one.asked.items()):
            period = day[:7] if long else day
            before = periods.get(period, (0, 0))
            periods[period] = (before[0] + asked, before[1] + had)
        for period, (asked, had) in periods.items():
            yield one.name, period, f"{asked:,}", f"{had:,}"
