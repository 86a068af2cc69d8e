"""Frames with their regions drawn."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg

from curate.records import FINDING_KINDS, REGION_KINDS, Region
from curate.report.masks import COLOURS, outline, write_explanations
from curate.workspace.tables import frame_schema, region_schema


def region(n: int, kind: str = "logo") -> dict:
    return {"n": n, "kind": kind, "score": 0.9, "x1": 40, "y1": 60, "x2": 90, "y2": 100, "model": "overlay"}


def test_every_kind_has_its_colour():
    assert set(COLOURS) == {*REGION_KINDS, *FINDING_KINDS}
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_the_outline_lies_on_the_box_and_the_inside_stays():
    image = np.full((200, 300, 3), 70, np.uint8)
    drawn = outline(image, [Region(**{name: value for name, value in region(0).items() if name != "n"})])
    assert (image == 70).all()
    edge = [drawn[60, 40:90], drawn[99, 40:90], drawn[60:100, 40], drawn[60:100, 89]]
    assert all((pixels == COLOURS["logo"]).all() for pixels in edge)
    assert (drawn[64:96, 44:86] == 70).all()


def test_frames_are_spread_over_those_with_regions(tmp_path):
    picture = simplejpeg.encode_jpeg(np.full((120, 160, 3), 70, np.uint8))
    count = 30
    columns = {
        "n": range(count),
        "timestamp": [float(n) for n in range(count)],
        "source_index": range(count),
        "key_frame": [True] * count,
        "width": [160] * count,
        "height": [120] * count,
        "image": [picture] * count,
    }
    pq.write_table(pa.table(columns, schema=frame_schema()), tmp_path / "frames.parquet", row_group_size=7)
    rows = [region(n, kind) for n in range(10, 30) for kind in ("ui", "text")]
    pq.write_table(pa.Table.from_pylist(rows, schema=region_schema()), tmp_path / "regions.parquet")
    out = tmp_path / "out"
    out.mkdir()
    written = write_explanations(tmp_path / "frames.parquet", tmp_path / "regions.parquet", out, most=5)
    assert [path.name for path in written] == [f"{n:06d}.jpg" for n in (10, 15, 20, 24, 29)]
    assert all(simplejpeg.decode_jpeg(path.read_bytes()).shape == (120, 160, 3) for path in written)
