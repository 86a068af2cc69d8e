"""Building a corpus from a recipe: composed, its frames selected, and written by the ordinary exports."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from curate.corpus.balance import frame_order
from curate.corpus.classes import class_of, number_classes, read_classes, write_classes
from curate.corpus.recipe import Recipe, Source
from curate.corpus.split_record import forget_in_records, record_path, write_record
from curate.errors import CurateError
from curate.exports import ExportEntry, ExportSummary, export_dataset
from curate.exports.cards.about import About, ListSurvivors
from curate.exports.exporter import FORMATS
from curate.exports.plan.plan import FramePolicy
from curate.files.atomic import clear, commit, temporary_beside, write_atomic
from curate.files.bounded import parse_json, read_bounded
from curate.files.csv_file import csv_text, read_csv
from curate.run.compose import Composition, Member, Unreadable, compose
from curate.run.mixing import MIXING, part_name, write_mixing
from curate.run.session import Sources, open_session, run_stages
from curate.version import __version__
from curate.workspace.locks import hold_shard
from curate.workspace.seals import Seal, SealedFiles
from curate.workspace.tables.verdicts import read_verdicts, write_verdicts

if TYPE_CHECKING:
    from curate.run.stage_work import StageAnswer, StageTask

RECIPE, RESOLVED, COMPOSITION, UNREADABLE = "recipe.toml", "recipe.json", "composition.csv", "unreadable.csv"
"""Files in the folder of a corpus: the recipe as it was written, what it resolves to, every video, bad pictures."""

_LARGEST = 64_000_000
"""Bytes of `RESOLVED`, at most."""

_OURS = frozenset(
    {RECIPE, RESOLVED, COMPOSITION, UNREADABLE, "corpus", "imported", "selected", "signatures", "workspaces", "exports"}
)


@dataclass(frozen=True)
class Built:
    """What a build did.

    Attributes:
        composition: Who is in, and who is not.
        exports: What was written, by the folder in ``exports``; that has no name unless the sources are mixed.
        gone: Ids that the former build in this folder had and this one has not.
        leftovers: Folders among the exports that are of a former recipe.
    """

    composition: Composition
    exports: Mapping[str, ExportSummary]
    gone: tuple[str, ...]
    leftovers: tuple[Path, ...]


def build(
    recipe: Recipe,
    out: Path,
    *,
    before: Callable[[Composition], None] = lambda composition: None,
    observe: Callable[[StageTask, StageAnswer], None] = lambda task, answer: None,
    progress: Callable[[str, int], None] | None = None,
) -> Built:
    """Build a corpus; the same recipe over the same sources gives the same bytes.

    Args:
        recipe: The recipe.
        out: Folder of the corpus: new, empty, or of a former build.
        before: Told of the composition before anything of the exports is written.
        observe: Told of every answer of the stages, for sources of videos.
        progress: Called as ``progress(format, frames)``.

    Raises:
        CurateError: A source cannot be used, nothing is left, or another build is at work there. What was exported
            before stays as it was.
    """
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    with hold_shard(out, (0, 1)):
        for source in recipe.sources:
            if source.kind == "videos":
                _process(source, out, observe)
        composition = compose(recipe, out, write=True)
        if not composition.entries:
            raise CurateError(
                f"{recipe.path}: no video is left for the corpus; 'curate corpus plan' says what becomes of each"
            )
        before(composition)
        _forget(composition, recipe, out)
        former = {member.id for member in read_composition(out) if member.outcome == "in"}
        entries = _selected(composition, recipe, out)
        if recipe.splits.val or recipe.splits.test:
            write_record(record_path(out / "corpus", recipe.export), composition.splits.record, recipe.export)
        (out / "exports").mkdir(exist_ok=True)
        context = {"curate": __version__, "recipe": recipe.about.name, "recipe.digest": recipe.digest()}
        context |= composition.context
        classes = number_classes(read_classes(out / "corpus"), {class_of(entry.video) for entry in entries})
        write_classes(out / "corpus", classes)
        about = _about(recipe, composition)
        exports = {
            name: export_dataset(
                own,
                recipe.export,
                out / "exports" / name,
                context=context,
                progress=progress,
                classes=classes,
                about=about,
            )
            for name, own in _parts(entries, recipe).items()
        }
        if recipe.balance.how == "mix":
            write_mixing(composition.train, recipe.tree(), recipe.export.formats, out / "exports" / MIXING)
        else:
            (out / "exports" / MIXING).unlink(missing_ok=True)
        _write_account(recipe, composition, out)
    now = {member.id for member in composition.members if member.outcome == "in"}
    return Built(composition, exports, tuple(sorted(former - now)), _leftovers(out / "exports", exports.keys()))


def _about(recipe: Recipe, composition: Composition) -> About:
    """What the cards of the exports say of the corpus, and what became of the videos of each source."""
    lists: dict[str, dict[str, int]] = {}
    for (source, outcome), count in sorted(composition.funnel().items()):
        lists.setdefault(source, {})[outcome] = count
    survivors = tuple(
        ListSurvivors(
            source,
            sum(counts.values()),
            {"in the corpus": counts.get("in", 0)},
            {f"composition: {outcome}": count for outcome, count in counts.items() if outcome != "in"},
        )
        for source, counts in lists.items()
    )
    return About(recipe.card, survivors)


def _leftovers(folder: Path, parts: Collection[str]) -> tuple[Path, ...]:
    """Folders that belong neither to a format nor to a part of a mix."""
    ours = set(FORMATS) if "" in parts else set(parts)
    names = (path.name for path in sorted(folder.iterdir()) if path.is_dir())
    return tuple(folder / name for name in names if name not in ours and not name.startswith("."))


def _forget(composition: Composition, recipe: Recipe, out: Path) -> None:
    """Remove what earlier builds left of videos that are not among the sources any more, or must not be kept."""
    forget_in_records(out / "corpus", composition.forbidden)
    known = {member.id for member in composition.members} - composition.forbidden
    selected = {m.id for m in composition.members if m.outcome == "in" and m.selected < m.frames}
    sources = [source.name for source in recipe.sources if source.kind == "frames"]
    for folder in sorted((out / "imported").iterdir()) if (out / "imported").is_dir() else ():
        if folder.name not in sources:
            clear(folder)
    kept = [(out / "imported" / name, known) for name in sources]
    for folder, wanted in (*kept, (out / "signatures", known), (out / "selected", selected)):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.removeprefix(".").partition(".")[0] not in wanted:
                clear(path)


def _parts(entries: Sequence[ExportEntry], recipe: Recipe) -> dict[str, list[ExportEntry]]:
    """Entries of each export, by the name of its folder; one without a name unless the sources are mixed."""
    parts: dict[str, list[ExportEntry]] = {}
    for entry in entries:
        name = part_name(entry.video.corpus) if recipe.balance.how == "mix" else ""
        parts.setdefault(name, []).append(entry)
    return dict(sorted(parts.items()))


def read_composition(out: Path) -> list[Member]:
    """The composition of a former build; empty if there is none.

    Raises:
        CurateError: It cannot be read.
    """
    path = out / COMPOSITION
    if not path.exists():
        return []
    try:
        return [_member(row) for _, row in read_csv(path, Member._fields, "composition")]
    except ValueError as error:
        raise CurateError(f"the composition {path} cannot be read: {error}") from error


def _member(row: Mapping[str, str]) -> Member:
    texts = {name: row[name] for name in ("id", "corpus", "source", "outcome", "why", "split", "procedures", "licence")}
    return Member(frames=int(row["frames"]), selected=int(row["selected"]), seconds=float(row["seconds"]), **texts)


def read_resolved(out: Path) -> dict[str, Any]:
    """What the recipe of a former build resolved to.

    Raises:
        CurateError: There is none, or it cannot be read.
    """
    path = out / RESOLVED
    try:
        resolved = parse_json(read_bounded(path, _LARGEST))["resolved"]
    except OSError as error:
        raise CurateError(f"{out} is no corpus that was built: cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CurateError(f"{path} cannot be read: {error}") from error
    if not isinstance(resolved, dict):
        raise CurateError(f"{path} holds no resolved recipe")
    return resolved


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise CurateError(f"{out} is a file, not a folder")
    strange = (
        [p.name for p in sorted(out.iterdir()) if p.name not in _OURS and not p.name.startswith(".")]
        if out.is_dir()
        else []
    )
    if strange:
        raise CurateError(f"{out} holds {strange[0]!r}, which is not of a corpus: name a new or empty folder")
    for name in _OURS:
        if (out / name).is_symlink():
            raise CurateError(f"{out / name} is a link: curate writes through none; take it away")


def _process(source: Source, out: Path, observe: Callable[[StageTask, StageAnswer], None]) -> None:
    """Run all stages over a source of videos, in a workspace of the corpus."""
    root = out / "workspaces" / source.name
    root.parent.mkdir(exist_ok=True)
    try:
        session = open_session(root, given=source.process, sources=Sources((str(source.path),)), create=True)
        run_stages(session, list(session.pipeline.specs), observe)
    except CurateError as error:
        raise CurateError(f"{source.where}: source {source.name}: {error}") from error


def _selected(composition: Composition, recipe: Recipe, out: Path) -> list[ExportEntry]:
    """Entries with the verdicts of the frames that are selected of each."""
    wanted = {m.id: m for m in composition.members if m.outcome == "in"}
    folder = out / "selected"
    policy = FramePolicy.of(recipe.export)
    entries = []
    for entry in composition.entries:
        member = wanted[entry.video.id]
        if member.selected >= member.frames:
            entries.append(entry)
            continue
        folder.mkdir(exist_ok=True)
        path = folder / f"{entry.video.id}.verdicts.parquet"
        _write_selected(entry, policy, member.selected, path)
        entries.append(_with_verdicts(entry, path))
    return entries


def _write_selected(entry: ExportEntry, policy: FramePolicy, count: int, path: Path) -> None:
    """Verdicts under which an export takes the first ``count`` frames by `frame_order` of those that it would take."""
    rows = list(read_verdicts(entry.verdicts))
    taken = [i for i, row in enumerate(rows) if policy.takes(row.verdict, row.kept, private=False)]
    chosen = {taken[place] for place in sorted(range(len(taken)), key=frame_order)[:count]}
    out_of = set(taken) - chosen
    temporary = temporary_beside(path)
    try:
        write_verdicts(
            temporary,
            np.array([row.n for row in rows], np.int32),
            np.array([row.timestamp for row in rows], np.float64),
            np.array([row.p_surgical for row in rows], np.float32),
            np.array([row.verdict for row in rows]),
            np.array([row.kept and i not in out_of for i, row in enumerate(rows)], np.bool_),
            np.array(["balance" if i in out_of else "" for i in range(len(rows))]),
            {"threshold": "0.5", "made_by": "curate corpus build"},
        )
        commit({temporary: path})
    finally:
        temporary.unlink(missing_ok=True)


def _with_verdicts(entry: ExportEntry, path: Path) -> ExportEntry:
    others = (entry.frames, entry.regions, entry.fields, entry.audit, entry.source_file)
    files = {p: ("curate corpus build", seal) for p in others if p and (seal := entry.sealed.seal(p))}
    files[path] = ("curate corpus build", Seal.of(path))
    return dataclasses.replace(entry, verdicts=path, sealed=SealedFiles(entry.video.id, files))


def _write_account(recipe: Recipe, composition: Composition, out: Path) -> None:
    """Write what the corpus is made of, after its exports."""
    write_atomic(out / COMPOSITION, csv_text(Member._fields, composition.members).encode("utf-8", "surrogateescape"))
    if composition.unreadable or (out / UNREADABLE).exists():
        text = csv_text(Unreadable._fields, composition.unreadable)
        write_atomic(out / UNREADABLE, text.encode("utf-8", "surrogateescape"))
    write_atomic(out / RECIPE, recipe.text)
    funnel: dict[str, dict[str, int]] = {}
    for (source, outcome), count in sorted(composition.funnel().items()):
        funnel.setdefault(source, {})[outcome] = count
    told = {
        "name": recipe.about.name,
        "digest": recipe.digest(),
        "curate": __version__,
        "made_with": dict(composition.context),
        "funnel": funnel,
        "notes": list(composition.notes),
        "resolved": recipe.resolved(),
    }
    write_atomic(out / RESOLVED, (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
