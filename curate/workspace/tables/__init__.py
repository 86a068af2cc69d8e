"""The tables of a workspace: schema, reader and writer of every artefact, one module each.

Readers stream a row group at a time and raise `curate.errors.BadArtefact`. Writers write to a temporary name, which
the engine makes final.
"""

from curate.workspace.tables.schemas import (
    audit_schema,
    duplicate_schema,
    embedding_schema,
    field_schema,
    frame_schema,
    manifest_schema,
    prediction_schema,
    region_schema,
    score_schema,
    signature_schema,
    verdict_schema,
)

__all__ = [
    "audit_schema",
    "duplicate_schema",
    "embedding_schema",
    "field_schema",
    "frame_schema",
    "manifest_schema",
    "prediction_schema",
    "region_schema",
    "score_schema",
    "signature_schema",
    "verdict_schema",
]
