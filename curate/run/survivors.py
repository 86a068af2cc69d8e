"""What became of the videos of each list, for the cards of exports: a group-by over outcomes."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from curate.records import Video
from curate.run.pipeline import Pipeline, StageStatus

if TYPE_CHECKING:
    from curate.exports.cards.about import About, ListSurvivors

_STANDARD_INPUT = "standard input"


def about_workspace(pipeline: Pipeline) -> About:
    """What the cards of a workspace's exports are told beside what stands in the exports."""
    from curate.exports.cards.about import About

    return About(pipeline.config.card, list_survivors(pipeline))


def list_survivors(pipeline: Pipeline) -> tuple[ListSurvivors, ...]:
    """What became of each list, in the order in which the manifest names them.

    A video whose last try failed is lost, whether or not there will be another: figures do not change with the clock.
    Nor do days: what was lost and came back byte by byte was had on the day it was had first.
    """
    lists: dict[str, _Tally] = defaultdict(lambda: _Tally(list(pipeline.specs)))
    for video, statuses in pipeline.statuses_of(pipeline.videos):
        lists[list_name(video)].add(list(statuses))
    return tuple(tally.told(name) for name, tally in lists.items())


def list_name(video: Video) -> str:
    """Name of the list that a video stands in, without the folder it lies in: that is nobody else's business."""
    name = Path(video.origin.rpartition(":")[0]).name
    return _STANDARD_INPUT if name in ("", "-") else name


class _Tally:
    """Counts the videos of one list."""

    def __init__(self, stages: list[str]) -> None:
        self._passed = dict.fromkeys(stages, 0)
        self._lost: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()
        self._had: Counter[str] = Counter()
        self._videos = self._waiting = 0

    def add(self, statuses: list[StageStatus]) -> None:
        """Count a video by where it stands at each stage, as far as it came."""
        self._videos += 1
        for status in statuses:
            self._passed[status.stage] += status.state == "done"
        first, last = statuses[0], statuses[-1]
        if first.record is not None and first.record.last.outcome != "reset":
            had = first.record.last.outcome == "done"
            told = first.record.made if had and first.record.made is not None else first.record.last
            day = datetime.fromtimestamp(told.time, UTC).strftime("%Y-%m-%d")
            self._asked[day] += 1
            self._had[day] += had
        if last.state == "done":
            return
        if last.event is not None and last.event.reason is not None:
            self._lost[f"{last.stage}: {last.event.reason}"] += 1
        else:
            self._waiting += 1

    def told(self, name: str) -> ListSurvivors:
        """The figures."""
        from curate.exports.cards.about import ListSurvivors

        asked = {day: (count, self._had[day]) for day, count in sorted(self._asked.items())}
        return ListSurvivors(name, self._videos, self._passed, dict(sorted(self._lost.items())), self._waiting, asked)
