"""``croissant.json``: the export in the vocabulary of MLCommons Croissant 1.1 with its RAI extension.

http://mlcommons.org/croissant/1.1 and http://mlcommons.org/croissant/RAI/1.0. Every file that ``export.json`` lists is
a FileObject with its SHA-256, but for this one and ``export.json``, which hold one another's. Loose pictures, of which
there may be millions, are a FileSet a split: their checksums are in the column ``sha256`` of ``metadata.parquet``,
which is a FileObject. So are other files of a split where there are more than `MOST_FILES` of them; their checksums are
in ``export.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.exports.cards.about import About
from curate.exports.cards.facts import CROISSANT, README, Facts
from curate.exports.cards.licences import OTHER, licence_url
from curate.exports.cards.making import made_how
from curate.exports.cards.responsible import responsible
from curate.exports.disk.checksums import FileFacts
from curate.exports.formats.tables import FRAME_SCHEMA, METADATA, VIDEO_SCHEMA, VIDEOS
from curate.files.bounded import parse_json

MOST_FILES = 1_000
"""Files with pictures that are FileObjects; of more, each split is a FileSet."""

Json = dict[str, Any]

_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The vocabulary's own context."""

_MEDIA = {
    ".parquet": "application/x-parquet",
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": "application/jsonlines",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".tar": "application/x-tar",
    ".mp4": "video/mp4",
}

_OTHER_MEDIA = "application/octet-stream"


def croissant(facts: Facts, about: About, readme: FileFacts) -> str:
    """The text of ``croissant.json``; the same for the same export and card.

    Args:
        facts: What the export is.
        about: What the publisher says, and what became of the lists.
        readme: Size and checksum of its ``README.md``.
    """
    card = about.card
    told: Json = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": card.name,
        "description": _description(facts, about),
        "license": _licences(facts, about),
        "version": card.version,
        "url": card.url or None,
        "citeAs": card.citation or None,
        "creator": [{"@type": "sc:Organization", "name": name} for name in card.creators] or None,
        "datePublished": about.published or None,
        "inLanguage": list(card.languages) or None,
        "keywords": ["surgery", "endoscopy", *sorted({row.procedure for row in facts.procedures})],
        **responsible(facts, about),
        "distribution": [*_files(facts, readme), *_file_sets(facts)],
        "recordSet": list(_record_sets(facts)),
    }
    plain = {name: value for name, value in told.items() if value not in (None, [])}
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def _description(facts: Facts, about: About) -> str:
    told = [about.card.description] if about.card.description else []
    return " ".join(
        [
            *told,
            f"{facts.frames} frames of {len(facts.videos)} surgical videos, {facts.hours:.2f} hours, as "
            f"{facts.format}.",
            made_how(facts).replace("`", ""),
        ]
    )


def _licences(facts: Facts, about: About) -> list[str]:
    """Where the texts of the licences stand, or what is stated where that is not known."""
    if about.card.licence and about.card.licence != OTHER:
        return [licence_url(about.card.licence) or about.card.licence]
    stated = facts.licences()
    return list(dict.fromkeys(licence_url(name) or name or "not stated: all rights reserved" for name in stated))


def _data_files(facts: Facts) -> dict[str, list[str]]:
    """Files with pictures, by split; loose pictures are not among them."""
    return {split.name: facts.layout.of(split.name, facts.files) for split in facts.splits}


def _are_many(facts: Facts) -> bool:
    return sum(map(len, _data_files(facts).values())) > MOST_FILES


def _files(facts: Facts, readme: FileFacts) -> Iterator[Json]:
    hidden: set[str] = set()
    if _are_many(facts):
        stems = {name.rpartition(".")[0] for names in _data_files(facts).values() for name in names}
        hidden = {name for name in facts.files if name.rpartition(".")[0] in stems}
    listed = {README: readme._asdict()} | facts.files
    for name, told in sorted(listed.items()):
        if name not in hidden:
            yield {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "contentSize": f"{told['size']} B",
                "encodingFormat": _media(name),
                "sha256": told["sha256"],
            }


def _media(name: str) -> str:
    return _MEDIA.get(Path(name).suffix, _OTHER_MEDIA)


def _file_sets(facts: Facts) -> Iterator[Json]:
    loose = facts.layout.media == "image/jpeg"
    if not (loose or facts.format == "parquet" or _are_many(facts)):
        return
    where = f"column sha256 of {METADATA}" if loose else "export.json"
    for split in facts.splits:
        pattern = facts.layout.files(split.name)
        includes = [pattern]
        if facts.format == "video":
            includes += [pattern.replace(".mp4", suffix) for suffix in (".json", ".parquet")]
        yield {
            "@type": "cr:FileSet",
            "@id": _set_id(split.name),
            "name": split.name,
            "description": f"{split.files} files of the split {split.name}, {split.size} B; checksums: {where}.",
            "encodingFormat": facts.layout.media,
            "includes": includes,
        }


def _set_id(split: str) -> str:
    return f"files/{split}"


def _record_sets(facts: Facts) -> Iterator[Json]:
    yield _record_set("videos", "One row a video.", VIDEO_SCHEMA, {"fileObject": {"@id": VIDEOS}})
    if facts.format == "parquet":
        for split in facts.splits:
            source = {"fileSet": {"@id": _set_id(split.name)}}
            image = _field(
                f"frames/{split.name}",
                "image",
                "sc:ImageObject",
                {**source, "extract": {"column": "image"}, "transform": {"jsonPath": "bytes"}},
            )
            told = f"One row a frame of the split {split.name}, with its picture."
            yield _record_set(f"frames/{split.name}", told, FRAME_SCHEMA, source, [image])
    elif facts.schema is not None:
        what = "file" if facts.layout.media == "video/mp4" else "frame"
        yield _record_set("frames", f"One row a {what}.", facts.schema, {"fileObject": {"@id": METADATA}})


def _record_set(name: str, told: str, schema: pa.Schema, source: Json, more: Sequence[Json] = ()) -> Json:
    """A table; columns of boxes, which are tables themselves, are left to readers of Parquet."""
    fields = [
        _field(name, column.name, _KINDS[kind], {**source, "extract": {"column": column.name}}, array=array)
        for column in schema
        for kind, array in [_kind(column.type)]
        if kind in _KINDS
    ]
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": told, "field": [*more, *fields]}


_KINDS = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "float": "cr:Float32",
    "double": "cr:Float64",
}


def _kind(kind: pa.DataType) -> tuple[str, bool]:
    """Name of a column's type, and whether there are several values in a cell."""
    return (str(kind.value_type), True) if pa.types.is_list(kind) else (str(kind), False)


def _field(table: str, name: str, kind: str, source: Json, *, array: bool = False) -> Json:
    shape = {"isArray": True, "arrayShape": "-1"} if array else {}
    return {
        "@type": "cr:Field",
        "@id": f"{table}/{name}",
        "name": name,
        "dataType": kind,
        **shape,
        "source": source,
    }


def read_checksums(text: bytes | str) -> dict[str, str]:
    """SHA-256 of the files that a ``croissant.json`` names.

    Raises:
        ValueError: It is not one of ours.
    """
    told = parse_json(text)
    if not isinstance(told, dict) or not isinstance(told.get("distribution"), list):
        raise ValueError(f"is not a {CROISSANT} of curate")
    found = {}
    for one in told["distribution"]:
        if isinstance(one, dict) and one.get("@type") == "cr:FileObject":
            found[str(one.get("contentUrl"))] = str(one.get("sha256"))
    return found
