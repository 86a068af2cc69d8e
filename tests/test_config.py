from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.config import Config, build, fingerprint_fields, load_toml, option, option_fields, resolve, to_toml
from curate.errors import CurateError


def test_every_option_has_help_and_a_default_that_its_own_checks_accept() -> None:
    for table, kind in option_fields(Config):
        values = {}
        for spec, _ in option_fields(kind):
            assert spec.metadata["help"].endswith("."), f"{table.name}.{spec.name}"
            values[spec.name] = spec.default
        assert build(kind, values, table.name) == kind()


def test_defaults_survive_toml(tmp_path: Path) -> None:
    path = tmp_path / "curate.toml"
    path.write_text(to_toml(Config(), workspace_version=1))
    assert resolve("test", load_toml(path)) == Config()


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
    ],
)
def test_a_wrong_value_is_named_with_its_place(values: dict[str, Any], said: str) -> None:
    with pytest.raises(CurateError, match=f"curate.toml.*{said}"):
        build(Sample, values, "curate.toml: sample")


def test_whole_numbers_are_taken_for_floats() -> None:
    assert build(Sample, {"share": 1, "limit": 2}, "x") == Sample(share=1.0, limit=2.0)


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
