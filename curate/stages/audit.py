"""Look for what may identify a person in surgical frames: faces, and text that reads like a name, date or identifier.

Findings are stored as boxes. What was read is personal data itself and is not stored, only its shape. Whether such
frames are masked further or left out is decided when shards are written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import AuditOptions
from curate.files.digest import sha256_of
from curate.nets.detect import face_detector, text_detector, text_reader
from curate.nets.detect.fusion import Region
from curate.nets.onnx_session import providers
from curate.records import FINDING_KINDS, Done, Failed, Outcome, Reason, Video
from curate.stage import Files, Lane, Stage
from curate.stages.mask import decoded_frames
from curate.workspace.reading import BadArtefact, check_all_seen, frames_to_look_at, read_batches
from curate.workspace.row_writer import RowWriter
from curate.workspace.tables import audit_schema

if TYPE_CHECKING:
    from curate.privacy.finder import PersonalFinder


class AuditStage(Stage[AuditOptions]):
    """Faces, names, dates and identifiers on the frames of one video that are kept."""

    name = "audit"
    folder = "audit"
    inputs = ("sample", "trim", "mask")
    version = 2

    _finder: PersonalFinder | None = None

    @property
    def enabled(self) -> bool:
        """If anything is looked for."""
        return self.options.faces or self.options.text

    @property
    def lane(self) -> Lane:
        """A GPU worker if the networks will run on one."""
        return "gpu" if providers(self.options.device)[0][0] == "CUDAExecutionProvider" else "cpu"

    def fingerprint_extra(self) -> dict[str, Any]:
        """The weights of the networks in use."""
        weights: dict[str, Any] = {}
        if self.options.faces:
            weights["faces"] = sha256_of(face_detector.packaged_model())
        if self.options.text:
            weights["text"] = sha256_of(text_detector.packaged_model())
            weights["reader"] = sha256_of(text_reader.packaged_model())
        return weights

    def setup(self) -> None:
        """Load the networks in use."""
        from curate.privacy.finder import PersonalFinder

        self._finder = PersonalFinder(self.options)

    def process(self, video: Video, files: Files) -> Outcome:
        """Write ``audit/{id}.parquet``, one row a finding; a video without any gets an empty table."""
        from curate.privacy.gaps import fill_gaps

        assert self._finder is not None, "setup() loads the networks"
        self._finder.reset()
        artefact = files.temporary(".parquet")
        figures = dict.fromkeys(
            ["frames", "frames_with_findings", *(f"frames_with_{kind}s" for kind in FINDING_KINDS)], 0
        )
        try:
            wanted = frames_to_look_at(files.inputs["trim"])
            regions = _Regions(files.inputs["mask"])
            with RowWriter(artefact, audit_schema()) as writer:
                frames = decoded_frames(files.inputs["sample"], wanted)
                for n, found in fill_gaps((n, self._finder.find(image, regions.of(n))) for n, image in frames):
                    for finding in found:
                        writer.add({"n": n, **finding._asdict()})
                    figures["frames"] += 1
                    figures["frames_with_findings"] += bool(found)
                    for kind in {finding.kind for finding in found}:
                        figures[f"frames_with_{kind}s"] += 1
            check_all_seen(files.inputs["sample"], wanted, figures["frames"])
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error))
        return Done(artefact, figures=figures)

    def close(self) -> None:
        """Let the networks go."""
        self._finder = None


class _Regions:
    """Regions of a video, asked for in rising order of frames."""

    def __init__(self, path: Path) -> None:
        self._rows = _rows(path)
        self._next = next(self._rows, None)

    def of(self, n: int) -> list[Region]:
        found = []
        while self._next is not None and self._next[0] <= n:
            if self._next[0] == n:
                found.append(self._next[1])
            self._next = next(self._rows, None)
        return found


def _rows(path: Path) -> Iterator[tuple[int, Region]]:
    for batch in read_batches(path, ["n", *Region._fields], 4096):
        columns = (batch.column(name).to_pylist() for name in ("n", *Region._fields))
        for n, *region in zip(*columns, strict=True):
            yield n, Region(*region)
