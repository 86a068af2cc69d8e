"""A workspace opened for work: options resolved, manifest read, stages run, shards written."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from curate import config
from curate.config import Config, ExportOptions
from curate.corpus.classes import write_classes
from curate.engine import make_engine
from curate.errors import CurateError
from curate.files.atomic import temporary_beside, write_changed
from curate.files.presence import forget_left
from curate.manifests import Unstated, read_manifest
from curate.run.deduplicate import Repeats, find_repeats, groups_of, repeats_for_export, table_path
from curate.run.exclusions import Exclusions, read_exclusions, read_purged, remember_opt_outs
from curate.run.logged import StageTally, logged
from curate.run.pipeline import Pipeline
from curate.run.placing import Placed, corpus_folder, numbered_classes, place, remember
from curate.run.stage_work import StageAnswer, StageTask
from curate.run.survivors import about_workspace
from curate.verdicts.decisions import read_decisions
from curate.version import __version__
from curate.workspace.seals import DamagedArtefact, Seal, SealedFiles
from curate.workspace.tree import Workspace

if TYPE_CHECKING:
    from curate.exports import ExportEntry, ExportSummary
    from curate.exports.exporter import Crew
    from curate.exports.plan.plan import Plan
    from curate.manifests import Format, ManifestReport
    from curate.records import Video


log = logging.getLogger(__name__)

_NAMED = 10
"""Decisions about unknown videos that are named line by line; more are counted."""

_EXPORTED = ("download", "sample", "trim", "mask", "field", "audit")
"""Stages whose files exports read."""


@dataclass(frozen=True)
class Sources:
    """Where the list of videos comes from.

    Attributes:
        paths: Manifest files, folders, or ``-``; empty to use the workspace's own manifest.
        format: Forced format, or ``None`` to recognise it.
        opt_out: Files with ids that must not be used.
        unstated: Values for videos about which the list is silent.
    """

    paths: tuple[str, ...] = ()
    format: Format | None = None
    opt_out: tuple[Path, ...] = ()
    unstated: Unstated | None = None


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
    layers = [config.load_given(config_file)] if config_file is not None else []
    # Read and checked before anything is written: a mistake leaves no half-made workspace behind.
    config.resolve("options", *layers, given or {})
    unopened = Workspace(Path(os.path.abspath(root)))
    unopened.check_kinds()
    exclusions = read_exclusions(unopened, sources.opt_out if sources else ())
    report = _read_sources(sources, Workspace(root))
    workspace = Workspace.open(root, create=create, write=write)
    resolved = config.resolve(
        str(workspace.config_path), workspace.stored_options(*layers, given or {}), *layers, given or {}
    )
    stored = _stored(workspace, replaced=report is not None)
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
    workspace = session.workspace
    refuse_purged(session)
    with workspace.storing():
        workspace.store_options(session.config)
        remember_opt_outs(workspace, session.exclusions.given)
        if session.report is not None:
            store_manifest(workspace, session.pipeline.videos)
        elif not _is_stored_twice(workspace) and (stored := stored_manifest(workspace)) is not None:
            store_manifest(workspace, stored)


def refuse_purged(session: Session) -> None:
    """Go no further if a purge came between the opening of a session and the taking of its lock.

    Raises:
        CurateError: A video was purged since the session was opened.
    """
    purged = read_purged(session.workspace)
    if gone := [video.id for video in session.pipeline.videos if purged.covers(video)]:
        raise CurateError(f"{', '.join(gone[:3])} was purged in the meantime: run the same command again")


def store_manifest(workspace: Workspace, videos: Sequence[Video]) -> None:
    """Write ``manifest.parquet`` and its copy, if they would change."""
    from curate.manifests import write_manifest

    temporary = temporary_beside(workspace.manifest_path)
    try:
        write_manifest(videos, temporary)
        data = temporary.read_bytes()
    finally:
        temporary.unlink(missing_ok=True)
    for path in (workspace.manifest_path, workspace.manifest_copy_path):
        write_changed(path, data)


def stored_manifest(workspace: Workspace) -> list[Video] | None:
    """The videos of ``manifest.parquet``, or of its copy where it is damaged; ``None`` if there is neither.

    Raises:
        CurateError: What there is of both is damaged.
    """
    why: str | CurateError = f"{workspace.manifest_path} is missing"
    for path in (workspace.manifest_path, workspace.manifest_copy_path):
        if not path.exists():
            continue
        try:
            videos = read_manifest(path)
        except CurateError as error:
            why = why if isinstance(why, CurateError) else error
            continue
        if path != workspace.manifest_path:
            log.warning("%s; its copy is used, and takes its place with the next run", why)
        return videos
    if isinstance(why, CurateError):
        raise why
    return None


def _stored(workspace: Workspace, *, replaced: bool) -> list[Video] | None:
    """The stored manifest; one that will be ``replaced`` may as well be damaged."""
    try:
        return stored_manifest(workspace)
    except CurateError as error:
        if not replaced:
            raise CurateError(f"{error}: give the list anew with 'curate run SOURCE'") from error
        log.warning("%s: it is written anew", error)
        return None


def _is_stored_twice(workspace: Workspace) -> bool:
    """Whether manifest and copy are there and the same."""
    try:
        return workspace.manifest_path.read_bytes() == workspace.manifest_copy_path.read_bytes()
    except OSError:
        return False


def _read_sources(sources: Sources | None, workspace: Workspace) -> ManifestReport | None:
    if sources is None or not sources.paths:
        if sources is not None and sources.unstated not in (None, Unstated()):
            raise CurateError("corpus, licence and public are given for the videos of a list: name the SOURCE too")
        return None
    from curate.manifests import read_sources

    own = tuple(path for path in (workspace.opt_out_path, workspace.purged_path) if path.exists())
    report = read_sources(
        sources.paths, format=sources.format, opt_out=(*sources.opt_out, *own), unstated=sources.unstated
    )
    if not report.videos:
        raise CurateError(
            f"no usable video in {', '.join(sources.paths)}: 'curate manifest check' says what is wrong with each row"
        )
    return report


def run_stages(
    session: Session,
    stages: Sequence[str],
    observe: Callable[[StageTask, StageAnswer], None],
    *,
    shard: tuple[int, int] = (0, 1),
    expect: Callable[[Mapping[str, int]], None] | None = None,
) -> None:
    """Do all that is pending in ``stages``, with the engine of the options.

    Args:
        session: The open workspace; the caller holds nothing, this takes the lock.
        stages: Stage names.
        observe: Told of every answer.
        shard: ``(i, n)``, from 0: only videos whose id falls into that part.
        expect: Told, before anything is done, how many videos will reach each stage if none is dropped on the way.

    Raises:
        CurateError: Another run is at work, the engine does not answer, or a stage cannot be set up.
    """
    with session.workspace.lock(shard) as lock, _terminate_as_interrupt():
        engine = make_engine(session.config.engine, session.workspace.root, lock=lock)
        forget_left(session.workspace.root)
        session.pipeline.refresh()
        session.pipeline.check(stages)  # options that cannot be used are not stored
        store(session)
        with logged(
            session.workspace, session.config, "stages", stages=stages, shard=shard, videos=len(session.pipeline.videos)
        ) as run:
            tally = StageTally(run)
            if "trim" in stages:
                _warn_of_decisions_about_others(session)

            def note(task: StageTask, answer: StageAnswer) -> None:
                tally(task, answer)
                observe(task, answer)

            try:
                session.pipeline.run(stages, shard, engine, note, expect)
            finally:
                tally.close()


def _warn_of_decisions_about_others(session: Session) -> None:
    """Name the lines of ``trim.decisions`` that decide about no video of the manifest: a slip of the pen, perhaps."""
    path = session.config.trim.decisions
    others = read_decisions(path).about_others({video.id for video in session.pipeline.videos}) if path else []
    for line in others[:_NAMED]:
        log.warning("%s is no video of the manifest, so the decision changes nothing", line)
    if len(others) > _NAMED:
        log.warning("and %d more decisions about videos that are not in the manifest", len(others) - _NAMED)


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM (job schedulers, ``timeout``) and SIGHUP (a closed terminal) end a run as cleanly as Ctrl-C does.

    A signal that this process was started to ignore, as ``nohup`` does with SIGHUP, stays ignored.
    """

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere the caller handles signals
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_export(
    session: Session,
    progress: Callable[[str, int], None] | None = None,
    *,
    partial: bool = False,
    crew: Crew | None = None,
) -> ExportSummary:
    """Write the shards of all complete videos.

    Args:
        session: The open workspace.
        progress: Called as ``progress(format, frames)``.
        partial: Whether an export may lose videos that are not complete now; else it is kept as it is.
        crew: Writes the shards; workers of the engine of the options if not given.

    Raises:
        DamagedArtefact: A file is not the one that its stage left. Then all files of all these videos have been read,
            and every stage with a damaged one is pending again; an export that was there is as it was.
        CurateError: There is no complete video, or another run is at work.
    """
    from curate.exports import ExportSummary, export_dataset
    from curate.exports.plan.plan import NothingToExport
    from curate.run.export_work import EngineCrew
    from curate.run.shrink import lost_videos

    pipeline = session.pipeline
    with session.workspace.lock() as lock, _terminate_as_interrupt():
        pipeline.refresh()
        videos = pipeline.complete()
        if not videos:
            raise CurateError(
                f"no video of {session.workspace.root} is complete, so there is nothing to export: see 'curate status'"
            )
        about = about_workspace(pipeline)
        store(session)
        folder = session.workspace.exports_folder
        folder.mkdir(exist_ok=True)
        formats = dict.fromkeys(session.config.export.formats)
        lost = {} if partial else {n: lost_videos(folder / n, pipeline, session.exclusions) for n in formats}
        if kept := {name: videos for name, videos in lost.items() if videos}:
            formats = dict.fromkeys(name for name in formats if name not in kept)
        if kept and not formats:
            return ExportSummary((), kept=kept)
        with logged(
            session.workspace, session.config, "export", formats=list(formats), videos=len(videos), kept=list(kept)
        ) as run:
            try:
                repeats = repeats_for_export(pipeline, videos)
                placed = place_videos(pipeline, videos, session.config.export)
                remember(session.workspace, placed, session.config.export)
                classes = numbered_classes(session.workspace, pipeline.videos)
                write_classes(corpus_folder(session.workspace), classes)
                summary = export_dataset(
                    [export_entry(pipeline, video, placed, repeats) for video in videos],
                    dataclasses.replace(session.config.export, formats=tuple(formats)),
                    folder,
                    context=export_context(pipeline),
                    progress=progress,
                    may_shrink=partial,
                    about=about,
                    crew=crew
                    or EngineCrew(lambda: make_engine(session.config.engine, session.workspace.root, lock=lock)),
                    classes=classes,
                )
            except DamagedArtefact:
                pipeline.send_back_damaged(videos)
                raise
            except NothingToExport as empty:
                pipeline.send_back_unsealed(video for video in videos if video.id in empty.left_out)
                raise
            for made in summary.formats:
                run.add(
                    "format",
                    format=made.name,
                    written=made.written,
                    videos=made.videos,
                    frames=made.frames,
                    left_out=made.left_out,
                    shards=dataclasses.asdict(made.shards),
                )
        left_out = {video for made in summary.formats for video in made.left_out}
        left_out.update(video for lost_now in summary.kept.values() for video in lost_now)
        pipeline.send_back_unsealed(video for video in videos if video.id in left_out)
        stale = tuple(path for path in summary.stale if path.name not in kept)
        return dataclasses.replace(summary, stale=stale, kept={**kept, **summary.kept})


