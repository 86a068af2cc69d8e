"""Columns of tables as a dataset card names them: the features of ``datasets``, in YAML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from curate.exports.cards.layout import Layout
from curate.exports.formats.tables import FRAME_SCHEMA, place_schema

Feature = dict[str, Any]


def features_of(schema: pa.Schema) -> list[Feature]:
    """Columns of a table."""
    return [{"name": field.name, **_kind(field.type)} for field in schema]


def _kind(kind: pa.DataType) -> Feature:
    if pa.types.is_list(kind):
        inner = _kind(kind.value_type)
        return {"list": inner.get("struct", inner.get("dtype", inner))}
    if pa.types.is_struct(kind):
        fields = (kind.field(i) for i in range(kind.num_fields))
        return {"struct": [{"name": field.name, **_kind(field.type)} for field in fields]}
    names = {"double": "float64", "float": "float32"}
    return {"dtype": names.get(str(kind), str(kind))}


def _label(classes: Sequence[str]) -> Feature:
    names = {str(number): name for number, name in enumerate(classes)}
    return {"name": "label", "dtype": {"class_label": {"names": names}}}


def features(layout: Layout, classes: Sequence[str], schema: pa.Schema | None) -> list[Feature]:
    """What ``datasets`` gives of an export.

    Args:
        layout: Of its format.
        classes: Names of its classes, in the order of their labels.
        schema: Of its table of frames, which is read where the pictures cannot be.
    """
    if layout.builder == "parquet":
        return [
            {"name": "image", "dtype": "image"},
            *features_of(FRAME_SCHEMA),
            *([_label(classes)] if classes else []),
        ]
    if layout.builder == "webdataset":
        return [
            {"name": "jpg", "dtype": "image"},
            {"name": "json", "struct": features_of(FRAME_SCHEMA)},
            {"name": "cls", "dtype": "int64"},
            {"name": "__key__", "dtype": "string"},
            {"name": "__url__", "dtype": "string"},
        ]
    if layout.builder:
        kind = "image" if layout.builder == "imagefolder" else "video"
        return [{"name": kind, "dtype": kind}, *([_label(classes)] if layout.labels else [])]
    return features_of(schema if schema is not None else place_schema())
