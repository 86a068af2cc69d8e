import json

import pytest
from click.testing import CliRunner

from curate.cli.manifest import manifest
from curate.errors import CurateError
from curate.manifests import read_manifest, read_sources

A, B = "aaaaaaaaaaa", "-bbbbbbbbbb"


def run(*arguments, code=0, **kwargs):
    result = CliRunner().invoke(manifest, [str(a) for a in arguments], catch_exceptions=False, **kwargs)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def links(tmp_path):
    path = tmp_path / "links.txt"
    path.write_text(
        f"https://youtu.be/{A}\nhttps://youtu.be/{B}\nhttps://youtu.be/{A}?si=x\nfile:///etc/passwd\x1b[2J\n"
    )
    return path


def test_check_lists_what_happened(links, tmp_path):
    opt_out = tmp_path / "out.txt"
    opt_out.write_text(f"{B}\n")
    output = run("check", links, "--opt-out", opt_out, code=2)
    assert f"{links}:4: " in output and "file:///etc/passwd" in output and "\x1b" not in output
    assert f"{A}: {links}:3 is {links}:1 again" in output
    assert f"{B}: {links}:2" in output
    assert "1 videos from 4 rows, 0 empty or comments, 1 bad, 1 duplicates, 1 opted out" in output


def test_check_of_a_clean_list_exits_with_zero(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"id,procedures\n{A},a new one\n")
    assert "'a new one': 1 rows" in run("check", path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_convert_writes_what_reads_back(links, tmp_path, kind):
    target = tmp_path / f"out.{kind}"
    run("convert", links, "-o", target, code=2)
    assert read_sources([target]).videos == read_sources([links]).videos
    assert sorted(p.name for p in tmp_path.iterdir()) == ["links.txt", target.name]
    if kind == "parquet":
        assert [v.id for v in read_manifest(target)] == [A, B]


def test_convert_names_the_endings_that_it_knows(links, tmp_path):
    with pytest.raises(CurateError, match=r"\.parquet, \.csv"):
        run("convert", links, "-o", tmp_path / "x.xlsx")


@pytest.mark.parametrize("command", ["convert", "suggest"])
def test_a_place_that_cannot_be_written_is_named_as_the_user_named_it(links, tmp_path, command):
    output = tmp_path / "none" / "x.csv"
    with pytest.raises(CurateError) as caught:
        run(command, links, "-o", output)
    assert str(caught.value) == f"cannot write {output}: No such file or directory"


def test_stats_as_json_from_standard_input():
    figures = json.loads(run("stats", "-", "--json", input=f"https://youtu.be/{A}\n\nhttps://youtu.be/{A}\n"))
    assert (figures["rows"], figures["rows_ignored"], figures["videos"], figures["duplicate_rows"]) == (3, 1, 1, 1)
    assert figures["robotic"] == {"yes": 0, "no": 0, "unknown": 1}


def test_stats_of_lemon(shared_data):
    figures = json.loads(run("stats", shared_data / "manifests/lemon_labels.json", "--json"))
    assert (figures["videos"], figures["distinct_procedures"], figures["robotic"]["yes"]) == (4194, 35, 1667)
    assert figures["procedures_per_video"] == {"1": 3928, "2": 263, "3": 3}
    assert figures["resolutions"]["1280x720"] == 3960


def test_stats_table(links):
    output = run("stats", links, "--format", "urls", code=2)
    assert "videos listed more than once" in output and "domain" in output
