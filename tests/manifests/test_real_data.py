from collections import Counter

from curate.manifests import read_sources


def test_lemon(shared_data):
    report = read_sources([shared_data / "manifests/lemon_labels.json"])
    assert not report.bad_rows and not report.duplicates and not report.unknown_procedures
    assert len(report.videos) == 4194
    assert len({name for v in report.videos for name in v.procedures}) == 35
    assert sum(v.robotic is True for v in report.videos) == 1667
    assert Counter(len(v.procedures) for v in report.videos) == {1: 3928, 2: 263, 3: 3}
    assert sum(v.id.startswith("-") for v in report.videos) == 60


def test_gensurgery(shared_data):
    report = read_sources([shared_data / "manifests/gensurgery"])
    assert (report.rows_read, report.rows_ignored, len(report.videos)) == (3671, 26, 3180)
    assert len(report.duplicates) == 463
    assert [bad.content[-10:] for bad in report.bad_rows] == ["y-dzvsXvmk", "YPN2ruHekj"]
    assert not report.unknown_procedures


def test_videos_with_truth_files_beside_them(shared_data):
    report = read_sources([shared_data / "videos"])
    assert report.formats[0][1] == "folder"
    assert [v.id for v in report.videos] == [f"dev0{n}" for n in range(1, 7)]
