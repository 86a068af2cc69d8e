import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import CurateError
from curate.manifests.procedures import Taxonomy, load_taxonomy, shipped_taxonomy, slug
from curate.records import DOMAINS
from curate.resources import labels_folder

LEMON = [
    "abdominoperineal_resection",
    "adhesiolysis",
    "adrenalectomy",
    "ampullectomy",
    "appendectomy",
    "cecectomy",
    "cholecystectomy",
    "colectomy",
    "cystectomy",
    "duodenal_switch",
    "esophagectomy",
    "gastrectomy",
    "gastric_bypass",
    "hartmanns",
    "hepatectomy",
    "hernia_repair",
    "hysterectomy",
    "ileocolic_resection",
    "ileorectal_anastomosis",
    "jejunostomy",
    "kidney_transplant",
    "low_anterior_resection",
    "myomectomy",
    "nephrectomy",
    "nissen_fundoplication",
    "pancreatectomy",
    "pancreaticoduodenectomy",
    "prostatectomy",
    "pulmonary_lobectomy",
    "rectopexy",
    "small_bowel_resection",
    "splenectomy",
    "thymectomy",
    "ulcer_repair",
    "vaginectomy",
]

GENSURGERY = {
    "IBS": ["colorectal_surgery"],
    "anal_surgery": ["anal_surgery"],
    "appendectomy": ["appendectomy"],
    "cardiomytomy": ["heller_myotomy"],
    "cholestectomy": ["cholecystectomy"],
    "colectomy": ["colectomy"],
    "colon_cancer": ["colorectal_surgery"],
    "colorectal_disease": ["colorectal_surgery"],
    "davinci_instructions": [],
    "esophagectomy": ["esophagectomy"],
    "fundoplication": ["fundoplication"],
    "gastrectomy": ["gastrectomy"],
    "gastrojejunostomy": ["gastrojejunostomy"],
    "heller_myotomy": ["heller_myotomy"],
    "hemicolectomy": ["colectomy"],
    "hernia": ["hernia_repair"],
    "ladds_procedure": ["ladds_procedure"],
    "liver_resection": ["hepatectomy"],
    "rectal_cancer": ["colorectal_surgery"],
    "rectal_prolapse": ["colorectal_surgery"],
    "rectopexy": ["rectopexy"],
    "robotic_chole": ["cholecystectomy"],
    "sigmoidectomy": ["colectomy"],
    "splenectomy": ["splenectomy"],
    "superior_mesenteric_artery": [],
    "unsorted": [],
    "video_atlas": [],
}


def test_lemons_names_are_canonical():
    assert len(LEMON) == 35
    for name in LEMON:
        assert shipped_taxonomy().meaning(name).procedures == (name,)
        assert shipped_taxonomy().domain((name,)) == "laparoscopic"


def test_gensurgerys_lists_are_known():
    assert len(GENSURGERY) == 27
    for name, procedures in GENSURGERY.items():
        meaning = shipped_taxonomy().meaning(name)
        assert meaning.known
        assert list(meaning.procedures) == procedures
        assert meaning.robotic is (True if name in ("robotic_chole", "davinci_instructions") else None)


def test_the_shipped_file_has_no_name_for_two_things_and_only_known_domains():
    tables = tomllib.loads((labels_folder() / "procedures.toml").read_text())
    owner: dict[str, str] = {}
    for kind in ("procedures", "groups"):
        for name, table in tables[kind].items():
            assert slug(name) == name
            for spelling in {slug(s) for s in (name, *table.get("synonyms", ()))}:
                assert owner.setdefault(spelling, name) == name, spelling
    assert {t["domain"] for t in tables["procedures"].values()} <= set(DOMAINS)


def test_a_name_for_two_things_is_refused():
    tables = {"procedures": {"a": {"synonyms": ["x y"]}, "b": {"synonyms": ["X-Y"]}}}
    with pytest.raises(CurateError, match="two things"):
        Taxonomy(tables, "t.toml")
    with pytest.raises(CurateError, match="domain 'moon'"):
        Taxonomy({"procedures": {"a": {"domain": "moon"}}}, "t.toml")
    with pytest.raises(CurateError, match="no procedure"):
        Taxonomy({"groups": {"g": {"procedures": ["a"]}}}, "t.toml")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "p.toml").write_text("[")
    with pytest.raises(CurateError, match=r"p\.toml"):
        load_taxonomy(tmp_path / "p.toml")


@pytest.mark.parametrize(
    ("label", "procedures", "robotic", "domain"),
    [
        ("Roux-en-Y Gastric Bypass", ("gastric_bypass",), None, "unknown"),
        ("  HERNIA__repair ", ("hernia_repair",), None, "unknown"),
        ("Hartmann's procedure", ("hartmanns",), None, "unknown"),
        ("Robot-assisted esophagectomy", ("esophagectomy",), True, "robotic"),
        ("cholecystectomy, laparoscopic", ("cholecystectomy",), None, "laparoscopic"),
        ("open cholecystectomy", ("cholecystectomy",), None, "open"),
    ],
)
def test_spelling_and_approach(label, procedures, robotic, domain):
    meaning = shipped_taxonomy().meaning(label)
    assert (meaning.procedures, meaning.robotic, meaning.domain, meaning.known) == (procedures, robotic, domain, True)


@given(st.text())
def test_any_label_has_a_meaning_with_sound_names(label):
    for name in shipped_taxonomy().meaning(label).procedures:
        assert name == slug(name) and 0 < len(name) <= 64 and ";" not in name
