"""Look for what may identify a person in surgical frames: faces, and text that reads like a name, date or identifier.

Findings are stored as boxes. What was read is personal data itself and is not stored, only its shape. Whether such
frames are masked further or left out is decided when shards are written.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from curate.config import AuditOptions
from curate.errors import BadArtefact
from curate.files.digest import sha256_of
from curate.nets.detect import face_detector, text_detector, text_reader
from curate.nets.onnx_session import runs_on_gpu
from curate.records import FINDING_KINDS, Done, Failed, Outcome, Reason, Video
from curate.stage import Files, Resources, Stage
from curate.stages.mask import decoded_frames
from curate.workspace.reading import check_all_seen, frames_to_look_at
from curate.workspace.tables import audit_schema
from curate.workspace.tables.regions import BoxWriter, ByFrame, read_regions

if TYPE_CHECKING:
    from curate.privacy.finder import PersonalFinder


SEEN = ("face_glances", "face_frames", "face_tiles", "line_frames", "reader_frames", "reader_lines")
"""Figures that say what each network saw: frames that the face detector saw at a glance and closely, and tiles of the
latter (960 are a frame); frames in whose regions the text detector sought lines; frames and lines that were read."""


class AuditStage(Stage[AuditOptions]):
    """Faces, names, dates and identifiers on the frames of one video that are kept."""

    name = "audit"
    folder = "audit"
    inputs = ("sample", "trim", "mask")
    version = 3

    _finder: PersonalFinder | None = None

    @property
    def enabled(self) -> bool:
        """If anything is looked for."""
        return self.options.faces or self.options.text

    @property
    def resources(self) -> Resources:
        """A GPU if the networks will run on one."""
        return Resources.of_network(runs_on_gpu(self.options.device), self.options.device)

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
        seen: Counter[str] = Counter()
        self._finder.reset(seen)
        artefact = files.temporary(".parquet")
        figures = dict.fromkeys(
            ["frames", "frames_with_findings", *(f"frames_with_{kind}s" for kind in FINDING_KINDS)], 0
        )
        try:
            wanted = frames_to_look_at(files.inputs["trim"])
            regions = ByFrame(files.inputs["mask"], read_regions)
            with BoxWriter(artefact, audit_schema()) as writer:
                frames = files.watched(decoded_frames(files.inputs["sample"], wanted))
                for n, found in fill_gaps((n, self._finder.find(n, image, regions.of(n))) for n, image in frames):
                    writer.add(n, found)
                    figures["frames"] += 1
                    figures["frames_with_findings"] += bool(found)
                    for kind in {finding.kind for finding in found}:
                        figures[f"frames_with_{kind}s"] += 1
            check_all_seen(files.inputs["sample"], wanted, figures["frames"])
        except BadArtefact as error:
            return Failed(Reason.BAD_ARTEFACT, str(error))
        return Done(artefact, figures=figures | {name: seen[name] for name in SEEN})

    def close(self) -> None:
        """Let the networks go."""
        self._finder = None
