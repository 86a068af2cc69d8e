from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from curate.cli import COMMANDS, cli
from curate.cli.options import Layer, stage_flags
from curate.config import Config, option_fields, resolve
from curate.run.pipeline import STAGES


@click.command()
@stage_flags("engine", prefixed=("sample", "mask", "export", "trim", "download"))
def probe(given: Layer) -> None:
    """Print what was given."""
    click.echo(repr(given))


def given(*arguments: str) -> Layer:
    result = CliRunner().invoke(probe, arguments)
    assert result.exit_code == 0, result.output
    return eval(result.output, {"PosixPath": Path})  # the repr of plain values and paths


def test_nothing_given_leaves_every_default_to_the_layers_below() -> None:
    assert given() == {}


def test_values_arrive_in_their_tables_and_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    layer = given(
        "--sample-rate", "2", "--no-mask-overlays", "--export-formats", "lmdb, parquet", "--workers", "3",
        "--trim-threshold", "0.25", "--download-cookies", "c.txt",
    )  # fmt: skip
    assert layer == {
        "sample": {"rate": 2.0},
        "mask": {"overlays": False},
        "export": {"formats": ("lmdb", "parquet")},
        "engine": {"workers": 3},
        "trim": {"threshold": 0.25},
        "download": {"cookies": tmp_path / "c.txt"},
    }
    config = resolve("test", layer)
    assert (config.sample.rate, config.mask.overlays, config.engine.workers) == (2.0, False, 3)


@pytest.mark.parametrize(
    "arguments", [["--sample-quality", "101"], ["--export-fill", "pink"], ["--workers", "x"], ["--rate", "1"]]
)
def test_wrong_values_are_usage_errors(arguments: list[str]) -> None:
    result = CliRunner().invoke(probe, arguments)
    assert result.exit_code == click.UsageError.exit_code and arguments[0] in result.output


def test_every_option_has_a_flag_in_its_own_command_and_in_run() -> None:
    run = cli.get_command(click.Context(cli), "run")
    assert run is not None
    in_run = {flag for parameter in run.params for flag in parameter.opts}
    for table, kind in option_fields(Config):
        own = None if table.name == "engine" else cli.get_command(click.Context(cli), table.name)
        flags = in_run if own is None else {flag for parameter in own.params for flag in parameter.opts}
        for spec in dataclasses.fields(kind):
            name = spec.name.replace("_", "-")
            assert f"--{name}" in flags, f"{table.name}.{name}"
            assert (f"--{name}" if own is None else f"--{table.name}-{name}") in in_run


def test_every_command_of_the_help_exists_and_every_stage_is_a_command() -> None:
    assert set(STAGES) <= set(COMMANDS)
    for name, (place, _) in COMMANDS.items():
        module, attribute = place.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command) and command.name == name
        assert command.help and not command.hidden
        if not isinstance(command, click.Group):
            assert {"--quiet", "--verbose"} <= {flag for p in command.params for flag in p.opts}, name
