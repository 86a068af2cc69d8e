"""Corpora built from recipes: foreign frames, workspaces whose ids clash, filters, splits, balance, twice the same."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

from curate.corpus.recipe import presets, read_recipe
from curate.files.toml_lines import toml_lines
from curate.takedown.mentions import search_tree
from curate.workspace.tables.duplicates import Match, write_matches
from tests.corpus.running import run
from tests.exports.making import encode, picture, tree_bytes
from tests.finished import make_finished
from tests.rendered import render_operation, render_slides

RECIPE = """
[recipe]
name = "tiny"
description = "A corpus for tests."

[[source]]
name = "one"
workspace = "one"
licence = "CC BY 4.0"
procedures = ["chole"]

[[source]]
name = "two"
workspace = "two"
licence = "CC BY-SA 4.0"

[[source]]
name = "frames"
frames = "frames"
licence = "CC BY-NC 4.0"
procedures = ["hernia repair"]
domain = "laparoscopic"
splits = "lists/frames.csv"
case = "video"

[splits]
val = 0.2
test = 0.2

[export]
formats = ["parquet", "webdataset"]

[dedup]
compare = false
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """Two workspaces that share an id and a video, and a downloaded folder of frames with bad pictures."""
    root = tmp_path_factory.mktemp("sources")
    local = {"a": "https://example.org/a", "clash": str(root / "x" / "clash.mp4"), "same": "https://example.org/same"}
    make_finished(root / "one", local, ["parquet"])
    make_finished(root / "two", {**local, "clash": str(root / "y" / "clash.mp4"), "b": "https://e.org/b"}, ["parquet"])
    for video in ("video01", "video02", "video03"):
        folder = root / "frames" / video
        folder.mkdir(parents=True)
        for n in range(1, 9):
            (folder / f"{video}_{n * 25:06d}.jpg").write_bytes(encode(picture(n)))
    bad = root / "frames" / "video03"
    (bad / "video03_000300.jpg").write_bytes(b"no picture")
    (bad / "video03_000325.jpg").write_bytes(encode(picture(1))[:300])
    PIL.Image.fromarray(picture(3)).save(bad / "video03_000350.png")
    named = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x010E] = "Jane Doe"
    PIL.Image.fromarray(picture(4)).save(named, "JPEG", exif=exif, comment=b"Jane Doe")
    (bad / "video03_000375.jpg").write_bytes(named.getvalue())
    (root / "lists").mkdir()
    (root / "lists" / "frames.csv").write_text("video,split\nvideo01,train\nvideo02,test\nvideo99,val\n")
    return root


