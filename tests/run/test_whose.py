"""Channel, case, corpus and the public flag on their way from the list and the site to the export."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.records import LATER_FIELDS
from curate.run.session import Sources, open_session, run_export, store
from tests.finished import make_finished

WEB = {name: f"https://www.youtube.com/watch?v={name}" for name in ("aaaaaaaaaaa", "bbbbbbbbbbb")}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make_finished(tmp_path / "w", WEB, ["parquet", "folders"])


def test_a_workspace_without_the_columns_goes_on_and_nothing_is_done_again(workspace: Path) -> None:
    for name in ("manifest.parquet", "manifest.copy.parquet"):
        pq.write_table(pq.read_table(workspace / name).drop_columns(LATER_FIELDS), workspace / name)
    session = open_session(workspace)
    assert [(v.id, v.channel, v.case, v.corpus, v.public) for v in session.pipeline.videos] == [
        (name, "", "", "", None) for name in WEB
    ]
    assert session.pipeline.complete() == session.pipeline.videos
    assert run_export(session).formats


def test_no_stage_is_done_again_for_them(workspace: Path) -> None:
    pipeline = open_session(workspace).pipeline
    for video in pipeline.videos:
        told = replace(video, channel="UC1", case="7", corpus="lemon", public=True)
        assert pipeline.fingerprints(told) == pipeline.fingerprints(video)


def test_list_and_site_reach_the_tables_and_the_splits(workspace: Path, tmp_path: Path) -> None:
    listed = tmp_path / "l.csv"
    listed.write_text("url,case,corpus\n" + "".join(f"{url},7,{i}\n" for i, url in enumerate(WEB.values())))
    for name in WEB:
        said = {"channel_id": "UC1", "channel": "X", "availability": "public", "licence": "CC BY", "title": "T"}
        (workspace / "videos" / f"{name}.json").write_text(json.dumps(said))
    given = {"export": {"val_fraction": 0.5}}
    store(open_session(workspace, sources=Sources((str(listed),)), given=given))
    run_export(open_session(workspace))
    for name in ("parquet", "folders"):
        videos = pq.read_table(workspace / "exports" / name / "videos.parquet").to_pylist()
        assert [(v["channel"], v["case"], v["corpus"], v["public"], v["title"]) for v in videos] == [
            ("UC1", "7", str(i), True, "T") for i in range(2)
        ]
        assert len({video["split"] for video in videos}) == 1, "one channel, one split"
    frames = pq.read_table(
        workspace / "exports" / "folders" / "metadata.parquet", columns=["channel", "case", "public"]
    )
    (shard,) = (workspace / "exports" / "parquet" / "data").iterdir()
    for table in (frames, pq.read_table(shard, columns=["channel", "case", "public"])):
        assert set(map(tuple, (row.values() for row in table.to_pylist()))) == {("UC1", "7", True)}
