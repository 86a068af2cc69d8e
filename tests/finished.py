"""Workspaces in which everything is done, made without networks or videos."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from curate.config import ClipsOptions, Config, ExportOptions
from curate.exports.exporter import InProcess
from curate.records import Video
from curate.run.session import open_session, run_export, store_manifest
from curate.workspace.events import Event
from curate.workspace.ledger import LedgerWriter
from curate.workspace.tree import Workspace
from tests.exports.making import make_entry


def make_finished(
    root: Path,
    sources: Mapping[str, str],
    formats: Sequence[str] = ("parquet", "lmdb"),
    titles: Mapping[str, str] | None = None,
) -> Path:
    """A workspace whose videos are done at every stage and exported.

    Args:
        root: Folder to make.
        sources: Source of each video by id; a local file's folder and the file are made.
        formats: Formats to export to.
        titles: Titles of videos by id.
    """
    workspace = Workspace.open(root, create=True)
    options = ExportOptions(formats=tuple(formats), clips=ClipsOptions(seconds=2.0, stride=1.0))
    workspace.store_options(Config(export=options))
    videos = [Video(id=name, source=source, title=(titles or {}).get(name, "")) for name, source in sources.items()]
    for video in videos:
        if video.is_local:
            Path(video.source).parent.mkdir(exist_ok=True)
            Path(video.source).write_bytes(b"the user's own file")
    store_manifest(workspace, videos)
    pipeline = open_session(root).pipeline
    writer = LedgerWriter(workspace.ledger_folder)
    for video in videos:
        entry = make_entry(root.parent / "made", video.id, "nssss", regions=[2])
        fingerprints = pipeline.fingerprints(video)
        for stage, spec in pipeline.specs.items():
            path = workspace.folder(spec.stage.folder) / f"{video.id}.parquet"
            made = {
                "sample": entry.frames,
                "trim": entry.verdicts,
                "mask": entry.regions,
                "field": entry.fields,
                "audit": entry.audit,
            }.get(stage)
            if made is not None:
                shutil.copyfile(made, path)
            elif stage == "download":
                path = path.with_suffix(".mp4")
                if video.is_local:
                    path.symlink_to(video.source)
                else:
                    shutil.copyfile(entry.source_file, path)
            else:
                shutil.copyfile(entry.verdicts, path)
            event = Event(1.0, video.id, stage, "done", fingerprints[stage], artefact=path.name)
            writer.append(event)
        (workspace.root / "videos" / f"{video.id}.json").write_text("{}")
    writer.close()
    run_export(open_session(root), crew=InProcess())
    return root