def write(folder: Path, text: str = RECIPE, **changes: str) -> Path:
    for old, new in changes.items():
        text = text.replace(old, new)
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def composition(out: Path) -> dict[str, dict[str, str]]:
    with (out / "composition.csv").open(newline="") as stream:
        return {f"{row['source']}:{row['id']}": row for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def built(sources) -> Path:
    done = run("corpus", "build", write(sources), "-o", sources / "out")
    assert done.code == 2, done.err
    assert "2 pictures cannot be read" in done.err and "video03/video03_000325.jpg" in done.err
    assert "1 names of its splits are of no video here" in done.err
    return sources / "out"


def test_a_corpus_holds_every_source_once_and_says_what_became_of_each_video(built):
    rows = composition(built)
    assert {key: row["outcome"] for key, row in rows.items()} == {
        **{f"one:{name}": "in" for name in ("a", "clash", "same")},
        "two:a": "same",
        "two:same": "same",
        "two:two-clash": "in",
        "two:b": "in",
        **{f"frames:frames-video0{i}": "in" for i in (1, 2, 3)},
    }
    assert rows["frames:frames-video03"]["frames"] == "10"
    assert (rows["frames:frames-video01"]["split"], rows["frames:frames-video02"]["split"]) == ("train", "test")
    videos = {row["video_id"]: row for row in pq.read_table(built / "exports/parquet/videos.parquet").to_pylist()}
    assert set(videos) == {row["id"] for row in rows.values() if row["outcome"] == "in"}
    assert videos["a"]["licence"] == "CC BY 4.0" and videos["a"]["procedures"] == ["cholecystectomy"]
    assert videos["two-clash"]["licence"] == "CC BY-SA 4.0" and videos["two-clash"]["corpus"] == "two"
    assert videos["frames-video01"]["procedures"] == ["hernia_repair"]
    assert videos["frames-video01"]["seconds"] == pytest.approx(8 * 25)


def test_pictures_of_others_are_copied_without_what_they_tell(built, sources):
    table = pq.ParquetFile(built / "imported/frames/frames-video01.frames.parquet").read().to_pylist()
    assert table[0]["image"] == (sources / "frames/video01/video01_000025.jpg").read_bytes()
    assert [row["source_index"] for row in table] == [25 * n for n in range(1, 9)]
    named = pq.ParquetFile(built / "imported/frames/frames-video03.frames.parquet").read().to_pylist()[-1]["image"]
    assert b"Jane" not in named
    original = PIL.Image.open(sources / "frames/video03/video03_000375.jpg")
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(named))), np.asarray(original))
    with (built / "unreadable.csv").open(newline="") as stream:
        assert [row["picture"] for row in csv.DictReader(stream)] == [
            "video03/video03_000300.jpg",
            "video03/video03_000325.jpg",
        ]


def test_the_recipe_and_what_it_resolves_to_lie_in_the_corpus(built, sources):
    assert (built / "recipe.toml").read_text() == RECIPE
    told = json.loads((built / "recipe.json").read_text())
    assert told["resolved"]["export"]["quality"] == 95 and told["resolved"]["splits"]["by"]
    assert str(sources) not in json.dumps(told)
    record = json.loads((built / "exports/parquet/export.json").read_text())
    assert record["made_with"]["recipe.digest"] == told["digest"] == read_recipe(built / "recipe.toml").digest()
    assert run("verify", built / "exports").code == 0


def test_a_recipe_built_twice_is_the_same_byte_by_byte(built, sources, tmp_path):
    before = tree_bytes(built)
    assert run("corpus", "build", write(sources), "-o", built).code == 2
    assert tree_bytes(built) == before
    assert run("corpus", "build", write(sources), "-o", tmp_path / "again").code == 2
    names = [name for name in before if name.startswith(("exports/", "recipe", "composition", "corpus"))]
    again = tree_bytes(tmp_path / "again")
    assert {name: again[name] for name in names} == {name: before[name] for name in names}


def test_a_plan_shows_the_same_and_writes_nothing(sources, built):
    before = sorted(sources.rglob("*"))
    done = run("corpus", "plan", write(sources))
    assert done.code == 0, done.err
    assert ["frames", "3", "3", "0"] in [line.split() for line in done.out.splitlines()]
    assert sorted(sources.rglob("*")) == before


def test_a_selection_is_shown_nested_and_built(sources, tmp_path):
    taken = {}
    for frames in (6, 12):
        text = RECIPE + f'\n[balance]\nhow = "selection"\nby = ["corpus", "video"]\nframes = {frames}\n'
        text = text.replace("[splits]\nval = 0.2\ntest = 0.2\n", "").replace('splits = "lists/frames.csv"\n', "")
        done = run("corpus", "build", write(sources, text), "-o", tmp_path / str(frames))
        assert done.code == 2, done.err
        lines = [line.split() for line in done.out.splitlines()]
        total = next(line for line in lines if line[0] == "all")
        assert float(total[3]) == pytest.approx(frames, abs=1)
        rows = pq.read_table(tmp_path / str(frames) / "exports/webdataset/metadata.parquet").to_pylist()
        taken[frames] = {(row["key"], row["n"]) for row in rows}
    assert taken[6] < taken[12]
    assert 3 <= len(taken[6]) < len(taken[12]) <= 16


