from __future__ import annotations

import sys

import pytest

from curate.corpus.classes import class_name, forget_classes, number_classes, read_classes, write_classes
from curate.errors import CurateError
from curate.manifests.procedures import shipped_taxonomy, slug

NAMES = {
    "Cholecystectomy (lap.)": "cholecystectomy-lap",
    "腹腔镜胆囊切除术": "腹腔镜胆囊切除术",
    "Лапароскопическая холецистэктомия": "лапароскопическая-холецистэктомия",
    "استئصال المرارة": "استئصال-المرارة",
    "腹腔鏡下胆嚢摘出術": "腹腔鏡下胆嚢摘出術",
    "복강경 담낭절제술": "복강경-담낭절제술",
    "लैप्रोस्कोपी": "लैप्रोस्कोपी",
    "ＡＢＣ/..": "abc",
    "../../etc": "etc",
    "a\u202eb": "a-b",
    "?!": "unknown",
}


@pytest.mark.parametrize(("procedure", "name"), NAMES.items())
def test_names_of_any_script_keep_their_letters(procedure, name):
    assert class_name(procedure) == name
    assert class_name(slug(procedure)) == name  # as lists give it


def test_names_that_begin_alike_stay_apart_and_fit_a_file_name():
    for letter in "x術":
        names = [class_name(letter * 70 + end) for end in ("", "a", "b")]
        assert len(set(names)) == 3 and all(len(name) <= 60 and len(f"{name}.tar".encode()) <= 255 for name in names)
        assert len({slug(letter * 70 + end) for end in ("", "a", "b")}) == 3


def test_every_letter_gives_a_name_that_the_record_takes(tmp_path):
    """Whatever Unicode makes of a letter by itself: no name ends the work of a workspace."""
    letters = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    names = {class_name(letter) for letter in letters if letter.isalnum()}
    write_classes(tmp_path, sorted(names))
    assert set(read_classes(tmp_path)) == names
    assert all(len(f"{name}.tar".encode()) <= 255 for name in names)


def test_a_number_is_given_once():
    first = number_classes((), {"b", "d"})
    assert first == ("b", "d")
    assert number_classes(first, {"a", "b", "d"}) == ("b", "d", "a")
    gone = number_classes(("b", "d", "a"), {"a", "c"})
    assert gone == ("removed-0", "removed-1", "a", "c")
    assert number_classes(gone, {"a", "b", "c"}) == (*gone, "b")


def test_a_class_of_the_taxonomy_keeps_its_name_too():
    known = class_name(next(iter(shipped_taxonomy().domains)))
    assert number_classes((known, "john-smith"), {"z"}) == (known, "removed-1", "z")


def test_the_record_forgets_what_no_video_has_any_more(tmp_path):
    forget_classes(tmp_path, {"a"})
    assert not list(tmp_path.iterdir())
    write_classes(tmp_path, ["a", "john-smith", "b"])
    forget_classes(tmp_path, {"a", "b"})
    assert read_classes(tmp_path) == ("a", "removed-1", "b")
    assert b"smith" not in (tmp_path / "classes.json").read_bytes()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"classes": 3}', '{"classes": ["a", "a"]}', '{"classes": ["../x"]}', '{"classes": [[]]}']
)
def test_a_record_that_cannot_be_read_is_said(tmp_path, text):
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(CurateError, match=r"classes\.json cannot be read .* number all classes anew"):
        read_classes(tmp_path)
    forget_classes(tmp_path, {"a"})
    assert read_classes(tmp_path) == ()
