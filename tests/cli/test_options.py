from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from curate.cli import COMMANDS, cli, run_command
from curate.cli.options import SWITCH, Layer, stage_flags
from curate.config import Config, option_fields, option_tables, resolve
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
    no_in_run = {flag for parameter in run.params for flag in parameter.secondary_opts}
    for table in option_tables():
        stage, *of_format = table.path
        own = EVERY["corpus", stage] if stage == "dedup" else cli.get_command(click.Context(cli), stage)
        flags = in_run if own is None else {flag for parameter in own.params for flag in parameter.opts}
        for spec, _ in option_fields(table.kind):
            name = "-".join((*of_format, spec.name)).replace("_", "-")
            if spec.name == SWITCH:
                assert {f"--{stage}", f"--no-{stage}"} <= in_run | no_in_run
                continue
            assert f"--{name}" in flags, f"{table.name}.{name}"
            assert (f"--{name}" if own is None or of_format else f"--{stage}-{name}") in in_run


def test_options_of_a_format_have_the_same_flags_in_every_command() -> None:
    arguments = ("--video-crf", "30", "--clips-seconds", "2", "--lmdb-lemon-quality", "90", "--parquet-shard-size", "7")
    layer = {
        "export": {
            "video": {"crf": 30},
            "clips": {"seconds": 2.0},
            "lmdb-lemon": {"quality": 90},
            "parquet": {"shard_size": 7},
        }
    }
    assert given(*arguments) == layer
    config = resolve("test", layer)
    assert (config.export.video.crf, config.export.clips.crf, config.export.lmdb_lemon.quality) == (30, 22, 90)


def test_former_flags_set_what_they_did_and_say_what_they_are_now() -> None:
    result = CliRunner().invoke(probe, ["--export-video-crf", "30", "--export-shard-size", "9", "--clips-crf", "20"])
    assert eval(result.stdout) == {
        "export": {
            "video": {"crf": 30},
            "clips": {"crf": 20},
            "parquet": {"shard_size": 9},
            "webdataset": {"shard_size": 9},
        }
    }
    assert "--export-video-crf is now --video-crf, --clips-crf\n" in result.stderr
    assert result.stderr.count("\n") == 2
    assert "export-video-crf" not in CliRunner().invoke(probe, ["--help"]).output


@pytest.mark.parametrize("word", ["", "none"])
def test_optional_values_can_be_put_back_to_not_set(word: str) -> None:
    reset = given(
        "--trim-decisions", word, "--download-rate-limit", word, "--mask-yolo", word, "--trim-threshold", word
    )
    below = {
        "trim": {"decisions": "labels.csv", "threshold": 0.3},
        "download": {"rate_limit": 1000},
        "mask": {"yolo": ["a.onnx"]},
    }
    config = resolve("test", below, reset)
    assert config == Config()
    assert resolve("test", below, {"trim": {"decisions": word}}).trim.decisions is None


def test_every_command_of_the_help_exists_and_every_stage_is_a_command() -> None:
    assert set(STAGES) <= set(COMMANDS)
    for name, (place, _) in COMMANDS.items():
        module, attribute = place.split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command) and command.name == name
        assert command.help and not command.hidden


def leaves(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command, or those of its group and of the groups in it, with their names."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from leaves(inner, (*path, name))


EVERY = dict(leaves(cli, ()))


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_takes_q_and_v_and_has_help(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert {"-q", "-v"} <= {flag for p in EVERY[path].params for flag in p.opts}
    assert run_command([*path, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: curate {' '.join(path)} ") and "None]" not in said


def test_every_option_that_may_be_empty_can_be_emptied_on_the_command_line() -> None:
    @click.command()
    @stage_flags(prefixed=[spec.name for spec, _ in option_fields(Config)])
    def probe_all(given: Layer) -> None:
        click.echo(repr(given))

    emptied = 0
    for table in option_tables():
        for spec, _ in option_fields(table.kind):
            if spec.default in (None, (), "") and not isinstance(spec.default, bool):
                flag = f"--{table.path[-1]}-{spec.name}".replace("_", "-")
                result = CliRunner().invoke(probe_all, [flag, ""])
                assert result.exit_code == 0, result.output
                layer = resolve("test", eval(result.stdout))
                assert getattr(table.of(layer), spec.name) == spec.default, flag
                emptied += 1
    assert emptied > 10