def test_sources_are_mixed_by_shards(sources, tmp_path):
    text = RECIPE + '\n[balance]\nhow = "mix"\nby = ["corpus"]\nalpha = 0.0\n'
    text = text.replace('formats = ["parquet", "webdataset"]', 'formats = ["webdataset"]')
    assert run("corpus", "build", write(sources, text), "-o", tmp_path / "out").code == 2
    told = json.loads((tmp_path / "out/exports/mixing.json").read_text())
    assert [part["name"] for part in told["parts"]] == ["frames", "one", "two"]
    assert [part["probability"] for part in told["parts"]] == pytest.approx([1 / 3] * 3, abs=1e-6)
    found = set()
    for part in told["parts"]:
        folder = tmp_path / "out/exports" / part["folders"]["webdataset"]
        rows = pq.read_table(folder / "videos.parquet").to_pylist()
        assert {row["corpus"] for row in rows} == {part["name"]}
        found |= {row["video_id"] for row in rows}
        assert run("verify", folder).code == 0
    assert found == {row["id"] for row in composition(tmp_path / "out").values() if row["outcome"] == "in"}
    done = run("corpus", "build", write(sources), "-o", tmp_path / "out")
    assert "of a former recipe" in done.err and not (tmp_path / "out/exports/mixing.json").exists()


@pytest.mark.slow
def test_videos_of_others_are_processed_in_a_workspace_of_the_corpus(tmp_path):
    (tmp_path / "export").mkdir()
    render_operation(tmp_path / "export" / "op.mp4")
    render_slides(tmp_path / "export" / "talk.mp4")
    (tmp_path / "export" / "broken.mp4").write_bytes(b"no video")
    text = '[recipe]\nname = "t"\n[[source]]\nname = "hospital"\nvideos = "export"\nlicence = "x"\n'
    text += "[source.options.sample]\nrate = 2.0\n[export]\nformats = ['parquet']\n"
    path = write(tmp_path, text)
    assert "until 'curate corpus build'" in run("corpus", "plan", path, "-o", tmp_path / "out").err
    assert run("corpus", "build", path, "-o", tmp_path / "out").code == 2
    rows = composition(tmp_path / "out")
    assert {key: row["outcome"] for key, row in rows.items()} == {
        "hospital:broken": "failed",
        "hospital:op": "in",
        "hospital:talk": "dropped",
    }
    assert int(rows["hospital:op"]["frames"]) == 12
    before = tree_bytes(tmp_path / "out" / "exports")
    assert run("corpus", "build", path, "-o", tmp_path / "out").code == 2
    assert tree_bytes(tmp_path / "out" / "exports") == before


def test_filters_name_what_does_not_fit(sources, tmp_path):
    text = RECIPE + '\n[filter]\nprocedures = ["cholecystectomy"]\nmin_height = 10\n'
    assert run("corpus", "build", write(sources, text), "-o", tmp_path / "out").code == 2
    rows = composition(tmp_path / "out")
    assert rows["frames:frames-video01"]["why"] == "procedure" and rows["two:b"]["outcome"] == "filtered"
    assert {key for key, row in rows.items() if row["outcome"] == "in"} == {"one:a", "one:clash", "one:same"}
    done = run("corpus", "diff", sources / "out", tmp_path / "out")
    assert done.code == 0
    assert "option filter.procedures: [] -> ['cholecystectomy']" in done.out
    assert "video b: only in the first (filtered: procedure)" in done.out
    assert run("corpus", "diff", tmp_path / "out", tmp_path / "out").out == "no difference\n"


