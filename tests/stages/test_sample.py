from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import simplejpeg

from curate.config import SampleOptions
from curate.errors import CurateError
from curate.media.decode import Sampler
from curate.media.select import AtRate, Native
from curate.records import Done, Dropped, Failed, Outcome, Reason, Video
from curate.stage import Files
from curate.stages.sample import SampleStage
from curate.workspace.tables import frame_schema
from tests.media.videos import decode_everything, encode, on_screen

X264 = {"preset": "veryfast", "g": "50"}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(tmp_path_factory.mktemp("source") / "v.mp4", options=X264, frames=130, size=(160, 96))


def run(source: Path, folder: Path, options: SampleOptions | None = None, video: str = "v") -> Outcome:
    stage = SampleStage(options or SampleOptions())
    stage.setup()
    outcome = stage.process(Video(video, str(source)), Files({"download": source}, folder, video))
    stage.close()
    return outcome


def done(outcome: Outcome) -> Done:
    assert isinstance(outcome, Done), outcome
    return outcome


def test_artefact(source: Path, tmp_path: Path) -> None:
    outcome = done(run(source, tmp_path))
    assert outcome.artefact == tmp_path / ".v.tmp.parquet"
    assert outcome.figures == {"frames": 6, "seconds": 5.2}
    assert outcome.note == ""
    file = pq.ParquetFile(outcome.artefact)
    assert file.schema_arrow.remove_metadata().equals(frame_schema())
    rows = file.read().to_pylist()
    frames = decode_everything(source)
    for n, row in enumerate(rows):
        index = on_screen(frames, Fraction(n))
        assert (row["n"], row["source_index"], row["timestamp"]) == (n, index, float(frames[index][0]))
        assert (row["width"], row["height"], row["key_frame"]) == (160, 96, frames[index][1])
        image = simplejpeg.decode_jpeg(row["image"])
        assert np.abs(image.astype(int) - frames[index][2]).mean() < 12
    metadata = file.metadata.metadata
    assert metadata[b"codec"] == b"h264"
    assert metadata[b"colours"] == b"bt601 limited"
    assert metadata[b"source_frames"] == b"130"
    assert float(metadata[b"duration"]) == 5.2


def test_images_are_stored_plain_in_groups_of_a_hundred(source: Path, tmp_path: Path) -> None:
    outcome = done(run(source, tmp_path, SampleOptions(selection="native")))
    metadata = pq.ParquetFile(outcome.artefact).metadata
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [100, 30]
    column = metadata.row_group(0).column(metadata.schema.names.index("image"))
    assert column.compression == "UNCOMPRESSED"
    assert "DICTIONARY" not in "".join(column.encodings)


