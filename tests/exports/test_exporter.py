from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from curate.config import (
    ClipsOptions,
    ExportOptions,
    LemonLmdbOptions,
)
from curate.errors import CurateError
from curate.exports import export_dataset
from tests.exports.making import ALL, PICTURES, make_entry, tree_bytes


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_ino) for p in [folder, *folder.rglob("*")]}


def test_two_exports_are_byte_identical(entries, export, tmp_path):
    export(entries, *ALL, to="one")
    export(entries, *ALL, to="two")
    one = tree_bytes(tmp_path / "one")
    assert len(one) > 10
    assert one == tree_bytes(tmp_path / "two")


def test_a_rerun_with_nothing_to_do_writes_nothing(entries, export, tmp_path):
    first = export(entries, *ALL)
    before = state(tmp_path / "exports")
    again = export(entries, *ALL)
    assert state(tmp_path / "exports") == before
    assert [f.written for f in first.formats] == [True] * len(ALL)
    assert [f.written for f in again.formats] == [False] * len(ALL)
    assert [(f.name, f.videos, f.frames, f.size) for f in first.formats] == [
        (f.name, f.videos, f.frames, f.size) for f in again.formats
    ]


def test_the_summary_counts_all_bytes(entries, export, tmp_path):
    for made in export(entries, *ALL).formats:
        found = tree_bytes(made.folder)
        assert made.size == sum(len(data) for path, data in found.items() if path != "export.json")


def test_another_fingerprint_replaces_the_export(entries, export, tmp_path):
    export(entries, "parquet")
    assert export(entries[:1], "parquet", mark="other").formats[0].videos == 1
    folder = tmp_path / "exports"
    assert json.loads((folder / "parquet" / "export.json").read_text())["counts"]["videos"] == 1
    assert [path.name for path in folder.iterdir()] == ["parquet"]


def test_formats_that_were_left_behind_are_named(entries, export, tmp_path):
    export(entries, "parquet", "lmdb", "folders")
    assert export(entries, "lmdb").stale == ()
    after = export(entries[:1], "lmdb", mark="one taken down")
    assert after.stale == (tmp_path / "exports" / "parquet", tmp_path / "exports" / "folders")


@pytest.mark.parametrize(
    ("options", "anew"),
    [
        ({"clips": ClipsOptions(crf=40)}, {"clips"}),
        ({"lmdb_lemon": LemonLmdbOptions(quality=50)}, {"lmdb-lemon"}),
        ({"crop": "lemon-black", "quality": 50}, set(PICTURES)),
        ({"quality": 50}, set(PICTURES) - {"lmdb-lemon"}),
    ],
)
def test_an_option_writes_those_formats_anew_that_use_it(entries, export, tmp_path, options, anew):
    usual = {"clips": ClipsOptions(seconds=2, stride=2)}
    export(entries, *ALL, **usual)
    before = {name: state(tmp_path / "exports" / name) for name in ALL}
    options = {**usual, **options}
    if "clips" in anew:
        options["clips"] = dataclasses.replace(options["clips"], seconds=2.0, stride=2.0)
    assert {path.name for path in export(entries, "lmdb", **options).stale} == anew - {"lmdb"}
    made = export(entries, *ALL, **options)
    assert {f.name for f in made.formats if f.written} | (anew & {"lmdb"}) == anew
    for name in set(ALL) - anew:
        assert state(tmp_path / "exports" / name) == before[name]


def test_an_export_tells_the_options_that_it_uses(entries, export, tmp_path):
    export(entries, "lmdb", "lmdb-lemon", "clips", clips=ClipsOptions(seconds=2))
    told = {
        name: json.loads((tmp_path / "exports" / name / "export.json").read_text())["options"]
        for name in ("lmdb", "lmdb-lemon", "clips")
    }
    assert told["lmdb"]["quality"] == 95 and "clips" not in told["lmdb"] and "lmdb-lemon" not in told["lmdb"]
    assert told["lmdb-lemon"]["lmdb-lemon"] == {"quality": 100} and "quality" not in told["lmdb-lemon"]
    assert told["clips"]["clips"] == {"seconds": 2, "stride": 10.0, "rate": 10.0, "size": 256, "crf": 22}
    assert "| export.clips.seconds | 2 |" in (tmp_path / "exports" / "clips" / "README.md").read_text()
    assert "clips" not in (tmp_path / "exports" / "lmdb" / "README.md").read_text()


FULL = """
import resource, sys
from pathlib import Path
from curate.config import ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
from tests.exports.making import make_entry

folder, name = Path(sys.argv[1]), sys.argv[2]
entry = make_entry(folder / "in", "v", "s" * 150)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
try:
    export_dataset([entry], ExportOptions(formats=(name,)), folder / "exports", context={})
except CurateError as error:
    print(error)
    raise SystemExit(7)
"""


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("folders", "surgenet", "clips")])
def test_a_full_disk_is_said_and_keeps_the_older_export(entries, export, tmp_path, name):
    export(entries, name)
    before = tree_bytes(tmp_path / "exports")
    root = Path(__file__).resolve().parents[2]
    child = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), name],
        capture_output=True,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert child.returncode == 7, child.stderr
    assert "cannot write the export" in child.stdout and "File too large" in child.stdout
    assert {path: data for path, data in tree_bytes(tmp_path / "exports").items() if path[0] != "."} == before


