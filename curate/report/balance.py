"""What a balance makes of the groups of a corpus, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from curate.corpus.balance import Balance, CountedVideo, effective_frames, frame_weights, group_rows
from curate.report.funnel import table


def balance_table(videos: Sequence[CountedVideo], balance: Balance) -> str:
    """Effective counts by group: frames that there are, that a selection takes, and the share of weighted draws."""
    rows = [
        [
            "all" if not row.path else "  " * len(row.path) + row.path[-1],
            *(f"{row.videos:,}", f"{row.frames:,.0f}", f"{row.taken:,.0f}"),
            *(f"{row.taken / row.frames:.3f}" if row.frames else "-", f"{row.share:.4f}"),
        ]
        for row in group_rows(videos, balance)
        if "video" not in balance.by or len(row.path) < len(balance.by)
    ]
    worth = effective_frames(frame_weights(videos, balance), videos)
    lines = table(["group", "videos", "frames", "selected", "kept", "weight"], rows)
    return f"{lines}\nweights are worth {worth:,.0f} frames drawn alike (Kish)"
