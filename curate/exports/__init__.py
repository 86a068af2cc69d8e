"""Writers of finished datasets, one for each consumer's contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from curate.exports.exporter import ExportSummary, FormatSummary, export_dataset
    from curate.exports.plan.plan import ExportEntry

__all__ = ["ExportEntry", "ExportSummary", "FormatSummary", "export_dataset"]


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: workers that write shards need neither plans' makers nor cards."""
    if name == "ExportEntry":
        from curate.exports.plan import plan

        return plan.ExportEntry
    if name in __all__:
        from curate.exports import exporter

        return getattr(exporter, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
