"""A verdict for every frame, and the part of the video to keep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import TrimOptions
from curate.records import NON_SURGICAL, SURGICAL, UNCERTAIN, Done, Dropped, Failed, Outcome, Reason, Video
from curate.stage import Files, Stage
from curate.verdicts.decisions import Decisions, milliseconds, read_decisions
from curate.workspace.tables import verdict_schema

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.verdicts.rules import Cut

ROWS_A_GROUP = 8192


@dataclass(frozen=True)
class Scores:
    """The table of the classify stage, and what its model says of it."""

    n: npt.NDArray[np.int32]
    timestamps: npt.NDArray[np.float64]
    p_surgical: npt.NDArray[np.float32]
    changes: npt.NDArray[np.float32]
    model: str
    threshold: float
    band: tuple[float, float]


class TrimStage(Stage[TrimOptions]):
    """Verdicts of one video, and LEMON's trim rule over them."""

    name = "trim"
    folder = "verdicts"
    inputs = ("classify",)

    def video_extra(self, video: Video) -> dict[str, Any]:
        """What people decided about the video."""
        decided = self._decisions.of(video.id)
        return {"decisions": sorted(decided.items())} if decided else {}

    @cached_property
    def _decisions(self) -> Decisions:
        return read_decisions(self.options.decisions) if self.options.decisions else Decisions()

    def process(self, video: Video, files: Files) -> Outcome:
        """Judge and cut one video; one without a long enough run is dropped with its verdicts left to look at."""
        import numpy as np
        import pyarrow as pa

        from curate.verdicts import rules as verdicts

        try:
            scores = read_scores(files.inputs["classify"])
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            return Failed(
                Reason.BAD_ARTEFACT, f"{files.inputs['classify']} is not a table of scores: {error}", retryable=True
            )
        threshold, band = operating_point(self.options, scores.threshold, scores.band)
        p = scores.p_surgical.astype("float64")
        if self.options.smooth:
            p = verdicts.smooth(
                p, scores.timestamps, scores.changes.astype("float64"), self.options.stay, self.options.stay_cut
            )
        named = verdicts.judge(p, threshold, band)
        surgical = p >= threshold
        decided = self._decisions.of(video.id)
        said = np.array([decided.get(milliseconds(time), -1) for time in scores.timestamps], np.int8)
        surgical = np.where(said < 0, surgical, said == 1)
        named = np.where(said < 0, named, np.where(surgical, SURGICAL, NON_SURGICAL))
        cut = verdicts.trim(surgical, scores.timestamps, self.options.min_run)
        path = files.temporary(".parquet")
        self._write(path, scores, named, cut, threshold, band)
        seconds = verdicts.durations(scores.timestamps)
        figures: dict[str, int | float] = {
            "frames": len(p),
            "surgical": int((named == SURGICAL).sum()),
            "non_surgical": int((named == NON_SURGICAL).sum()),
            "uncertain": int((named == UNCERTAIN).sum()),
            "kept": cut.stop - cut.start if cut else 0,
            "seconds_kept": round(float(seconds[cut.start : cut.stop].sum()), 3) if cut else 0.0,
        }
        if decided:
            figures["decided"] = int((said >= 0).sum())
        if cut is None:
            detail = f"no {self.options.min_run:g} s of consecutive surgical frames"
            return Dropped(Reason.NO_SURGICAL_RUN, detail, path, figures=figures)
        return Done(path, figures=figures)

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
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = np.arange(len(scores.n))
        kept = (rows >= cut.start) & (rows < cut.stop) if cut else np.zeros(len(rows), bool)
        outside = (
            np.where(rows < cut.start, "before_first_run", "after_last_run") if cut else np.full(len(rows), "no_run")
        )
        schema = verdict_schema().with_metadata(
            {
                "model": scores.model,
                "threshold": repr(threshold),
                "uncertain_low": repr(band[0]),
                "uncertain_high": repr(band[1]),
                "smooth": str(self.options.smooth).lower(),
                "min_run": repr(self.options.min_run),
            }
        )
        table = pa.table(
            [scores.n, scores.timestamps, scores.p_surgical, named, kept, np.where(kept, "", outside)], schema=schema
        )
        pq.write_table(table, path, compression="zstd", row_group_size=ROWS_A_GROUP)


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


def read_scores(path: Path) -> Scores:
    """Read a table of the classify stage.

    A day of video at 1 frame a second is 86,400 rows of 20 bytes: it is held whole.

    Raises:
        OSError: Unreadable.
        pyarrow.ArrowException: Not Parquet, or damaged.
        KeyError: A column or an entry of the metadata is missing.
        ValueError: No rows, timestamps that fall, or probabilities outside 0..1.
    """
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(path, partitioning=None)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    n, timestamps, p, changes = (table[name].to_numpy() for name in ("n", "timestamp", "p_surgical", "change"))
    if not len(n):
        raise ValueError("it has no rows")
    if (np.diff(timestamps) < 0).any():
        raise ValueError("its timestamps fall")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("it has probabilities outside 0..1")
    return Scores(
        n,
        timestamps,
        p,
        changes,
        metadata["model"],
        float(metadata["threshold"]),
        (float(metadata["uncertain_low"]), float(metadata["uncertain_high"])),
    )
