"""Writers of finished datasets, one for each consumer's contract."""

from curate.exports.exporter import ExportSummary, FormatSummary, export_dataset
from curate.exports.plan.plan import ExportEntry

__all__ = ["ExportEntry", "ExportSummary", "FormatSummary", "export_dataset"]
