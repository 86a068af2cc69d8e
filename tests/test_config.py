from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.config import (
    MOVED,
    ClipsOptions,
    Config,
    ExportOptions,
    VideoOptions,
    build,
    fingerprint_fields,
    format_fields,
    load_toml,
    option,
    option_fields,
    option_tables,
    resolve,
    to_toml,
)
from curate.errors import CurateError


def test_every_option_has_help_and_a_default_that_its_own_checks_accept() -> None:
    for table in option_tables():
        values = {}
        for spec, _ in option_fields(table.kind):
            assert spec.metadata["help"].endswith("."), f"{table.name}.{spec.name}"
            values[spec.name] = spec.default
        assert build(table.kind, values, table.name) == table.kind()


def test_defaults_survive_toml(tmp_path: Path) -> None:
    path = tmp_path / "curate.toml"
    path.write_text(to_toml(Config(), workspace_version=1))
    assert resolve("test", load_toml(path)) == Config()


def test_options_of_a_format_stand_in_its_table_with_their_help(tmp_path: Path) -> None:
    mine = resolve("x", {"export": {"video": {"crf": 30}, "lmdb-lemon": {"quality": 80}}})
    text = to_toml(mine, workspace_version=1)
    assert "\n[export.video]\n# Quality, x264's constant rate factor: lower is better and larger.\ncrf = 30\n" in text
    assert "\n[export.lmdb-lemon]\n# JPEG quality" in text
    path = tmp_path / "curate.toml"
    path.write_text(text)
    assert resolve("test", load_toml(path)) == mine
    path.write_text('[export."lmdb-lemon"]\nquality = 80\n[export.video]\ncrf = 30\n')
    assert resolve("test", load_toml(path)) == mine


BEFORE = """\
workspace_version = 1

[export]
fill = "mean"
lemon_quality = 90
shard_size = 100
video_crf = 28
clip_seconds = 4.0
clip_stride = 2.0
clip_rate = 5.0
clip_size = 128
"""


def test_a_file_of_the_version_before_is_read_with_one_line_of_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "curate.toml"
    path.write_text(BEFORE)
    export = resolve("test", load_toml(path)).export
    assert (export.fill, export.lmdb_lemon.quality) == ("mean", 90)
    assert (export.parquet.shard_size, export.webdataset.shard_size) == (100, 100)
    assert export.video == VideoOptions(crf=28)
    assert export.clips == ClipsOptions(seconds=4.0, stride=2.0, rate=5.0, size=128, crf=28)
    (said,) = [record.message for record in caplog.records]
    assert said.startswith(f"{path}: ") and "video_crf is video.crf and clips.crf" in said and "\n" not in said
    assert all(name in said for name in MOVED)


def test_a_present_name_goes_before_a_former_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[export]\nvideo_crf = 28\n[export.clips]\ncrf = 20\n")
    export = resolve("test", {"export": {"video": {"crf": 1}}}, load_toml(path)).export
    assert (export.video.crf, export.clips.crf) == (28, 20)


def test_layers_of_a_format_are_merged_option_by_option() -> None:
    lower, upper = {"export": {"clips": {"seconds": 2.0, "size": 64}}}, {"export": {"clips": {"size": 0}}}
    assert resolve("x", lower, upper).export.clips == ClipsOptions(seconds=2.0, size=0)


@pytest.mark.parametrize("table", [table for table in option_tables() if len(table.path) == 2])
def test_an_option_of_one_format_is_in_its_fingerprint_and_in_no_other(table: Any) -> None:
    from curate.exports.exporter import FORMATS

    own = table.path[-1]
    assert own in FORMATS
    for spec, kind in option_fields(table.kind):
        if choices := [value for value in get_args(kind) if value != spec.default]:
            other = choices[0]
        else:
            other = kind(spec.default + 1 if spec.default < 50 else 50)
        changed = resolve("x", {"export": {own: {spec.name: other}}}).export
        differs = {name for name in FORMATS if format_fields(changed, name) != format_fields(ExportOptions(), name)}
        assert differs == {own}


