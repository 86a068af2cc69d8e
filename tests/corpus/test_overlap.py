from __future__ import annotations

import csv

from hypothesis import given
from hypothesis import strategies as st

from curate.corpus.overlap import overlap
from curate.records import Video
from tests.corpus.running import run

names = st.sets(st.sampled_from("abcdefghij"))


def videos(ids):
    return [Video(id=name, source="https://example.org", procedures=("y",)) for name in ids]


@given(names, names, names)
def test_counts_add_up(one, two, three):
    lists = {"one": videos(one), "two": videos(two), "three": videos(three)}
    found = overlap(lists, videos(one | two | three))
    shared = {(pair.one, pair.other): pair.videos for pair in found.pairs}
    assert found.videos == (len(one), len(two), len(three)) and found.together == len(one | two | three)
    assert shared["one", "two"] == len(one & two) and shared["two", "three"] == len(two & three)
    assert found.only[0] == len(one - two - three)
    assert sum(row.together for row in found.procedures) == found.together


def test_the_command_joins_lists_by_the_ids_behind_their_links(tmp_path):
    (tmp_path / "one.csv").write_text("id,procedures\naaaaaaaaaaa,chole\nbbbbbbbbbbb,chole;appendectomy\n")
    (tmp_path / "two.txt").write_text(
        "https://youtu.be/aaaaaaaaaaa?si=x\nhttps://www.youtube.com/watch?v=ccccccccccc\n"
    )
    done = run("corpus", "compose", tmp_path / "one.csv", tmp_path / "two.txt", "-o", tmp_path / "table.csv")
    assert done.code == 0, done.err
    assert "one and two share 1 videos: 50.0% of one, 50.0% of two" in done.out
    with (tmp_path / "table.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["procedure", "one", "two", "together"],
            ["cholecystectomy", "2", "0", "2"],
            ["appendectomy", "1", "0", "1"],
            ["unknown", "0", "2", "1"],
        ]


def test_the_two_published_lists_joined(shared_data):
    lists = shared_data / "manifests"
    done = run("corpus", "compose", lists / "lemon_labels.json", lists / "gensurgery")
    assert done.code == 2, done.err  # two links of GenSurgery are cut
    assert ["together", "6,904"] in [line.split() for line in done.out.splitlines()]
    assert "share 470 videos: 11.2% of lemon_labels, 14.8% of gensurgery" in done.out
    assert ["cholecystectomy", "229", "367", "569"] in [line.split() for line in done.out.splitlines()]
