"""A recipe: one TOML file that says everything about a corpus."""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from curate import config
from curate.config import CardOptions, DedupOptions, ExportOptions, option, option_fields
from curate.corpus.balance import Balance, Level, balance_from
from curate.corpus.lists import published
from curate.errors import CurateError
from curate.files.bounded import parse_toml, read_bounded
from curate.files.digest import digest
from curate.files.toml_lines import toml_lines
from curate.manifests.procedures import shipped_taxonomy
from curate.records import DOMAINS
from curate.resources import labels_folder

LARGEST = 1_000_000
"""Bytes of a recipe, at most."""

KINDS = ("workspace", "frames", "videos")
"""What a source can be."""

_SPLIT_OPTIONS = ("val_fraction", "test_fraction", "split_seed", "split_by", "stratify", "leaks", "splits")
_BALANCE_OPTIONS = ("balance_alpha", "balance_by", "balance_frames")


@dataclass(frozen=True)
class About:
    """The table ``[recipe]``: what is said of the corpus."""

    name: str = option("", "Name of the corpus: letters, digits, '.', '_' and '-'.")
    description: str = option("", "What it is.")
    sources: tuple[str, ...] = option((), "Where its facts come from.")


@dataclass(frozen=True)
class FilterOptions:
    """Which videos are taken: those that fit every option that is given."""

    procedures: tuple[str, ...] = option((), "Show one of these procedures.")
    without_procedures: tuple[str, ...] = option((), "Show none of these procedures.")
    domains: tuple[str, ...] = option((), "Are of one of these domains.")
    robotic: bool | None = option(None, "Robotic or not; those of which it is not known do not fit.")
    public: bool | None = option(None, "Public or not; those of which it is not known do not fit.")
    licences: tuple[str, ...] = option((), "Have one of these licences.")
    corpora: tuple[str, ...] = option((), "Are of one of these source corpora.")
    min_width: int = option(0, "Frames have at least so many columns.", low=0)
    min_height: int = option(0, "Frames have at least so many rows.", low=0)
    min_frames: int = option(1, "Have at least so many frames that an export takes.", low=1)


@dataclass(frozen=True)
class SplitOptions:
    """The table ``[splits]``; see the options of the export."""

    val: float = option(0.0, "Share of the videos without a split of their own for val.", low=0, high=1)
    test: float = option(0.0, "Share of the videos without a split of their own for test.", low=0, high=1)
    seed: int = option(0, "Another number draws other splits.")
    by: tuple[Literal["duplicate", "case", "channel"], ...] = option(
        ("duplicate", "case", "channel"), "What keeps videos in one split."
    )
    stratify: bool = option(False, "Meet the shares within each procedure.")
    leaks: Literal["aside", "keep"] = option("aside", "What becomes of lists that leak.")
    record: Path | None = option(None, "A record of earlier draws, such as of the corpus that this one grows out of.")


@dataclass(frozen=True)
class BalanceOptions:
    """The table ``[balance]``: of the training split."""

    how: Literal["none", "weights", "selection", "mix"] = option(
        "none",
        "weights: sampling weights; selection: fewer frames; mix: an export for each source corpus, with its "
        "probability; none: weights as the export has them.",
    )
    by: tuple[Level, ...] = option(("procedure",), "Levels from the top down: corpus, procedure, video.")
    alpha: float = option(0.5, "Without frames: groups in proportion to n^alpha.", low=0, high=1)
    frames: int = option(0, "Frames in all that the hierarchical cap allows; 0 is alpha.", low=0)
    fraction: float = option(1.0, "Share of each video's frames, before caps.", low=0, high=1)
    cap_corpus: int = option(0, "Most frames of a source corpus; 0 is no cap.", low=0)
    cap_procedure: int = option(0, "Most frames of a procedure; 0 is no cap.", low=0)
    cap_video: int = option(0, "Most frames of a video; 0 is no cap.", low=0)


