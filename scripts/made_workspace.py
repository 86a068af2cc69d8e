"""Workspaces of any size in which everything is done, without a video or a network: to see what bookkeeping costs.

The manifest, the options, the fingerprints and the lines of the ledger are as curate writes them, and so are the names
of the files. Only what the files hold is made up: ten bytes each. So all that looks at a workspace without reading the
files of its stages works on it (``status``, ``plan``, a run with nothing to do); an export finds them damaged.

    python scripts/made_workspace.py FOLDER --videos 10000
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from pathlib import Path

from curate.config import Config
from curate.records import Done, Video
from curate.run.pipeline import Pipeline
from curate.run.session import store_manifest
from curate.workspace.events import Event, event_of
from curate.workspace.seals import Seal
from curate.workspace.tree import Workspace

STARTED = 1.75e9
"""Unix seconds of the first line of the ledger."""
PROCEDURES = ("cholecystectomy", "hysterectomy", "appendectomy", "nephrectomy", "hernia repair")
FIGURES = {
    "download": {"bytes": 177_136_021},
    "sample": {"frames": 1800, "seconds": 1800.0},
    "classify": {"frames": 1800, "surgical": 1711, "non_surgical": 61, "uncertain": 28},
    "trim": {"frames": 1800, "surgical": 1711, "non_surgical": 61, "uncertain": 28, "still": 3, "kept": 1706},
    "mask": {"frames": 1706, "frames_with_regions": 212, "regions": 260, "text_frames": 31},
    "field": {"frames": 1706, "shots": 9, "circular_videos": 1, "rectangular_videos": 0, "full_frame_videos": 0},
    "audit": {"frames": 1706, "faces": 0, "names": 2},
}
"""What a video of half an hour leaves in the ledger, about."""


def make_workspace(root: Path, count: int) -> None:
    """Make a workspace whose videos are done at every stage that is on by default.

    Args:
        root: Folder to make.
        count: Number of videos.
    """
    workspace = Workspace.open(root, create=True)
    workspace.store_options(Config())
    videos = [made_video(i) for i in range(count)]
    store_manifest(workspace, videos)
    pipeline = Pipeline(workspace, Config(), videos)
    for spec in pipeline.specs.values():
        workspace.folder(spec.stage.folder)
    with (workspace.ledger_folder / "made-1-0.jsonl").open("w") as ledger:
        for video in videos:
            ledger.writelines(event.to_json() + "\n" for event in done(pipeline, video))


def made_video(i: int) -> Video:
    """The i-th row of the list."""
    name = f"made-{i:06d}"
    return Video(
        name,
        f"https://www.example.org/watch?v={name}",
        title=f"Made operation, number {i}",
        procedures=(PROCEDURES[i % len(PROCEDURES)],),
        domain="laparoscopic",
        licence="CC BY 4.0",
        duration=1800.0,
        origin=f"made.csv:{i + 2}",
    )


def done(pipeline: Pipeline, video: Video) -> Iterator[Event]:
    """Write the files of a video, and give its lines of the ledger."""
    for at, (stage, fingerprint) in enumerate(pipeline.fingerprints(video).items()):
        content = fingerprint[:10].encode()
        seal = Seal(len(content), hashlib.sha256(content).hexdigest())
        names = [f"{video.id}.mp4", f"{video.id}.json"] if stage == "download" else [f"{video.id}.parquet"]
        for name in names:
            (pipeline.workspace.root / pipeline.specs[stage].stage.folder / name).write_bytes(content)
        yield event_of(
            Done(figures=FIGURES.get(stage, {})),
            time=STARTED + at,
            video=video.id,
            stage=stage,
            fingerprint=fingerprint,
            seconds=1.5 * at,
            artefact=names[0],
            attempt=1,
            files=dict.fromkeys(names, seal),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="new folder to make")
    parser.add_argument("--videos", type=int, default=10_000, help="how many (10000)")
    arguments = parser.parse_args()
    make_workspace(arguments.folder, arguments.videos)


if __name__ == "__main__":
    main()
