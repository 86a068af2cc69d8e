"""The signature stage on encoded videos."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.config import FieldOptions, SignatureOptions
from curate.errors import BadArtefact
from curate.records import SURGICAL, Done, Failed, Reason, Region, Video
from curate.stage import Files
from curate.stages.field import FieldStage
from curate.stages.signature import SignatureStage
from curate.vision.perceptual_hash import distances
from curate.workspace.tables import region_schema, signature_schema
from curate.workspace.tables.regions import BoxWriter
from curate.workspace.tables.signatures import Signature, read_signature, write_signature
from tests.stages.test_field import CIRCLE, PILLARS, judged, sampled
from tests.vision.scopes import Scope

VIDEO = Video(id="v", source="/videos/v.mp4")
ON = SignatureOptions(method="hashes")


def sign(files: Files, **inputs: Path) -> Signature:
    folder = files.folder.parent / "signatures"
    folder.mkdir(exist_ok=True)
    files = dataclasses.replace(files, folder=folder, inputs={**files.inputs, **inputs})
    outcome = SignatureStage(ON).process(VIDEO, files)
    assert isinstance(outcome, Done), outcome
    assert pq.read_schema(outcome.artefact).remove_metadata() == signature_schema()
    signature = read_signature(outcome.artefact)
    assert outcome.figures == {"hashes": len(signature.n)}
    return signature


def field_of(files: Files) -> Path:
    outcome = FieldStage(FieldOptions()).process(VIDEO, files)
    assert isinstance(outcome, Done)
    return outcome.artefact


def covered(folder: Path, boxes: dict[int, tuple[int, int, int, int]]) -> Path:
    with BoxWriter(folder / "regions.parquet", region_schema()) as writer:
        for n, box in boxes.items():
            writer.add(n, [Region(*box, "logo", 0.9, "drawn")])
    return folder / "regions.parquet"


def test_kept_frames_are_hashed_and_no_others(tmp_path: Path) -> None:
    scope = Scope()
    files = sampled(tmp_path, [scope.frame(5, n) for n in range(6)], left_out=[0, 3])
    signature = sign(files)
    assert signature.n.tolist() == [1, 2, 4, 5]
    assert signature.timestamps.tolist() == [1.0, 2.0, 4.0, 5.0]
    assert (signature.width, signature.height, signature.spacing) == (480, 270, 1.0)
    assert signature.whole.shape == signature.mirror.shape == (4, 32) and signature.crops.shape == (4, 6, 32)


def test_of_many_frames_a_second_one_is_hashed(tmp_path: Path) -> None:
    files = sampled(tmp_path, [Scope().frame(5, n) for n in range(12)])
    table = pq.read_table(files.inputs["trim"])
    quarter = pa.array([n / 4 - 0.01 * (n == 8) for n in range(12)])
    pq.write_table(table.set_column(1, table.schema.field("timestamp"), quarter), files.inputs["trim"])
    assert sign(files).n.tolist() == [0, 2, 6, 10]


def test_surrounds_and_masked_regions_are_left_out(tmp_path: Path) -> None:
    plain = sampled(tmp_path / "plain", [CIRCLE.frame(7, n) for n in range(6)])
    logos = [CIRCLE.frame(7, n) for n in range(6)]
    for image in logos:
        image[110:160, 180:260] = (0, 255, 255)
    marked = sampled(tmp_path / "marked", logos)
    box = covered(tmp_path / "marked", dict.fromkeys(range(6), (180, 110, 260, 160)))
    bare = sign(plain, field=field_of(plain))
    masked = sign(marked, field=field_of(marked), mask=box)
    assert (bare.frame != bare.whole).any()
    naked = sign(marked)
    assert np.median(distances(bare.whole, masked.whole)) + 16 < np.median(distances(bare.whole, naked.whole))


def test_pillars_hardly_change_the_hash(tmp_path: Path) -> None:
    framed = [PILLARS.frame(9, n) for n in range(6)]
    pillared = sampled(tmp_path / "pillared", framed)
    bare = sampled(tmp_path / "bare", [np.ascontiguousarray(image[:, 70:410]) for image in framed])
    truth = sign(bare).whole
    with_field, without = (
        np.median(distances(one.whole, truth)) for one in (sign(pillared, field=field_of(pillared)), sign(pillared))
    )
    assert with_field <= 64 and with_field + 32 < without


def test_a_video_of_which_nothing_is_kept_has_an_empty_table(tmp_path: Path) -> None:
    files = sampled(tmp_path, [Scope().frame(1, n) for n in range(3)], left_out=[0, 1, 2])
    signature = sign(files)
    assert len(signature.n) == 0 and signature.crops.shape == (0, 6, 32)


@pytest.mark.parametrize("damage", ["frames", "verdicts", "picture", "missing"])
def test_damaged_inputs_are_named(tmp_path: Path, damage: str) -> None:
    files = sampled(tmp_path, [Scope().frame(1, n) for n in range(3)])
    if damage in ("frames", "verdicts"):
        files.inputs["sample" if damage == "frames" else "trim"].write_bytes(b"no table")
    elif damage == "picture":
        table = pq.read_table(files.inputs["sample"])
        torn = pa.array([b"\xff\xd8 torn"] * 3, pa.binary())
        index = table.schema.get_field_index("image")
        pq.write_table(table.set_column(index, table.schema.field("image"), torn), files.inputs["sample"])
    else:
        files = judged(tmp_path, files.inputs["sample"], [SURGICAL] * 5)
    outcome = SignatureStage(ON).process(VIDEO, files)
    assert isinstance(outcome, Failed) and outcome.reason is Reason.BAD_ARTEFACT
    assert str(tmp_path) in outcome.detail


def test_a_table_that_is_not_one_is_refused(tmp_path: Path) -> None:
    codes = np.zeros((2, 32), np.uint8)
    times = np.array([0.0, 1.0])
    good = Signature(
        *(np.arange(2, dtype=np.int32), times, np.zeros(2, np.uint8), codes, codes, np.zeros((2, 6, 32), np.uint8)),
        *(codes, 640, 360, 1.0),
    )
    write_signature(tmp_path / "s.parquet", good)
    assert read_signature(tmp_path / "s.parquet").crops.tobytes() == good.crops.tobytes()
    write_signature(tmp_path / "s.parquet", dataclasses.replace(good, timestamps=times[::-1].copy()))
    with pytest.raises(BadArtefact, match="do not rise"):
        read_signature(tmp_path / "s.parquet")
    write_signature(tmp_path / "s.parquet", dataclasses.replace(good, spacing=0.0))
    with pytest.raises(BadArtefact, match="size and spacing"):
        read_signature(tmp_path / "s.parquet")


def test_it_is_off_until_asked_for() -> None:
    assert not SignatureStage(SignatureOptions()).enabled and SignatureStage(ON).enabled