@dataclass(frozen=True)
class DuplicateOptions(DedupOptions):
    """The table ``[dedup]``: what becomes of copies, by the tables of matches that there are."""

    enabled: bool = option(True, "Leave out what another video shows.")
    compare: bool = option(
        True, "Compare the videos of all sources; without, by the tables of matches of their workspaces only."
    )
    matches: tuple[Path, ...] = option((), "Further tables of matches, beside those of the workspaces.")


@dataclass(frozen=True)
class SourceOptions:
    """A table ``[[source]]``: where videos come from, and what is said of those that are silent."""

    name: str = option("", "Name of the source corpus; stands in the tables, and before the ids of foreign videos.")
    workspace: Path | None = option(None, "A workspace of curate.")
    frames: Path | None = option(None, "A folder of pictures: a folder a video, or names that tell the video.")
    videos: Path | None = option(None, "A folder or list of videos; they are processed in a workspace of the corpus.")
    licence: str = option("", "Licence of the videos that state none. Required.")
    procedures: tuple[str, ...] = option((), "Procedures of the videos that name none.")
    domain: str = option("", "Domain of the videos that state none.")
    robotic: bool | None = option(None, "Whether a robot was used, where a video does not say.")
    public: bool | None = option(None, "Whether the videos are public, where one does not say.")
    case: Literal["none", "video"] = option("none", "video: each video without a case is a case of its own.")
    rate: float = option(1.0, "For frames: how many numbers of the names are a second.", low=0.001)
    pattern: str = option("", "For frames: regular expression on the path below the folder; group 1 is the video.")
    splits: str = option("", "A list of splits of these videos, or the name of a published one.")


@dataclass(frozen=True)
class Source:
    """One source of a recipe.

    Attributes:
        options: What the table says.
        filter: Of this source; that of the recipe holds too.
        process: For videos: tables of options as in ``curate.toml``.
        where: ``file:line`` of the table.
    """

    options: SourceOptions
    filter: FilterOptions
    process: Mapping[str, Mapping[str, Any]]
    where: str

    @property
    def name(self) -> str:
        """Name of the source corpus."""
        return self.options.name

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return next(kind for kind in KINDS if getattr(self.options, kind) is not None)

    @property
    def path(self) -> Path:
        """Where it is."""
        found: Path = getattr(self.options, self.kind)
        return found

    def resolved(self) -> dict[str, Any]:
        """Its part of `Recipe.resolved`."""
        told = {"filter": _plain(self.filter), "options": {name: dict(table) for name, table in self.process.items()}}
        return {**_plain(self.options), "splits": Path(self.options.splits).name, **told}


@dataclass(frozen=True)
class Recipe:
    """A whole recipe.

    Attributes:
        path: The file.
        text: Its bytes.
        about: What is said of the corpus.
        sources: In the order of the file, which is also that of preference among the same videos.
        filter: Of all sources.
        dedup: What becomes of copies.
        splits: Shares and rules.
        balance: Of the training split.
        export: Formats, and what goes into them, with the options of splits and balance in it.
        card: What the cards of the exports say; name and description are those of the recipe if it gives no others.
    """

    path: Path
    text: bytes
    about: About
    sources: tuple[Source, ...]
    filter: FilterOptions = field(default_factory=FilterOptions)
    dedup: DuplicateOptions = field(default_factory=DuplicateOptions)
    splits: SplitOptions = field(default_factory=SplitOptions)
    balance: BalanceOptions = field(default_factory=BalanceOptions)
    export: ExportOptions = field(default_factory=ExportOptions)
    card: CardOptions = field(default_factory=CardOptions)

    @property
    def compares(self) -> bool:
        """Whether videos are compared, which is of no use if nothing is left out and no split is drawn."""
        draws = "duplicate" in self.splits.by and bool(self.splits.val or self.splits.test)
        return self.dedup.compare and (self.dedup.enabled or draws)

    def tree(self) -> Balance:
        """How the training split is balanced."""
        how = self.balance
        caps = {"corpus": how.cap_corpus, "procedure": how.cap_procedure, "video": how.cap_video}
        found = balance_from(how.by, how.alpha, how.frames, caps, where=f"{self.path}: balance.by")
        return dataclasses.replace(found, fraction=how.fraction)

    def resolved(self) -> dict[str, Any]:
        """Every option with its value, as JSON; of paths only the last part, which no other machine needs."""
        return {
            "recipe": _plain(self.about),
            "source": [source.resolved() for source in self.sources],
            "filter": _plain(self.filter),
            "dedup": _plain(self.dedup),
            "splits": _plain(self.splits),
            "balance": _plain(self.balance),
            "export": _plain(self.export),
            "card": _plain(self.card),
        }

    def digest(self) -> str:
        """Fingerprint of the resolved form, but for the cards: they say nothing about what the corpus is."""
        return digest({name: told for name, told in self.resolved().items() if name != "card"})