def test_a_damaged_export_is_written_again(entries, export, tmp_path):
    export(entries, "lmdb")
    data = tmp_path / "exports" / "lmdb" / "train.lmdb" / "data.mdb"
    whole = data.read_bytes()
    data.write_bytes(whole[:-1])
    assert export(entries, "lmdb").formats[0].written
    assert data.read_bytes() == whole


def test_the_account_lists_every_file_with_its_checksum(entries, export, tmp_path):
    export(entries, *PICTURES)
    for name in PICTURES:
        folder = tmp_path / "exports" / name
        record = json.loads((folder / "export.json").read_text())
        found = {path: data for path, data in tree_bytes(folder).items() if not path.endswith(".jpg")}
        del found["export.json"]
        assert {k: (v["size"], v["sha256"]) for k, v in record["files"].items()} == {
            k: (len(data), hashlib.sha256(data).hexdigest()) for k, data in found.items()
        }
        assert record["counts"] == {"videos": 2, "frames": 17, "splits": {"train": {"videos": 2, "frames": 17}}}
        assert record["format"] == name and record["made_with"]["classify.model"] == "tiny"


def test_a_kill_between_the_two_renames_loses_nothing(entries, export, tmp_path):
    export(entries, "parquet")
    folder = tmp_path / "exports"
    before = tree_bytes(folder)
    (folder / "parquet").rename(folder / ".parquet.old")
    (folder / ".parquet.tmp").mkdir()
    (folder / ".parquet.tmp" / "export.json").write_text("{}")
    assert not export(entries, "parquet").formats[0].written
    assert tree_bytes(folder) == before


def test_a_folder_of_the_user_is_not_touched(entries, export, tmp_path):
    mine = tmp_path / "exports" / "parquet" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("years of work")
    with pytest.raises(CurateError, match="not written by curate"):
        export(entries, "parquet")
    assert mine.read_text() == "years of work"