def test_copies_lose_and_keep_to_one_split(sources, tmp_path):
    match = Match(
        *("a", "b", 0.0, 5.0, 0.0, 5.0, 0.0, 5.0, False, 5, 5, 5, 0.0, 1.0, None),
        seconds_a=5.0,
        seconds_b=5.0,
        pixels_a=100,
        pixels_b=90,
    )
    write_matches(sources / "matches.parquet", [match], "")
    text = RECIPE + 'matches = ["matches.parquet"]\n'
    assert run("corpus", "build", write(sources, text), "-o", tmp_path / "out").code == 2
    assert composition(tmp_path / "out")["two:b"]["why"] == "a shows it"
    text += "enabled = false\n"
    assert run("corpus", "build", write(sources, text), "-o", tmp_path / "both").code == 2
    rows = composition(tmp_path / "both")
    assert rows["two:b"]["outcome"] == "in" and rows["two:b"]["split"] == rows["one:a"]["split"]


def test_copies_are_found_across_sources_and_cost_the_smaller_one(tmp_path):
    for source, quality, size in (("first", 60, (160, 120)), ("second", 95, (320, 240))):
        for video, seeds in (
            ("shared", range(20)),
            (f"own-{source}", range(100 if source == "first" else 200, 400, 15)),
        ):
            (tmp_path / source / video).mkdir(parents=True)
            for n, seed in enumerate(seeds):
                image = PIL.Image.fromarray(texture(seed)).resize(size)
                image.save(tmp_path / source / video / f"{n:04d}.jpg", quality=quality)
    text = '[recipe]\nname = "t"\n[export]\nformats = ["parquet"]\n[splits]\ntest = 0.5\n'
    text += "".join(f'[[source]]\nname = "{n}"\nframes = "{n}"\nlicence = "x"\n' for n in ("first", "second"))
    assert run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out").code == 0
    rows = composition(tmp_path / "out")
    assert {key: (row["outcome"], row["why"]) for key, row in rows.items()} == {
        "first:first-own-first": ("in", ""),
        "first:first-shared": ("duplicate", "second-shared shows it"),
        "second:second-own-second": ("in", ""),
        "second:second-shared": ("in", ""),
    }
    before = tree_bytes(tmp_path / "out")
    assert run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out").code == 0
    assert tree_bytes(tmp_path / "out") == before
    kept = text + "[dedup]\nenabled = false\n"
    assert run("corpus", "build", write(tmp_path, kept), "-o", tmp_path / "both").code == 0
    rows = composition(tmp_path / "both")
    assert rows["first:first-shared"]["split"] == rows["second:second-shared"]["split"]


def texture(seed: int) -> np.ndarray:
    """A picture with content of its own."""
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), np.uint8)
    return np.asarray(PIL.Image.fromarray(coarse).resize((320, 240), PIL.Image.Resampling.BICUBIC))


def test_building_again_with_more_videos_moves_nobody(sources, tmp_path):
    shutil.copytree(sources / "frames", tmp_path / "frames")
    text = '[recipe]\nname = "t"\n[[source]]\nname = "f"\nframes = "frames"\nlicence = "x"\n'
    text += (
        "[dedup]\ncompare = false\n[splits]\ntest = 0.4\nval = 0.2\nstratify = true\n[export]\nformats = ['parquet']\n"
    )
    assert run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out").code == 2
    before = composition(tmp_path / "out")
    for i in range(4, 12):
        shutil.copytree(tmp_path / "frames/video01", tmp_path / f"frames/video{i:02d}")
        for path in (tmp_path / f"frames/video{i:02d}").iterdir():
            path.rename(path.with_name(path.name.replace("video01", f"video{i:02d}")))
    assert run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out").code == 2
    after = composition(tmp_path / "out")
    assert len(after) == 11 and {row["split"] for row in after.values()} == {"train", "val", "test"}
    assert all(after[key]["split"] == row["split"] for key, row in before.items())
    shutil.rmtree(tmp_path / "frames/video01")
    done = run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out")
    assert "1 videos of the former build are not in this one: f-video01" in done.err


