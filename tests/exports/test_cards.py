from __future__ import annotations

import dataclasses
import json
import logging
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from huggingface_hub import DatasetCard

from curate.config import CardOptions, ClipsOptions, ExportOptions
from curate.errors import CurateError
from curate.exports import export_dataset
from curate.exports.cards.about import About, ListSurvivors
from curate.exports.cards.header import size_category
from curate.exports.cards.licences import hub_licence, is_open, licence_url, of_all
from curate.exports.cards.making import in_words
from curate.exports.cards.write import refresh_cards
from curate.exports.check.verify import verify_export
from curate.exports.disk.folder import read_record
from tests.exports.making import ALL, make_entry, tree_bytes

# What mlcroissant and its rdflib do with others.
pytestmark = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame:DeprecationWarning"),
]

CLIPS = ClipsOptions(seconds=2, stride=2)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """``datasets.load_dataset`` without network, with its cache in the test's folder."""
    for name, value in {"HF_HOME": tmp_path / "hf", "HF_HUB_OFFLINE": 1, "HF_DATASETS_OFFLINE": 1}.items():
        monkeypatch.setenv(name, str(value))
    import datasets

    return lambda folder, **kw: datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "hf"), **kw)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All formats of three videos, whose classes are called like splits."""
    folder = tmp_path_factory.mktemp("made")
    entries = [
        make_entry(folder, "vid_a", "nsssnss", regions=[0, 5], procedures=("val",), licence="CC BY 4.0"),
        make_entry(folder, "-vidB", "s" * 12, procedures=("train", "hernia repair"), split="val"),
        make_entry(folder, "vidC", "s" * 5, procedures=("test",), split="train_2"),
    ]
    about = About(CardOptions(name="Planted", published="2026-11-25", citation="@misc{planted}"))
    options = ExportOptions(formats=ALL, clips=CLIPS)
    export_dataset(entries, options, folder / "exports", context={"classify.sha256": "0" * 64}, about=about)
    return folder / "exports"


def fields_of(folder: Path) -> dict:
    return DatasetCard.load(folder / "README.md").data.to_dict()


@pytest.mark.parametrize("name", ALL)
def test_datasets_finds_the_splits_and_features_that_the_card_states(made, load, name):
    loaded = load(made / name)
    told = fields_of(made / name)["dataset_info"]
    assert {split["name"]: split["num_examples"] for split in told["splits"]} == {
        split: len(rows) for split, rows in loaded.items()
    }
    if name in ("video", "clips"):
        rows = pq.read_table(made / name / "metadata.parquet").to_pylist()
        assert Counter(row["split"] for row in rows) == {split: len(rows) for split, rows in loaded.items()}
    elif name.startswith("lmdb") or name == "dinov2":
        assert {split: len(rows) for split, rows in loaded.items()} == {"metadata": 22}
        assert Counter(loaded["metadata"]["split"]) == {"train": 5, "val": 12, "train_2": 5}
    else:
        assert {split: len(rows) for split, rows in loaded.items()} == {"train": 5, "val": 12, "train_2": 5}
    from datasets import Features

    for rows in loaded.values():
        assert rows.features == Features._from_yaml_list(json.loads(json.dumps(told["features"])))


def test_classes_called_like_splits_stay_where_they_are(made, load):
    loaded = load(made / "folders")
    names = loaded["val"].features["label"].names
    assert names == ["test", "train", "val"]
    assert {split: {names[label] for label in rows["label"]} for split, rows in loaded.items()} == {
        "train": {"val"},
        "val": {"train"},
        "train_2": {"test"},
    }


def test_the_cache_of_datasets_never_gives_another_export_of_that_name(tmp_path, load):
    def export(where: str, *letters: str) -> Path:
        entries = [make_entry(tmp_path / where, f"v{i}", text, source_file=False) for i, text in enumerate(letters)]
        export_dataset(entries, ExportOptions(formats=("parquet", "folders")), tmp_path / where / "out", context={})
        return tmp_path / where / "out"

    one, two = export("one", "sss", "ss"), export("two", "sssss")
    for name in ("parquet", "folders"):
        assert len(load(one / name, split="train")) == 5
    assert set(load(two / "parquet", split="train")["video_id"]) == {"v0"}
    purged = export("one", "sss")
    assert purged == one
    assert [len(load(one / name, split="train")) for name in ("parquet", "folders")] == [3, 3]


@pytest.mark.parametrize("name", ALL)
def test_mlcroissant_accepts_every_export_without_a_warning(made, name, caplog):
    import mlcroissant

    with caplog.at_level(logging.WARNING, "absl"):
        dataset = mlcroissant.Dataset(jsonld=str(made / name / "croissant.json"))
    assert not caplog.records
    record = read_record(made / name)
    assert record is not None
    told = {one.content_url: one.sha256 for one in dataset.metadata.file_objects}
    assert told == {file: facts["sha256"] for file, facts in record["files"].items() if file != "croissant.json"}
    assert told["README.md"] == sha256((made / name / "README.md").read_bytes()).hexdigest()
    assert dataset.metadata.data_release_maintenance_plan and dataset.metadata.personal_sensitive_information
    assert {row["videos/video_id"] for row in dataset.records("videos")} == {b"vid_a", b"-vidB", b"vidC"}


def test_mlcroissant_gives_the_pictures_of_parquet(made):
    import mlcroissant

    dataset = mlcroissant.Dataset(jsonld=str(made / "parquet" / "croissant.json"))
    rows = list(dataset.records("frames/val"))
    assert [row["frames/val/key"] for row in rows] == [f"-vidB_{n}".encode() for n in range(12)]
    assert rows[0]["frames/val/image"].size == (96, 64)


def test_loose_pictures_are_file_sets_and_do_not_make_the_file_grow(made):
    told = json.loads((made / "folders" / "croissant.json").read_text())
    sets = [one for one in told["distribution"] if one["@type"] == "cr:FileSet"]
    assert [one["includes"] for one in sets] == [[f"{split}/*/*.jpg"] for split in ("train", "val", "train_2")]
    assert "sha256 of metadata.parquet" in sets[0]["description"]
    assert not any(one["@id"].endswith(".jpg") for one in told["distribution"])


def test_many_files_are_told_as_sets(made, monkeypatch):
    import mlcroissant

    from curate.exports.cards import croissant
    from curate.exports.cards.facts import read_facts
    from curate.exports.disk.checksums import FileFacts

    monkeypatch.setattr(croissant, "MOST_FILES", 2)
    record = read_record(made / "video")
    text = croissant.croissant(read_facts(made / "video", record), About(), FileFacts(1, "0" * 64))
    names = {one["@id"] for one in json.loads(text)["distribution"]}
    assert {"files/train", "files/val", "files/train_2", "videos.parquet", "README.md"} <= names
    assert not any(name.endswith((".mp4", "vid_a.json")) for name in names)
    assert mlcroissant.Dataset(jsonld=json.loads(text)).metadata.name == "Surgical video frames"


def test_the_card_says_what_people_need(made):
    fields = fields_of(made / "webdataset")
    assert fields["pretty_name"] == "Planted" and fields["license"] == "other"
    assert fields["task_categories"] == ["image-feature-extraction", "image-classification"]
    assert fields["language"] == ["zxx"] and fields["source_datasets"] == ["original"]
    assert fields["annotations_creators"] == ["machine-generated", "found"]
    assert "none stated; CC BY 4.0" in fields["extra_gated_prompt"] and "Purpose" in fields["extra_gated_fields"]
    text = (made / "webdataset" / "README.md").read_text()
    assert "Shards: 1 in `train`, 1 in `val` and 1 in `train_2`" in text and "--webdataset-shard-size" in text
    assert "HF_DATASETS_CACHE" in text and "@misc{planted}" in text and "As of 2026-11-25" in text
    assert "{'" not in text


def test_one_open_licence_is_that_of_the_whole_and_nobody_is_asked(tmp_path, export):
    made = [make_entry(tmp_path / "in", "v", "s", licence="CC-BY-4.0", corpus="lemon", source_file=False)]
    fields = fields_of(export(made, "parquet").formats[0].folder)
    assert fields["license"] == "cc-by-4.0" and fields["source_datasets"] == ["extended|other-lemon"]
    assert not [name for name in fields if name.startswith("extra_gated")]


def test_a_card_is_written_anew_without_its_pictures_and_comes_out_the_same(entries, export, tmp_path):
    export(entries, *ALL, clips=CLIPS)
    before = tree_bytes(tmp_path / "exports")
    for name in ALL:
        folder = tmp_path / "exports" / name
        record = read_record(folder)
        assert record is not None and not refresh_cards(folder, record, About())
        for file in ("README.md", "croissant.json"):
            (folder / file).write_text("spoiled")
        assert refresh_cards(folder, record, About())
    assert tree_bytes(tmp_path / "exports") == before


def test_another_card_option_writes_cards_and_nothing_else(entries, tmp_path):
    def run(name: str) -> bool:
        options = ExportOptions(formats=("parquet",))
        about = About(CardOptions(name=name))
        return export_dataset(entries, options, tmp_path / "out", context={}, about=about).formats[0].written

    assert run("One")
    before = {path: path.stat().st_ino for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert not run("Two")
    assert {path.name for path, inode in before.items() if path.stat().st_ino != inode} == {
        "README.md",
        "croissant.json",
        "export.json",
    }
    assert "# Two" in (tmp_path / "out" / "parquet" / "README.md").read_text()
    assert not list(verify_export(tmp_path / "out" / "parquet"))


def test_an_export_of_an_older_curate_gets_its_cards(entries, export, tmp_path):
    export(entries, "lmdb")
    folder = tmp_path / "exports" / "lmdb"
    record = json.loads((folder / "export.json").read_text())
    (folder / "croissant.json").unlink()
    del record["card"], record["files"]["croissant.json"]
    (folder / "export.json").write_text(json.dumps(record))
    assert not export(entries, "lmdb").formats[0].written
    assert not list(verify_export(folder))


def test_an_export_with_a_damaged_table_is_written_anew_when_its_card_is(entries, tmp_path):
    def run(name: str) -> bool:
        options, about = ExportOptions(formats=("parquet",)), About(CardOptions(name=name))
        return export_dataset(entries, options, tmp_path / "out", context={}, about=about).formats[0].written

    assert run("One")
    table = tmp_path / "out" / "parquet" / "videos.parquet"
    table.write_bytes(bytes(table.stat().st_size))
    assert run("Two")
    assert not list(verify_export(tmp_path / "out" / "parquet"))


def test_verify_holds_croissant_against_the_record(entries, export, tmp_path):
    export(entries, "parquet")
    folder = tmp_path / "exports" / "parquet"
    text = (folder / "croissant.json").read_text()
    record = json.loads((folder / "export.json").read_text())
    text = text.replace(record["files"]["videos.parquet"]["sha256"], "f" * 64)
    (folder / "croissant.json").write_text(text)
    (problem,) = verify_export(folder)
    assert (problem.where, problem.what) == ("croissant.json", "does not have the checksum it was written with")
    record["files"]["croissant.json"] = {"size": len(text.encode()), "sha256": sha256(text.encode()).hexdigest()}
    (folder / "export.json").write_text(json.dumps(record))
    (problem,) = verify_export(folder)
    assert problem.where == "croissant.json" and "another checksum of videos.parquet" in problem.what


def test_the_funnel_tells_lists_steps_reasons_and_days(entries, tmp_path):
    lists = (
        ListSurvivors(
            "labels|<b>.json",
            10,
            {"download": 7, "trim": 6},
            {"download: removed": 2, "trim: no_surgical_run": 1},
            1,
            {"2026-11-01": (5, 4), "2026-11-03": (4, 3)},
        ),
        ListSurvivors("own.csv", 3, {"download": 3, "trim": 3}, {}, 0, {"2026-11-02": (3, 3)}),
    )
    about = About(lists=lists)
    export_dataset(entries, ExportOptions(formats=("parquet",)), tmp_path / "out", context={}, about=about)
    text = (tmp_path / "out" / "parquet" / "README.md").read_text()
    assert "| list | named | download | trim | waiting |" in text
    assert r"| labels\|&lt;b>.json | 10 | 7 | 6 | 1 |" in text and "| own.csv | 3 | 3 | 3 | 0 |" in text
    assert "| download: removed | 2 |" in text and "| 2026-11-03 | 4 | 3 |" in text
    told = json.loads((tmp_path / "out" / "parquet" / "croissant.json").read_text())
    assert told["datePublished"] == "2026-11-03"
    assert told["rai:dataCollectionTimeFrame"] == ["2026-11-01", "2026-11-03"]


def test_hostile_licences_break_out_of_nothing(tmp_path, export):
    evil = "'\"---\n<script>x</script>: {}|[a](http://b)\N{RIGHT-TO-LEFT OVERRIDE}"
    made = export([make_entry(tmp_path / "in", "v", "s", licence=evil, source_file=False)], "parquet")
    text = (made.formats[0].folder / "README.md").read_text()
    assert yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))["license"] == "other"
    assert "<script" not in text
    json.loads((made.formats[0].folder / "croissant.json").read_text())


@pytest.mark.parametrize(
    ("stated", "known", "free"),
    [
        ("CC BY-NC-SA 4.0", "cc-by-nc-sa-4.0", False),
        ("cc-by-4.0", "cc-by-4.0", True),
        ("CC BY-SA 3.0", "cc-by-sa-3.0", True),
        ("Creative Commons Attribution license (reuse allowed)", "cc-by-3.0", True),
        ("Creative Commons Attribution-NonCommercial 4.0 International", "cc-by-nc-4.0", False),
        ("https://creativecommons.org/licenses/by-nd/2.0/", "cc-by-nd-2.0", False),
        ("CC0 1.0", "cc0-1.0", True),
        ("CC0", "cc0-1.0", True),
        ("MIT", "mit", True),
        ("Apache 2.0", "apache-2.0", True),
        ("CC BY", "", True),
        ("non-commercial research", "", False),
        ("", "", False),
    ],
)
def test_licences_are_known_by_what_people_write(stated, known, free):
    assert hub_licence(stated) == known
    assert is_open(stated) is free
    assert bool(licence_url(stated)) == bool(known)


def test_several_licences_are_another():
    assert of_all(["CC BY 4.0", "cc-by-4.0"]) == "cc-by-4.0"
    assert of_all(["CC BY 4.0", "CC0"]) == of_all([""]) == of_all(["mine"]) == "other"


def test_a_day_that_is_none_is_refused():
    with pytest.raises(CurateError, match=r"card\.published: 'yesterday' is not a day"):
        About(dataclasses.replace(CardOptions(), published="yesterday"))


def test_tables_in_pythons_notation_become_words():
    told = "{'architecture': 'levels', 'width': 224, 'uncertain': [0.55, 0.8], 'branches': [{'a': 1}], 'crop': True}"
    assert in_words(told) == "architecture: levels; width: 224; uncertain: 0.55, 0.8; crop: yes"
    assert in_words("e4db8d") == "e4db8d" and in_words("{broken") == "{broken"


@pytest.mark.parametrize(("rows", "name"), [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (3_400_000, "1M<n<10M")])
def test_size_categories_are_the_hubs(rows, name):
    assert size_category(rows) == name