@pytest.mark.parametrize(
    ("changed", "spared"),
    [
        ({"quality": 90}, {"lmdb-lemon", "video", "clips"}),
        ({"crop": "lemon"}, {"video", "clips"}),
        ({"outside": "black"}, {"video", "clips"}),
        ({"fill": "mean"}, set()),
    ],
)
def test_a_shared_option_is_in_the_fingerprint_of_the_formats_that_use_it(
    changed: dict[str, Any], spared: set[str]
) -> None:
    from curate.exports.exporter import FORMATS

    options = ExportOptions(**changed)
    assert {name for name in FORMATS if format_fields(options, name) == format_fields(ExportOptions(), name)} == spared


@dataclasses.dataclass(frozen=True)
class Sample:
    number: int = option(1, "A number.", low=0, high=9)
    share: float = option(0.5, "A share.", output=False)
    word: str = option("", "A word.")
    words: tuple[str, ...] = option((), "Words.")
    limit: float | None = option(None, "A limit.")


@given(st.text(st.characters(codec="utf-8")), st.lists(st.text(st.characters(codec="utf-8")), max_size=3))
def test_any_text_survives_toml(tmp_path_factory: pytest.TempPathFactory, word: str, words: list[str]) -> None:
    from curate.config import _toml_value

    path = tmp_path_factory.getbasetemp() / "text.toml"
    path.write_text(
        f"[sample]\na = {_toml_value(word)}\nb = {_toml_value(tuple(words))}\n", encoding="utf-8", newline=""
    )
    assert load_toml(path) == {"sample": {"a": word, "b": words}}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"nmber": 1}, "unknown option 'nmber'; known: number, share"),
        ({"number": 10}, "number: 10 is out of range, must be from 0 to 9"),
        ({"number": float("nan")}, "expected int"),
        ({"number": True}, "expected int"),
        ({"share": "much"}, "expected float, got 'much'"),
        ({"words": "one"}, "expected a list"),
        ({"words": [1]}, "expected str, got 1"),
        ({"limit": "nothing"}, "expected float, got 'nothing'"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(values: dict[str, Any], said: str) -> None:
    with pytest.raises(CurateError, match=f"curate.toml.*{said}"):
        build(Sample, values, "curate.toml: sample")


def test_whole_numbers_are_taken_for_floats() -> None:
    assert build(Sample, {"share": 1, "limit": 2}, "x") == Sample(share=1.0, limit=2.0)


@pytest.mark.parametrize("word", ["none", "", None])
def test_an_optional_value_is_reset_by_a_word(word: str | None) -> None:
    assert build(Sample, {"limit": word}, "x").limit is None


@pytest.mark.parametrize(
    ("export", "said"),
    [
        ({"video": {"crf": 0}}, "export.video.crf: 0 is out of range"),
        ({"video": {"seconds": 1}}, "export.video: unknown option 'seconds'; known: crf"),
        ({"video": 3}, "export.video: expected a table of options, got 3"),
        ({"vidoe": {}}, "unknown option 'vidoe'; known: .* video, clips"),
    ],
)
def test_a_wrong_value_of_a_format_is_named_with_its_table(export: dict[str, Any], said: str) -> None:
    with pytest.raises(CurateError, match=f"mine.toml: {said}" if "vidoe" not in said else said):
        resolve("mine.toml", {"export": export})


def test_only_what_changes_the_output_is_in_the_fingerprint() -> None:
    assert fingerprint_fields(Sample()) == {"number": 1, "word": "", "words": [], "limit": None}


def test_later_layers_win() -> None:
    config = resolve("x", {"sample": {"rate": 2.0, "quality": 80}}, {"sample": {"rate": 4.0}})
    assert (config.sample.rate, config.sample.quality) == (4.0, 80)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[sample\n", "not valid TOML"),
        ("[smaple]\nrate = 1\n", "unknown entry 'smaple'"),
        ("rate = 1\n", "unknown entry"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(CurateError, match=f"mine.toml.*{said}"):
        load_toml(path)