def test_what_is_purged_or_taken_out_leaves_nothing_in_the_corpus(tmp_path):
    ids = ["kept-video", "purged-video", "other-video"]
    make_finished(tmp_path / "work", {name: f"https://example.org/{name}" for name in ids}, ["parquet"])
    for video in ("frames01", "removed02"):
        (tmp_path / "f" / video).mkdir(parents=True)
        (tmp_path / "f" / video / "000001.jpg").write_bytes(encode(picture(1)))
    text = '[recipe]\nname = "t"\n[[source]]\nname = "w"\nworkspace = "work"\nlicence = "x"\n'
    text += '[[source]]\nname = "f"\nframes = "f"\nlicence = "x"\n[splits]\ntest = 0.4\n'
    text += "[dedup]\ncompare = false\n[balance]\nhow = 'selection'\nby = ['video']\ncap_video = 2\n"
    text += "[export]\nformats = ['webdataset']\n"
    assert run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out").code == 0
    gone = ["purged-video", "removed02"]
    assert {mention.video for mention in search_tree(tmp_path / "out", gone).mentions} == set(gone)
    assert run("purge", "-w", tmp_path / "work", "--id", "purged-video", "--yes").code == 0
    shutil.rmtree(tmp_path / "f" / "removed02")
    done = run("corpus", "build", write(tmp_path, text), "-o", tmp_path / "out")
    assert done.code == 0 and "2 videos of the former build are not in this one" in done.err
    left = search_tree(tmp_path / "out", gone).mentions
    assert [mention.path.name for mention in left if mention.video == "purged-video"] == []
    assert all(mention.path.name.startswith("splits-") for mention in left)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ('licence = "CC BY 4.0"', "", 6, "has no licence"),
        ('workspace = "one"', 'workspaces = "one"', 8, "did you mean 'workspace'"),
        ("[splits]", "[split]", 26, "did you mean 'splits'"),
        ('domain = "laparoscopic"', 'domain = "laparoscopy"', 22, "did you mean 'laparoscopic'"),
        ('["chole"]', '["cholecystectomi"]', 10, "did you mean 'cholecystectomy'"),
        ("val = 0.2", "val = 2", 27, "out of range"),
        ("val = 0.2", 'val = "much"', 27, "expected float"),
        ('formats = ["parquet", "webdataset"]', "formts = []", 31, "did you mean 'formats'"),
        ('formats = ["parquet", "webdataset"]', "val_fraction = 0.1", 31, "stands in the table [splits]"),
        ('name = "two"', 'name = "one"', 13, "two sources named 'one'"),
        ('name = "tiny"', 'name = "../tiny"', 3, "name the corpus"),
        ('frames = "frames"', 'frames = "nowhere"', 17, "no such folder"),
        ('workspace = "two"', 'workspace = "nowhere"', 12, "not a workspace"),
        ("[splits]", '[balance]\nhow = "selection"\nby = ["video", "corpus"]\n[splits]', 28, "video last"),
        ("[splits]", "[balance]\nalpha = 1.0\n[splits]", 27, "says nothing without balance.how"),
        ("[splits]", '[balance]\nhow = "weights"\ncap_video = 3\n[splits]', 28, "says nothing to weights"),
        ('splits = "lists/frames.csv"', 'splits = "cataracts"', 17, "names none of the 3 videos"),
        ("[recipe]", "[recipe", 2, "line 2"),
        ('workspace = "two"', 'videos = "x"\noptions.download.proxy = "http://a:b@c"', 12, "is not taken from"),
    ],
)
def test_what_is_wrong_in_a_recipe_has_its_line(sources, tmp_path, old, new, line, what):
    path = write(sources, RECIPE.replace(old, new, 1))
    done = run("corpus", "build", path, "-o", tmp_path / "out")
    assert done.code == 1
    assert what in done.err
    assert f"{path}:{line}: " in done.err or f"line {line}" in done.err
    assert not (tmp_path / "out" / "exports").exists()


