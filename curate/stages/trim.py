"""A verdict for every frame, and the part of the video to keep."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import TrimOptions
from curate.errors import BadArtefact
from curate.records import (
    NON_SURGICAL,
    SURGICAL,
    UNCERTAIN,
    Done,
    Dropped,
    Failed,
    Outcome,
    Reason,
    Video,
    VideoDecisions,
)
from curate.stage import Files, Stage
from curate.verdicts.decisions import Decisions, milliseconds, read_decisions
from curate.workspace.tables.scores import Scores, read_scores
from curate.workspace.tables.verdicts import write_verdicts

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.verdicts.rules import Cut

_NAMED = 5
"""Decisions without a frame that are named; more are counted."""


class TrimStage(Stage[TrimOptions]):
    """Verdicts of one video, and LEMON's trim rule over them."""

    name = "trim"
    folder = "verdicts"
    inputs = ("classify",)
    version = 2

    def video_extra(self, video: Video) -> dict[str, Any]:
        """What people decided about the video."""
        decided = self._decisions.of(video.id)
        return {"decisions": sorted(decided.items())} if decided else {}

    def heeded(self, decided: VideoDecisions, undecided: str) -> list[Any]:
        """Labels of frames but those that only confirm these very verdicts, the trim, and whether it is dropped."""
        frames = [[frame.at, frame.label] for frame in decided.frames if frame.confirms != undecided]
        found = [frames, decided.start, decided.end, decided.dropped]
        return found if any(part not in ([], None, False) for part in found) else []

    @cached_property
    def _decisions(self) -> Decisions:
        return read_decisions(self.options.decisions) if self.options.decisions else Decisions()

    def process(self, video: Video, files: Files) -> Outcome:
        """Judge and cut one video; one without a long enough run is dropped with its verdicts left to look at."""
        import numpy as np

        from curate.verdicts import rules as verdicts

        try:
            scores = read_scores(files.inputs["classify"])
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error), retryable=True)
        threshold, band = operating_point(self.options, scores.threshold, scores.band)
        p = scores.p_surgical.astype("float64")
        if self.options.smooth:
            p = verdicts.smooth(
                p, scores.timestamps, scores.changes.astype("float64"), self.options.stay, self.options.stay_cut
            )
        named = verdicts.judge(p, threshold, band)
        surgical = p >= threshold
        still = verdicts.still(surgical, scores.timestamps, scores.changes.astype("float64"), self.options.min_change)
        surgical &= ~still
        named = np.where(still, NON_SURGICAL, named)
        decided = self._labels(video, files.decided)
        said = np.array([decided.get(milliseconds(time), "") for time in scores.timestamps])
        surgical = np.where(np.isin(said, ("", UNCERTAIN)), surgical, said == SURGICAL)
        named = np.where(said == "", named, said)
        cut = verdicts.trim(surgical, scores.timestamps, self.options.min_run)
        cut = verdicts.moved(cut, scores.timestamps, files.decided.start, files.decided.end)
        path = files.temporary(".parquet")
        self._write(path, scores, named, cut, threshold, band)
        seconds = verdicts.durations(scores.timestamps)
        figures: dict[str, int | float] = {
            "frames": len(p),
            "surgical": int((named == SURGICAL).sum()),
            "non_surgical": int((named == NON_SURGICAL).sum()),
            "uncertain": int((named == UNCERTAIN).sum()),
            "still": int(still.sum()),
            "kept": cut.stop - cut.start if cut else 0,
            "seconds_kept": round(float(seconds[cut.start : cut.stop].sum()), 3) if cut else 0.0,
        }
        note = ""
        if decided:
            figures["decided"] = int((said != "").sum())
            if missed := sorted(decided.keys() - set(map(milliseconds, scores.timestamps))):
                lines = self._decisions.lines.get(video.id, {})
                where = [f"{time / 1000:g} s" + (f" ({lines[time]})" if time in lines else "") for time in missed]
                shown = ", ".join(where[:_NAMED]) + (", ..." if len(where) > _NAMED else "")
                note = f"{len(missed)} decisions are about times without a frame: {shown}"
        if files.decided.dropped:
            return Dropped(Reason.REVIEWED, "a person dropped it in a review", path, figures=figures)
        if cut is None:
            detail = f"no {self.options.min_run:g} s of consecutive surgical frames"
            return Dropped(Reason.NO_SURGICAL_RUN, detail, path, figures=figures)
        return Done(path, figures=figures, note=note)

    def _labels(self, video: Video, decided: VideoDecisions) -> dict[int, str]:
        """Labels by milliseconds: those of the CSV, and those of the workspace, which go before."""
        listed = {at: SURGICAL if surgical else NON_SURGICAL for at, surgical in self._decisions.of(video.id).items()}
        return listed | {frame.at: frame.label for frame in decided.frames}

    def _write(
        self,
        path: Path,
        scores: Scores,
        named: npt.NDArray[np.str_],
        cut: Cut | None,
        threshold: float,
        band: tuple[float, float],
    ) -> None:
        import numpy as np

        rows = np.arange(len(scores.n))
        kept = (rows >= cut.start) & (rows < cut.stop) if cut else np.zeros(len(rows), bool)
        outside = (
            np.where(rows < cut.start, "before_first_run", "after_last_run") if cut else np.full(len(rows), "no_run")
        )
        metadata = {
            "model": scores.model,
            "threshold": repr(threshold),
            "uncertain_low": repr(band[0]),
            "uncertain_high": repr(band[1]),
            "smooth": str(self.options.smooth).lower(),
            "min_change": repr(self.options.min_change),
            "min_run": repr(self.options.min_run),
        }
        reasons = np.where(kept, "", outside)
        write_verdicts(path, scores.n, scores.timestamps, scores.p_surgical, named, kept, reasons, metadata)


def operating_point(
    options: TrimOptions, threshold: float, band: tuple[float, float]
) -> tuple[float, tuple[float, float]]:
    """Threshold and uncertain band: the options', else the model's.

    A band of the model is widened to a threshold of the user's that lies outside it.

    Args:
        options: What the user wants.
        threshold: The model's own.
        band: The model's own, ``(low, high)``.
    """
    if options.threshold is not None:
        threshold = options.threshold
    low, high = band
    if low < high:
        low, high = min(low, threshold), max(high, threshold)
    low = low if options.uncertain_low is None else options.uncertain_low
    high = high if options.uncertain_high is None else options.uncertain_high
    return threshold, (low, high)