def test_same_bytes_in_every_process(source: Path, tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from tests.stages.test_sample import run; "
        "run(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    digests = set()
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", code, str(source), str(folder)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).resolve().parents[2],
        )
        digests.add(hashlib.sha256((folder / ".v.tmp.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_repeated_frame_is_encoded_once_and_stored_for_each_sample(tmp_path: Path) -> None:
    times = [0, 3000, 3040]
    source = encode(
        tmp_path / "slides.mp4", options=X264, frames=3, times=times, time_base=Fraction(1, 1000), size=(160, 96)
    )
    rows = pq.read_table(done(run(source, tmp_path)).artefact).to_pylist()
    assert [(row["n"], row["timestamp"]) for row in rows] == [(0, 0), (1, 0), (2, 0), (3, 3)]
    assert rows[0]["image"] == rows[1]["image"] == rows[2]["image"] != rows[3]["image"]


@pytest.mark.parametrize(
    ("options", "indices"),
    [
        ({"selection": "rate", "rate": 0.5}, [0, 50, 100]),
        ({"selection": "every", "every": 60}, [0, 60, 120]),
        ({"selection": "keyframes"}, [0, 50, 100]),
        ({"selection": "native"}, list(range(130))),
    ],
)
def test_selections(source: Path, tmp_path: Path, options: dict[str, object], indices: list[int]) -> None:
    outcome = done(run(source, tmp_path, SampleOptions(**options)))  # type: ignore[arg-type]
    assert pq.read_table(outcome.artefact)["source_index"].to_pylist() == indices


def test_frame_list(source: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text("\n".join(f"cholecystectomy/Batch1/v_frame_{n}_Sample{n + 900}.jpg" for n in (4, 0, 1, 6, 99)))
    options = SampleOptions(selection="list", frame_list=listing)
    outcome = done(run(source, tmp_path, options))
    table = pq.read_table(outcome.artefact)
    assert table["n"].to_pylist() == [0, 1, 4]
    assert table["source_index"].to_pylist() == [0, 25, 100]
    assert "2 of 5 listed frames" in outcome.note
    assert "6, 99" in outcome.note
    assert run(source, tmp_path, options, video="other") == Dropped(
        Reason.NOT_LISTED, f"{listing} names no frame of other"
    )


def test_frame_list_is_part_of_the_fingerprint_by_its_content(tmp_path: Path) -> None:
    digests = []
    for name, text in (("a", "v_frame_1.jpg"), ("b", "v_frame_1.jpg"), ("c", "v_frame_2.jpg")):
        (tmp_path / name).write_text(text)
        digests.append(
            SampleStage(SampleOptions(selection="list", frame_list=tmp_path / name)).fingerprint_extra()["frame_list"]
        )
    assert digests[0] == digests[1] != digests[2]
    assert SampleStage(SampleOptions()).fingerprint_extra() == {}
    with pytest.raises(CurateError, match="frame_list"):
        SampleStage(SampleOptions(selection="list")).setup()


@pytest.mark.parametrize(("options", "size"), [({"max_long_side": 80}, (80, 48)), ({"max_short_side": 48}, (80, 48))])
def test_size_limits(source: Path, tmp_path: Path, options: dict[str, int], size: tuple[int, int]) -> None:
    table = pq.read_table(done(run(source, tmp_path, SampleOptions(**options))).artefact)  # type: ignore[arg-type]
    assert (table["width"][0].as_py(), table["height"][0].as_py()) == size
    assert simplejpeg.decode_jpeg_header(table["image"][0].as_py())[:2] == size[::-1]


def test_quality_and_chroma_reach_the_encoder(source: Path, tmp_path: Path) -> None:
    sizes = {}
    for quality, chroma in ((95, "444"), (95, "420"), (60, "420")):
        options = SampleOptions(quality=quality, chroma=chroma)  # type: ignore[arg-type]
        image = pq.read_table(done(run(source, tmp_path, options)).artefact)["image"][0].as_py()
        assert simplejpeg.decode_jpeg_header(image)[3] == chroma
        sizes[quality, chroma] = len(image)
    assert sizes[95, "444"] > sizes[95, "420"] > sizes[60, "420"]


def test_files_without_frames_are_failures(source: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    for content, reason in ((b"", Reason.EMPTY_FILE), (b"not a video at all" * 99, Reason.NOT_A_VIDEO)):
        broken.write_bytes(content)
        outcome = run(broken, tmp_path)
        assert isinstance(outcome, Failed)
        assert outcome.reason is reason
        assert not outcome.retryable
    listing = tmp_path / "list.txt"
    listing.write_text("v_frame_400.jpg")
    outcome = run(source, tmp_path, SampleOptions(selection="list", frame_list=listing))
    assert isinstance(outcome, Failed)
    assert outcome.reason is Reason.NO_FRAMES


def test_truncated_video_says_what_is_lost(source: Path, tmp_path: Path) -> None:
    whole = encode(
        tmp_path / "whole.mp4", options=X264, frames=130, container_options={"movflags": "faststart"}
    ).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    outcome = done(run(cut, tmp_path))
    assert 1 <= outcome.figures["frames"] <= 4
    assert "before its header says" in outcome.note
    assert pq.ParquetFile(outcome.artefact).metadata.metadata[b"losses"].decode() == outcome.note


@pytest.mark.parametrize("name", [f"dev0{index}" for index in range(1, 7)])
def test_real_videos(name: str, shared_data: Path, tmp_path: Path) -> None:
    """25, 30, 29.97, 23.976 and 60 fps: one sample a second, at the frame on screen, out of fewer packets."""
    source = shared_data / "videos" / f"{name}.mp4"
    truth = json.loads(source.with_suffix(".json").read_text())
    outcome = done(run(source, tmp_path, SampleOptions(max_long_side=64), video=name))
    rows = pq.read_table(outcome.artefact).drop_columns(["image"]).to_pylist()
    fps = Fraction(truth["fps"]).limit_denominator(1001)
    assert outcome.figures["seconds"] == pytest.approx(truth["duration"], abs=0.002)
    assert [row["n"] for row in rows] == list(range(int(np.ceil(round(truth["duration"], 3)))))
    for row in rows:
        assert row["source_index"] == int(row["n"] * fps)
        assert row["timestamp"] == pytest.approx(float(row["source_index"] / fps), abs=1e-6)
        assert row["timestamp"] <= row["n"] < row["timestamp"] + 1 / fps


@pytest.mark.slow
def test_real_video_bit_for_bit(shared_data: Path) -> None:
    path = shared_data / "videos" / "dev03.mp4"
    sampler = Sampler(path, AtRate(1))
    samples = {sampled.source_index: sampled.image for sampled in sampler}
    assert sampler.statistics.sent < 0.55 * sampler.statistics.frames
    found = 0
    for sampled in Sampler(path, Native(), whole=True):
        if sampled.source_index in samples:
            assert np.array_equal(sampled.image, samples[sampled.source_index])
            found += 1
    assert found == len(samples)


def test_options_that_change_nothing_stay_out_of_the_fingerprint() -> None:
    outside = {field.name for field in dataclasses.fields(SampleOptions) if not field.metadata["output"]}
    assert outside == {"frame_list", "decoder"}


def test_without_a_gpu_the_cpu_decodes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    caplog.set_level("INFO", logger="curate")
    content = {}
    for decoder in ("cpu", "gpu"):
        outcome = done(run(source, tmp_path, SampleOptions(decoder=decoder)))  # type: ignore[arg-type]
        assert outcome.artefact is not None
        content[decoder] = outcome.artefact.read_bytes()
    assert content["gpu"] == content["cpu"]
    assert "decoded by the CPU" in caplog.text
