"""What titles suggest: in several languages, the longest name first, and never as what a list states."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.errors import CurateError
from curate.files.csv_file import read_csv
from curate.manifests import read_sources
from curate.manifests.procedures import shipped_taxonomy
from curate.manifests.titles import TitleWords, load_title_words, shipped_title_words

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "evaluate_titles.py"


@pytest.mark.parametrize(
    ("title", "procedures", "robotic"),
    [
        ("Robotic Nissen Fundoplication, unedited", {"nissen_fundoplication"}, True),
        ("Colecistectomía laparoscópica con colangiografía", {"cholecystectomy"}, False),
        ("APPENDICECTOMIE PAR LAPAROSCOPIE", {"appendectomy"}, False),
        ("Laparoskopik Splenektomi", {"splenectomy"}, False),
        ("Лапароскопическая холецистэктомия", {"cholecystectomy"}, False),
        ("达芬奇机器人肾切除术", {"nephrectomy"}, True),
        ("腹腔鏡下虫垂切除術", {"appendectomy"}, False),
        ("استئصال المرارة بالمنظار", {"cholecystectomy"}, False),
        ("da Vinci prostatectomy and hernia repair", {"prostatectomy", "hernia_repair"}, True),
        ("Distal pancreatectomy with splenectomy", {"pancreatectomy", "splenectomy"}, None),
        ("Hernia after cholecystectomy", {"hernia_repair"}, None),
        ("Robotic surgery: my first hundred cases", set(), True),
        ("How I spent my summer", set(), None),
        ("", set(), None),
    ],
)
def test_titles(title: str, procedures: set[str], robotic: bool | None) -> None:
    found = shipped_title_words().suggest(title)
    assert (set(found.procedures), found.robotic) == (procedures, robotic)


def test_the_evidence_is_words_of_the_title() -> None:
    found = shipped_title_words().suggest("ROBOTIC-assisted Splenectomy + Cholecystectomy!")
    assert found.evidence() == "splenectomy: splenectomy; cholecystectomy: cholecystectomy; robotic: robotic"
    assert found.evidence(procedures=False) == "robotic: robotic"
    assert found.evidence(robotic=False).endswith("cholecystectomy: cholecystectomy")


def test_a_disease_counts_where_no_operation_is_named() -> None:
    words = shipped_title_words()
    assert set(words.suggest("Rectal cancer").procedures) == {"low_anterior_resection"}
    assert set(words.suggest("Abdominoperineal resection for rectal cancer").procedures) == {
        "abdominoperineal_resection"
    }


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("[procedures]\nnonesuch = ['x']", "'nonesuch', which labels/procedures.toml lacks"),
        ("[hints]\nnonesuch = ['x']", r"\[hints\] names 'nonesuch'"),
        ("[procedures]\nsplenectomy = 'x'", "is not a list of phrases"),
        ("[robotic]\nyes = ['*']", "is not a list of phrases"),
        ("procedures = 3", "procedures is not a table"),
        ("[procedures", "cannot read the words of titles"),
    ],
)
def test_a_file_of_phrases_that_is_none(tmp_path: Path, content: str, match: str) -> None:
    path = tmp_path / "titles.toml"
    path.write_text(content)
    with pytest.raises(CurateError, match=match):
        load_title_words(path, shipped_taxonomy())


def test_no_phrases_suggest_nothing_but_the_names_of_the_taxonomy() -> None:
    found = TitleWords({}, shipped_taxonomy(), "none").suggest("Robotic splenectomy")
    assert (set(found.procedures), found.robotic) == ({"splenectomy"}, None)


def test_suggestions_stand_beside_and_are_never_read_as_labels(tmp_path: Path, capsys) -> None:
    stated = tmp_path / "list.csv"
    stated.write_text(
        "id,title,procedures,robotic\n"
        "aaaaaaaaaaa,Robotic splenectomy,,\n"
        "bbbbbbbbbbb,=Laparoscopic appendectomy,hysterectomy,\n"
        "ccccccccccc,Laparoscopic appendectomy,appendectomy,no\n"
    )
    out = tmp_path / "suggested.csv"
    assert run_command(["manifest", "suggest", str(stated), "-o", str(out)]) == 0
    assert "2 videos; procedures suggested for 1 of 1 without, robotic or not for 2 of 2" in capsys.readouterr().out
    rows = {row["id"]: row for _, row in read_csv(out, ("id", "evidence"), "suggestions")}
    assert set(rows) == {"aaaaaaaaaaa", "bbbbbbbbbbb"}
    first, second = rows["aaaaaaaaaaa"], rows["bbbbbbbbbbb"]
    assert (first["procedures"], first["suggested_procedures"], first["suggested_robotic"]) == (
        "",
        "splenectomy",
        "true",
    )
    assert (second["procedures"], second["suggested_procedures"]) == ("hysterectomy", "")
    assert second["title"].startswith("=") and "'=Laparoscopic" in out.read_text(encoding="utf-8")
    again = {video.id: video for video in read_sources([out]).videos}
    assert again["aaaaaaaaaaa"].procedures == () and again["aaaaaaaaaaa"].robotic is None
    assert run_command(["manifest", "suggest", str(stated), "--all", "-o", str(out)]) == 0
    assert len(list(read_csv(out, ("id",), "suggestions"))) == 3


def test_a_name_that_is_no_csv_is_refused(tmp_path: Path, capsys) -> None:
    (tmp_path / "list.csv").write_text("id\naaaaaaaaaaa\n")
    assert run_command(["manifest", "suggest", str(tmp_path / "list.csv"), "-o", str(tmp_path / "x.json")]) == 1
    assert "must end in .csv" in capsys.readouterr().err


def test_the_titles_of_lemon_that_no_phrase_was_written_for(shared_data, monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(shared_data / "manifests/lemon_labels.json")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    (every,) = [row for row in rows if row[0] == "all"]
    assert int(every[1]) == 2252
    assert float(every[2]) > 0.90 and float(every[3]) > 0.82
    robots = {row[0]: row for row in rows if row[0] in ("yes", "no") and len(row) == 5}
    assert all(float(row[2]) > 0.99 and float(row[3]) > 0.85 for row in robots.values())
