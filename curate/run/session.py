"""A workspace opened for work: options resolved, manifest read, stages run, shards written."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from curate import config
from curate.config import Config
from curate.engine.local import Limits, LocalEngine
from curate.engine.task import Answer, StageSpec, Task
from curate.errors import CurateError
from curate.files.atomic import write_atomic
from curate.files.machine import usable_cores
from curate.manifests import read_manifest
from curate.run.exclusions import Exclusions, read_exclusions, read_purged, remember_opt_outs
from curate.run.pipeline import Pipeline
from curate.stage import Lane
from curate.version import __version__
from curate.workspace.tree import Workspace

if TYPE_CHECKING:
    from curate.exports import ExportEntry, ExportSummary
    from curate.manifests import Format, ManifestReport
    from curate.records import Video


@dataclass(frozen=True)
class Sources:
    """Where the list of videos comes from.

    Attributes:
        paths: Manifest files, folders, or ``-``; empty to use the workspace's own manifest.
        format: Forced format, or ``None`` to recognise it.
        opt_out: Files with ids that must not be used.
    """

    paths: tuple[str, ...] = ()
    format: Format | None = None
    opt_out: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Session:
    """An open workspace.

    Attributes:
        workspace: The folder.
        config: Resolved options.
        pipeline: Stages over the videos of the manifest.
        report: How reading the sources went; ``None`` when the stored manifest was used.
        unlisted: Videos of the previous manifest that the new one does not list; their files stay.
        exclusions: What must not be used; none of it is in the pipeline.
        opted_out: Videos of the stored manifest whose authors opted out; their files stay until they are purged.
    """

    workspace: Workspace
    config: Config
    pipeline: Pipeline
    report: ManifestReport | None
    unlisted: int
    exclusions: Exclusions
    opted_out: tuple[Video, ...]


def open_session(
    root: Path,
    *,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    config_file: Path | None = None,
    sources: Sources | None = None,
    create: bool = False,
    write: bool = True,
) -> Session:
    """Open a workspace and resolve its options.

    Given values win over ``config_file``, that over ``curate.toml``, that over the defaults.

    Args:
        root: The workspace folder.
        given: Option values by table and name, as from the command line.
        config_file: A TOML file with option tables.
        sources: New list of videos; replaces the stored manifest.
        create: Make the workspace if it is not there.
        write: Whether the workspace must be writable.

    Raises:
        CurateError: The workspace, the options or the manifest cannot be used.
    """
    layers = [config.load_toml(config_file)] if config_file is not None else []
    # Read and checked before anything is written: a mistake leaves no half-made workspace behind.
    config.resolve("options", *layers, given or {})
    exclusions = read_exclusions(Workspace(Path(os.path.abspath(root))), sources.opt_out if sources else ())
    report = _read_sources(sources, Workspace(root))
    workspace = Workspace.open(root, create=create, write=write)
    resolved = config.resolve(str(workspace.config_path), workspace.stored_options(), *layers, given or {})
    stored = read_manifest(workspace.manifest_path) if workspace.manifest_path.exists() else None
    previous, opted_out = exclusions.split(stored or ())
    if report is not None:
        videos, unlisted = list(report.videos), len({v.id for v in previous} - {v.id for v in report.videos})
    elif stored is None:
        raise CurateError(
            f"workspace {workspace.root} has no manifest yet: name a SOURCE, e.g. curate run SOURCE -w ..."
        )
    else:
        videos, unlisted = previous, 0
    pipeline = Pipeline(workspace, resolved, videos)
    return Session(workspace, resolved, pipeline, report, unlisted, exclusions, tuple(opted_out))


def store(session: Session) -> None:
    """Write ``curate.toml`` and ``manifest.parquet`` of a session that is about to do work; the lock is held.

    Raises:
        CurateError: A video was purged since the session was opened.
    """
    purged = read_purged(session.workspace)
    if gone := [video.id for video in session.pipeline.videos if purged.covers(video)]:
        raise CurateError(f"{', '.join(gone[:3])} was purged in the meantime: run the same command again")
    session.workspace.store_options(session.config)
    remember_opt_outs(session.workspace, session.exclusions.given)
    if session.report is not None:
        store_manifest(session.workspace, session.pipeline.videos)


def store_manifest(workspace: Workspace, videos: Sequence[Video]) -> None:
    """Write ``manifest.parquet``, if it would change."""
    from curate.manifests import write_manifest

    temporary = workspace.root / ".manifest.parquet.new"
    write_manifest(videos, temporary)
    data = temporary.read_bytes()
    temporary.unlink()
    path = workspace.manifest_path
    if not path.exists() or path.read_bytes() != data:
        write_atomic(path, data)


def _read_sources(sources: Sources | None, workspace: Workspace) -> ManifestReport | None:
    if sources is None or not sources.paths:
        return None
    from curate.manifests import read_sources

    own = tuple(path for path in (workspace.opt_out_path, workspace.purged_path) if path.exists())
    report = read_sources(sources.paths, format=sources.format, opt_out=(*sources.opt_out, *own))
    if not report.videos:
        raise CurateError(
            f"no usable video in {', '.join(sources.paths)}: 'curate manifest check' says what is wrong with each row"
        )
    return report


def run_stages(
    session: Session,
    stages: Sequence[str],
    observe: Callable[[Task, Answer], None],
    *,
    shard: tuple[int, int] = (0, 1),
) -> None:
    """Do all that is pending in ``stages``, on this machine.

    Args:
        session: The open workspace; the caller holds nothing, this takes the lock.
        stages: Stage names.
        observe: Told of every answer.
        shard: ``(i, n)``, from 0.

    Raises:
        CurateError: Another run is at work, or a stage cannot be set up.
    """

    def engine(
        specs: Mapping[str, StageSpec],
        tasks: Iterable[Task],
        on_answer: Callable[[Task, Answer], Iterable[Task]],
    ) -> None:
        limits = make_limits(session.config, specs)
        adjusted = {name: _for_worker(spec) for name, spec in specs.items()}
        LocalEngine(adjusted, limits, ledger=session.workspace.ledger_folder, lock=lock).run(tasks, on_answer)

    with session.workspace.lock(shard) as lock, _terminate_as_interrupt():
        store(session)
        session.pipeline.run(stages, shard, engine, observe)


def make_limits(options: Config, specs: Mapping[str, StageSpec]) -> Limits:
    """Share the machine between the lanes that the stages need."""
    cores = usable_cores()
    workers = options.engine.workers or cores
    wanted: dict[str, Lane] = {name: spec.make().lane for name, spec in specs.items()}
    devices = _devices({name: specs[name] for name, lane in wanted.items() if lane == "gpu"})
    if options.engine.worker_memory:
        memory = options.engine.worker_memory << 20
    else:
        memory = int(0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (workers + len(devices)))
    return Limits(
        lanes={"download": 1, "cpu": workers, "gpu": len(devices)},
        threads=max(1, cores // workers),
        devices=devices,
        video_seconds=options.engine.video_timeout,
        worker_bytes=memory,
    )


def _devices(specs: Mapping[str, StageSpec]) -> tuple[str, ...]:
    """CUDA devices for the ``gpu`` lane, as values for ``CUDA_VISIBLE_DEVICES``."""
    if not specs:
        return ()
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        visible = [d.strip() for d in listed.split(",") if d.strip()]
    else:
        import torch

        visible = [str(i) for i in range(torch.cuda.device_count())]
    named = {spec.options.device.partition(":")[2] for spec in specs.values()} - {""}
    chosen = [d for i, d in enumerate(visible) if str(i) in named] if named else visible
    if not chosen:
        raise CurateError(f"no CUDA device {', '.join(sorted(named)) or 'is visible'}: use --device cpu")
    return tuple(chosen)


def _for_worker(spec: StageSpec) -> StageSpec:
    """A GPU worker sees one device only, so ``cuda:3`` is plain ``cuda`` to it."""
    if spec.make().lane != "gpu":
        return spec
    return StageSpec(spec.stage, dataclasses.replace(spec.options, device="cuda"))


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM (job schedulers, ``timeout``) end a run as cleanly as Ctrl-C does."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread: the caller handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def run_export(
    session: Session, progress: Callable[[str, int], None] | None = None, *, partial: bool = False
) -> ExportSummary:
    """Write the shards of all complete videos.

    Args:
        session: The open workspace.
        progress: Called as ``progress(format, frames)``.
        partial: Whether an export may lose videos that are not complete now; else it is kept as it is.

    Raises:
        CurateError: There is no complete video, or another run is at work.
    """
    from curate.exports import ExportSummary, export_dataset
    from curate.run.shrink import lost_videos

    pipeline = session.pipeline
    videos = pipeline.complete()
    if not videos:
        raise CurateError(
            f"no video of {session.workspace.root} is complete, so there is nothing to export: see 'curate status'"
        )
    entries = [export_entry(pipeline, video) for video in videos]
    with session.workspace.lock(), _terminate_as_interrupt():
        store(session)
        folder = session.workspace.exports_folder
        folder.mkdir(exist_ok=True)
        formats = dict.fromkeys(session.config.export.formats)
        lost = {} if partial else {n: lost_videos(folder / n, pipeline, session.exclusions) for n in formats}
        if kept := {name: videos for name, videos in lost.items() if videos}:
            formats = dict.fromkeys(name for name in formats if name not in kept)
        if kept and not formats:
            return ExportSummary((), kept=kept)
        summary = export_dataset(
            entries,
            dataclasses.replace(session.config.export, formats=tuple(formats)),
            folder,
            fingerprint=pipeline.export_fingerprint(videos),
            context=export_context(pipeline),
            progress=progress,
        )
        return dataclasses.replace(summary, stale=tuple(p for p in summary.stale if p.name not in kept), kept=kept)


def export_entry(pipeline: Pipeline, video: Video) -> ExportEntry:
    """What an export is told of a finished video."""
    from curate.exports import ExportEntry

    return ExportEntry(
        video=video,
        frames=pipeline.artefact(video, "sample"),
        verdicts=pipeline.artefact(video, "trim"),
        regions=pipeline.artefact(video, "mask"),
        fields=pipeline.made(video, "field"),
        audit=pipeline.made(video, "audit"),
        source_meta=pipeline.source_metadata(video),
        source_file=pipeline.source_file(video),
    )


def export_context(pipeline: Pipeline) -> dict[str, str]:
    """Facts that are written into every export: the version of curate, names and checksums of the weights."""
    return {"curate": __version__, **_weights(pipeline)}


def _weights(pipeline: Pipeline) -> dict[str, str]:
    """Names and checksums of all weights, e.g. ``{"classify.sha256": "..."}``."""
    found: dict[str, str] = {}
    for name, spec in pipeline.specs.items():
        for key, value in spec.make().fingerprint_extra().items():
            found[f"{name}.{key}"] = value if isinstance(value, str) else repr(value)
    return found