def plan_export(session: Session) -> Plan:
    """What an export of the complete videos would hold, but for frames that its crop leaves too small.

    Raises:
        CurateError: There is no complete video, or splits cannot be told.
        DamagedArtefact: A file is not the one that its stage left.
    """
    from curate.exports.plan.plan import make_plan

    pipeline, options = session.pipeline, session.config.export
    videos = pipeline.complete()
    if not videos:
        raise CurateError(f"no video of {session.workspace.root} is complete: see 'curate status'")
    placed = place_videos(pipeline, videos, options)
    repeats = find_repeats(pipeline, videos) if pipeline.config.dedup.enabled else Repeats()
    return make_plan([export_entry(pipeline, video, placed, repeats) for video in videos], options, {})


def place_videos(pipeline: Pipeline, videos: Sequence[Video], options: ExportOptions) -> Placed:
    """Give videos of a workspace their splits; those that are copies of one another by its table stay together.

    Raises:
        CurateError: A list, the record or the table cannot be read, or the fractions add up to more than 1.
    """
    known = {video.id: video for video in videos}
    groups = groups_of(table_path(pipeline.workspace), pipeline.config.dedup, known)
    described = [pipeline.described(video) for video in videos]
    return place(pipeline.workspace, described, options, [group.members for group in groups])