def presets() -> dict[str, Path]:
    """Recipes that ship with curate, by name."""
    return {path.stem: path for path in sorted((labels_folder() / "recipes").glob("*.toml"))}


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Paths in it are relative to its folder.

    Raises:
        CurateError: It cannot be read, a name is unknown, a value does not fit, or a licence is missing; with file and
            line.
    """
    if not path.exists() and path.name in presets():
        raise CurateError(
            f"{path.name} is a preset: 'curate corpus recipes {path.name} > {path.name}.toml', then edit it"
        )
    try:
        text = read_bounded(path, LARGEST)
        data = parse_toml(text)
    except OSError as error:
        raise CurateError(f"cannot read the recipe {path}: {error.strerror}") from error
    except ValueError as error:
        raise CurateError(f"the recipe {path} {error}") from error
    return _Reader(path, text, data).recipe()


class _Reader:
    """Turns the tables of one recipe into options, with the line of whatever is wrong."""

    def __init__(self, path: Path, text: bytes, data: Mapping[str, Any]) -> None:
        self._path = path
        self._text = text
        self._data = data
        self._lines = toml_lines(text.decode("utf-8", "replace"))

    def recipe(self) -> Recipe:
        known = ("recipe", "source", "filter", "dedup", "splits", "balance", "export", "card")
        for name in self._data:
            self._known(name, known, (), "recipe's table")
        about = self._table(About, ("recipe",))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", about.name):
            raise self._error(("recipe", "name"), "recipe.name: name the corpus: letters, digits, '.', '_' and '-'")
        sources = self._sources()
        splits = self._table(SplitOptions, ("splits",))
        balance = self._table(BalanceOptions, ("balance",))
        recipe = Recipe(
            path=self._path,
            text=self._text,
            about=about,
            sources=sources,
            filter=self._filter(("filter",)),
            dedup=self._table(DuplicateOptions, ("dedup",)),
            splits=dataclasses.replace(splits, record=self._beside(splits.record)),
            balance=balance,
            export=self._export(splits, balance),
            card=self._card(about),
        )
        self._check_balance(balance)
        try:
            recipe.tree()
        except CurateError as error:
            raise self._error(("balance", "by"), str(error).removeprefix(f"{self._path}: ")) from error
        matches = tuple(found for one in recipe.dedup.matches if (found := self._beside(one)) is not None)
        return dataclasses.replace(recipe, dedup=dataclasses.replace(recipe.dedup, matches=matches))

    def _check_balance(self, balance: BalanceOptions) -> None:
        """Refuse options of a balance that would have no effect."""
        given = self._data.get("balance", {})
        silent = {"weights": ("fraction", "cap_corpus", "cap_procedure", "cap_video"), "mix": ("fraction",)}
        for name in given:
            if balance.how == "none" and name != "how":
                raise self._error(("balance", name), f"balance.{name} says nothing without balance.how")
            if name in silent.get(balance.how, ()):
                raise self._error(("balance", name), f"balance.{name} says nothing to {balance.how}; see selection")
        if balance.how == "mix" and balance.by[:1] != ("corpus",):
            raise self._error(("balance", "by"), "a mix is of source corpora: begin balance.by with corpus")

    def _sources(self) -> tuple[Source, ...]:
        tables = self._data.get("source", [])
        if not isinstance(tables, list) or not tables:
            raise self._error(("source",), "a recipe needs at least one [[source]]")
        found: list[Source] = []
        for i, table in enumerate(tables):
            found.append(self._source(i, table))
            if found[-1].name in [source.name for source in found[:-1]]:
                raise self._error(("source", i, "name"), f"there are two sources named {found[-1].name!r}")
        return tuple(found)

    def _source(self, i: int, table: Any) -> Source:
        place = ("source", i)
        plain = {name: value for name, value in table.items() if name not in ("filter", "options")}
        options: SourceOptions = self._table(SourceOptions, place, plain, more=("filter", "options"))
        kinds = [kind for kind in KINDS if getattr(options, kind) is not None]
        if len(kinds) != 1:
            raise self._error(
                place, f"a source is one of {', '.join(KINDS)}; this one names {' and '.join(kinds) or 'none'}"
            )
        if (
            not all(c.isascii() and (c.isalnum() or c in "_-") for c in options.name)
            or not 1 <= len(options.name) <= 32
        ):
            raise self._error((*place, "name"), "name the source: up to 32 letters, digits, '_' and '-'")
        if not options.licence.strip():
            raise self._error(
                place, f"source {options.name!r} has no licence: state under which terms you have these videos"
            )
        for name in ("rate", "pattern"):
            if name in table and kinds != ["frames"]:
                raise self._error((*place, name), f"{name} is for sources of frames")
        if "options" in table and kinds != ["videos"]:
            raise self._error((*place, "options"), "options are for sources of videos")
        if options.domain and options.domain not in DOMAINS:
            raise self._error((*place, "domain"), _unknown(options.domain, DOMAINS, "domain"))
        placed: dict[str, Any] = {kind: self._beside(getattr(options, kind)) for kind in KINDS}
        if options.splits and published(options.splits) is None:
            placed["splits"] = str(self._beside(Path(options.splits)))
        try:
            process = config.of_workspace(table.get("options", {}), (), self._where((*place, "options")))
            config.resolve("options", process)
        except (AttributeError, TypeError) as error:
            raise self._error((*place, "options"), f"options are tables as in curate.toml: {error}") from error
        except CurateError as error:
            where = self._where((*place, "options"))
            raise CurateError(f"{where}: {str(error).removeprefix(f'{where}: ')}") from error
        placed["procedures"] = self._procedures(options.procedures, (*place, "procedures"))
        return Source(
            dataclasses.replace(options, **placed),
            self._filter((*place, "filter")),
            process,
            self._where(place),
        )

    def _filter(self, place: tuple[str | int, ...]) -> FilterOptions:
        found: FilterOptions = self._table(FilterOptions, place)
        for domain in found.domains:
            self._known(domain, DOMAINS, (*place, "domains"), "domain")
        return dataclasses.replace(
            found,
            procedures=self._procedures(found.procedures, (*place, "procedures")),
            without_procedures=self._procedures(found.without_procedures, (*place, "without_procedures")),
        )

    def _procedures(self, names: Sequence[str], place: tuple[str | int, ...]) -> tuple[str, ...]:
        """Procedures under their canonical names."""
        taxonomy = shipped_taxonomy()
        found: dict[str, None] = {}
        for name in names:
            meaning = taxonomy.meaning(name)
            if not meaning.known:
                raise self._error(place, _unknown(name, sorted(taxonomy.domains), "procedure", _dotted(place[:-1])))
            found.update(dict.fromkeys(meaning.procedures))
        return tuple(found)

    def _export(self, splits: SplitOptions, balance: BalanceOptions) -> ExportOptions:
        table = self._data.get("export", {})
        for name in table if isinstance(table, Mapping) else ():
            if name in (*_SPLIT_OPTIONS, *_BALANCE_OPTIONS):
                place = "splits" if name in _SPLIT_OPTIONS else "balance"
                raise self._error(("export", name), f"export.{name} stands in the table [{place}] of a recipe")
        options: ExportOptions = self._table(ExportOptions, ("export",))
        weighs = balance.how in ("weights", "mix")
        return dataclasses.replace(
            options,
            val_fraction=splits.val,
            test_fraction=splits.test,
            split_seed=splits.seed,
            split_by=splits.by,
            stratify=splits.stratify,
            leaks=splits.leaks,
            balance_by=balance.by if weighs else options.balance_by,
            balance_alpha=balance.alpha if weighs else options.balance_alpha,
            balance_frames=balance.frames if weighs else options.balance_frames,
        )

    def _card(self, about: About) -> CardOptions:
        card: CardOptions = self._table(CardOptions, ("card",))
        given = self._data.get("card", {})
        name = card.name if "name" in given else about.name
        description = card.description if "description" in given else about.description
        return dataclasses.replace(card, name=name, description=description)

    def _table(
        self,
        kind: type,
        place: tuple[str | int, ...],
        values: Mapping[str, Any] | None = None,
        more: Sequence[str] = (),
    ) -> Any:
        """Options of a table, each checked by itself so that what is wrong has its line."""
        if values is None:
            found: Any = self._data
            for part in place:
                found = found.get(part, {}) if isinstance(part, str) else found[part]
            values = found
        if not isinstance(values, Mapping):
            raise self._error(place, f"{_dotted(place)} is a table of options, not {values!r}")
        names = [spec.name for spec, _ in option_fields(kind)]
        inner = [
            name.replace("_", "-")
            for name, hint in typing.get_type_hints(kind).items()
            if dataclasses.is_dataclass(hint)
        ]
        for name, value in values.items():
            self._known(name, (*names, *inner, *more), place, "name")
            try:
                config.build(kind, {name: value}, _dotted(place))
            except CurateError as error:
                raise self._error((*place, name), str(error)) from error
        return config.build(kind, values, _dotted(place))

    def _known(self, name: str, known: Sequence[str], place: tuple[str | int, ...], what: str) -> None:
        if name not in known:
            raise self._error((*place, name), _unknown(name, known, what, _dotted(place)))

    def _beside(self, path: Path | None) -> Path | None:
        """A path of the recipe, which is relative to its folder."""
        return None if path is None else (self._path.parent / path.expanduser()).absolute()

    def _where(self, place: tuple[str | int, ...]) -> str:
        """``file:line`` of an entry, or of the table that it would stand in."""
        while place and place not in self._lines:
            place = place[:-1]
        return f"{self._path}:{self._lines.get(place, 1)}"

    def _error(self, place: tuple[str | int, ...], text: str) -> CurateError:
        return CurateError(f"{self._where(place)}: {text}")


_FEW = 30
"""Names that an error lists where none is near."""


def _unknown(name: str, known: Sequence[str], what: str, where: str = "") -> str:
    near = difflib.get_close_matches(name, known, 1)
    inside = f" in [{where}]" if where else ""
    listed = f"; known: {', '.join(known)}" if len(known) <= _FEW else ""
    hint = f": did you mean {near[0]!r}?" if near else listed
    return f"unknown {what} {name!r}{inside}{hint}"


def _dotted(place: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in place if isinstance(part, str))


def _plain(options: Any) -> Any:
    """Options as JSON, tables in them too; of paths the last part."""
    if dataclasses.is_dataclass(options):
        return {f.name: _plain(getattr(options, f.name)) for f in dataclasses.fields(options)}
    if isinstance(options, tuple):
        return [_plain(value) for value in options]
    return options.name if isinstance(options, Path) else options