def test_a_broken_video_costs_no_other_and_is_tried_again(entries, export, tmp_path):
    whole = entries[0].frames.read_bytes()
    entries[0].frames.write_bytes(whole[: len(whole) // 2])
    summary = export(entries, "parquet").formats[0]
    assert (summary.videos, summary.frames) == (1, 12)
    assert list(summary.left_out) == ["vid_a"] and "cannot read" in summary.left_out["vid_a"]
    entries[0].frames.write_bytes(whole)
    mended = export(entries, "parquet").formats[0]
    assert mended.written and (mended.videos, dict(mended.left_out)) == (2, {})


def test_a_frame_that_cannot_be_decoded_leaves_its_video_out(entries, export, tmp_path):
    table = pq.read_table(entries[0].frames)
    images = table.column("image").to_pylist()
    images[5] = images[5][:60]
    table = table.set_column(6, table.schema.field("image"), [images])
    pq.write_table(table, entries[0].frames, row_group_size=3)
    summary = export(entries, "parquet", "lmdb-lemon")
    for made in summary.formats:
        assert made.videos == 1 and "frame 5" in made.left_out["vid_a"]
    left = b"".join(tree_bytes(tmp_path / "exports" / "lmdb-lemon" / "train.lmdb").values())
    assert b"vid_a_0" not in left and b"-vidB_0" in left


def test_a_format_without_content_costs_no_other(entries, export, tmp_path):
    made = export(entries, "clips", "parquet", clips=ClipsOptions(seconds=60))
    assert [f.name for f in made.formats] == ["parquet"]
    assert list(made.not_made) == ["clips"] and "no surgical run is as long as" in made.not_made["clips"]
    assert [path.name for path in (tmp_path / "exports").iterdir()] == ["parquet"]
    with pytest.raises(CurateError, match="no surgical run is as long as"):
        export(entries, "clips", clips=ClipsOptions(seconds=60))


@pytest.mark.parametrize("name", ["parquet", "clips"])
def test_a_video_that_cannot_be_read_any_more_does_not_shrink_the_export(entries, tmp_path, name):
    options = ExportOptions(formats=(name,), clips=ClipsOptions(seconds=2))

    def run(**kind):
        return export_dataset(entries, options, tmp_path / "exports", context={}, **kind)

    run()
    before = tree_bytes(tmp_path / "exports")
    (entries[0].frames if name == "parquet" else entries[0].source_file).write_bytes(b"no such thing")
    summary = run(may_shrink=False)
    assert summary.formats == () and list(summary.kept[name]) == ["vid_a"]
    assert {path: data for path, data in tree_bytes(tmp_path / "exports").items() if path[0] != "."} == before
    assert run().formats[0].videos == 1


def test_what_is_not_shown_writes_nothing_anew(entries, export, tmp_path):
    export(entries, *ALL)
    before = state(tmp_path / "exports")
    moved = dataclasses.replace(entries[0].video, origin="/elsewhere/list.csv:7", md5="0" * 32, duration=7.0)
    again = export([dataclasses.replace(entries[0], video=moved), entries[1]], *ALL)
    assert not any(f.written for f in again.formats) and state(tmp_path / "exports") == before
    os.utime(entries[1].fields, ns=(1, 1))
    os.utime(entries[1].source_file, ns=(1, 1))
    assert export(entries, "lmdb").formats[0].written
    renamed = dataclasses.replace(entries[0].video, title="Another")
    made = export([dataclasses.replace(entries[0], video=renamed), entries[1]], *ALL)
    assert all(f.written for f in made.formats)


def test_a_video_file_says_nothing_to_pictures_and_the_field_of_view_nothing_to_videos(entries, export):
    export(entries, "folders", "video")
    os.utime(entries[1].source_file, ns=(1, 1))
    assert [f.written for f in export(entries, "folders", "video").formats] == [False, True]
    os.utime(entries[1].fields, ns=(1, 1))
    assert [f.written for f in export(entries, "folders", "video").formats] == [True, False]


def test_tables_that_do_not_belong_together_are_named(entries, export, tmp_path):
    other = make_entry(tmp_path / "other", "vid_a", "sss")
    mixed = type(other)(other.video, entries[0].frames, other.verdicts, other.regions, {})
    assert "not made from the same frames" in export([mixed, entries[1]], "parquet").formats[0].left_out["vid_a"]


def test_nothing_to_export_says_what_to_do(entries, export, tmp_path):
    with pytest.raises(CurateError, match="curate status"):
        export([], "parquet")
    silent = make_entry(tmp_path / "in", "v", "nnu", kept=[0, 1, 2])
    with pytest.raises(CurateError, match=r"none of the 1 videos has a frame that export\.include"):
        export([silent], "parquet")
    silent.frames.write_bytes(b"")
    with pytest.raises(CurateError, match=r"v: .*delete its artefacts"):
        export([silent], "parquet")
    with pytest.raises(CurateError, match="unknown format 'tfrecord'; known: parquet"):
        export(entries, "tfrecord")
    with pytest.raises(CurateError, match=r"'lmdb-generic' is gone: no reader of it .* take lmdb"):
        export(entries, "lmdb-generic")
    assert not (tmp_path / "exports").exists()


def test_a_place_that_cannot_be_written_is_said(entries, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CurateError, match="cannot write the export"):
        export_dataset(entries, ExportOptions(), tmp_path / "file", context={})


def test_the_card_carries_splits_procedures_weights_and_harmless_text(entries, export, tmp_path):
    evil = make_entry(tmp_path / "in", "w", "s", split="val", licence="<script>x</script>|[a](http://b)")
    export([*entries, evil], "parquet", "lmdb")
    card = (tmp_path / "exports" / "parquet" / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train-*.parquet"},
                {"split": "val", "path": "data/val-*.parquet"},
            ],
        }
    ]
    assert header["size_categories"] == ["n<1K"]
    assert "| train | cholecystectomy | 2 | 11 |" in card
    assert "0" * 64 in card and "export.fill | black" in card
    assert "&lt;script>" in card and "<script" not in card
    assert r"\|\[a\](http://b)" in card
    assert "not stated" in card and "curate purge" in card
    assert 'lmdb.open("train.lmdb"' in (tmp_path / "exports" / "lmdb" / "README.md").read_text()


def test_memory_does_not_grow_with_the_length_of_a_video(tmp_path):
    script = """
import resource, sys
from pathlib import Path
from curate.config import ExportOptions
from curate.exports import export_dataset
from tests.exports.making import make_entry
import pyarrow as pa, pyarrow.parquet as pq
folder, frames = Path(sys.argv[1]), int(sys.argv[2])
entry = make_entry(folder, "v", "s" * frames, rows_a_group=50, source_file=False)
source = pq.ParquetFile(entry.frames)
padded = folder / "padded.parquet"
with pq.ParquetWriter(padded, source.schema_arrow, compression="none", use_dictionary=False) as writer:
    for batch in source.iter_batches(50):
        rows = batch.to_pylist()
        for row in rows:
            row["image"] += bytes(200_000)
        writer.write_table(pa.Table.from_pylist(rows, source.schema_arrow))
entry = type(entry)(entry.video, padded, entry.verdicts, entry.regions, {})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
export_dataset([entry], ExportOptions(formats=("parquet",)), folder / "out", context={})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    root = Path(__file__).resolve().parents[2]
    grown = {}
    for frames in (200, 1600):
        (tmp_path / str(frames)).mkdir()
        out = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / str(frames)), str(frames)],
            capture_output=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        grown[frames] = int(out.stdout) / 1024
    assert grown[1600] < grown[200] + 100, grown