def export_entry(pipeline: Pipeline, video: Video, placed: Placed, repeats: Repeats) -> ExportEntry:
    """What an export is told of a finished video that has a split or is put aside."""
    from curate.exports import ExportEntry

    seals = pipeline.seals(video, _EXPORTED)
    return ExportEntry(
        video=dataclasses.replace(pipeline.described(video), split=placed.splits.of.get(video.id, "")),
        aside=placed.splits.aside.get(video.id, "") or repeats.aside(video.id),
        repeats=repeats.spans.get(video.id, ()),
        frames=pipeline.artefact(video, "sample"),
        verdicts=pipeline.artefact(video, "trim"),
        regions=pipeline.artefact(video, "mask"),
        fields=pipeline.made(video, "field"),
        audit=pipeline.made(video, "audit"),
        source_meta=pipeline.source_metadata(video),
        source_file=pipeline.source_file(video),
        sealed=SealedFiles(
            video.id,
            {path: (stage, seal) for stage, known in seals.items() for path, seal in known.items()},
        ),
        made_by=_made_by(pipeline, video, seals),
        decisions=tuple(decision.to_json() for decision in pipeline.decisions(video)),
    )


def _made_by(pipeline: Pipeline, video: Video, seals: Mapping[str, Mapping[Path, Seal]]) -> dict[Path, str]:
    """Fingerprints of what files without seals were made with, by file: nothing else tells them from others."""
    if all(seals.values()):
        return {}
    return {
        path: fingerprint
        for stage, fingerprint in pipeline.fingerprints(video).items()
        if seals.get(stage) == {} and (path := pipeline.made(video, stage)) is not None
    }


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