def test_a_folder_of_something_else_is_not_written_to(sources, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    done = run("corpus", "build", write(sources), "-o", tmp_path)
    assert done.code == 1 and "thesis.txt" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_names_that_tell_no_frame_or_two_are_refused(tmp_path, sources):
    text = '[recipe]\nname = "t"\n[[source]]\nname = "f"\nframes = "f"\nlicence = "x"\n'
    for name in ("p/case_1_001.jpg", "q/case_1_001.jpg"):
        (tmp_path / "f" / name).parent.mkdir(parents=True)
        (tmp_path / "f" / name).write_bytes(encode(picture(1)))
    done = run("corpus", "plan", write(tmp_path, text))
    assert done.code == 1 and "both frame 1 of case_1" in done.err
    for name in ("p/a_7.jpg", "p/b_7.jpg", "q/last.jpg"):
        (tmp_path / "f" / name).write_bytes(encode(picture(1)))
    done = run("corpus", "plan", write(tmp_path, text + "pattern = '^(.*)/'\n"))
    assert done.code == 0 and ["f", "2", "2"] in [line.split() for line in done.out.splitlines()]


def test_presets_ask_for_licences_and_for_nothing_else(tmp_path):
    listed = run("corpus", "recipes").out
    assert len(presets()) == 8
    for name in presets():
        assert name in listed
        text = run("corpus", "recipes", name).out
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        assert "has no licence" in run("corpus", "plan", path).err
        path.write_text(text.replace("# licence", "licence"))
        recipe = read_recipe(path)
        assert recipe.about.name == name and recipe.about.sources
    assert "did you mean surgenet-xl" in run("corpus", "recipes", "surgenet-x").err
    assert "is a preset" in run("corpus", "build", "lemon", "-o", tmp_path / "o").err


def test_lines_of_a_recipe():
    lines = toml_lines("a = 1\n[t]\nb.c = 2\n[[s]]\nx = 1\n[s.f]\ny = 2\n[[s]]\n'x' = 3\n")
    assert lines[("a",)] == 1 and lines[("t", "b", "c")] == 3
    assert lines[("s", 0, "x")] == 5 and lines[("s", 0, "f", "y")] == 7 and lines[("s", 1, "x")] == 9


def test_cards_say_what_the_recipe_says_and_another_word_rewrites_no_shard(sources, tmp_path):
    two = RECIPE.split("[[source]]")
    text = (
        "[[source]]".join([two[0], two[1], two[2]]) + '\n[export]\nformats = ["parquet"]\n\n[dedup]\ncompare = false\n'
    )
    out = sources / "carded"
    assert run("corpus", "build", write(sources, text), "-o", out).code == 0
    card = (out / "exports" / "parquet" / "README.md").read_text()
    assert "# tiny" in card and "A corpus for tests." in card and "| list | named | in the corpus | waiting |" in card
    assert "| two | 4 |" in card and "| two | composition: same | " in card
    digest = json.loads((out / "recipe.json").read_text())["digest"]
    before = {path: path.stat().st_ino for path in (out / "exports").rglob("*") if path.is_file()}
    text += '\n[card]\nname = "Ours"\ncreators = ["A Lab"]\n'
    assert run("corpus", "build", write(sources, text), "-o", out).code == 0
    after = {path: path.stat().st_ino for path in (out / "exports").rglob("*") if path.is_file()}
    assert {path.name for path in after if before.get(path) != after[path]} == {
        "README.md",
        "croissant.json",
        "export.json",
    }
    card = (out / "exports" / "parquet" / "README.md").read_text()
    assert "# Ours" in card and "A corpus for tests." in card and "Made by A Lab." in card
    assert json.loads((out / "recipe.json").read_text())["digest"] == digest
    done = run("corpus", "plan", write(sources, text + "colour = 1\n"))
    assert done.code == 1 and "unknown name 'colour' in [card]" in done.err
