"""Take frames out of a video and encode them, once and for all, as JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import SampleOptions
from curate.errors import CurateError
from curate.media.frame_list import ListedFrames, digest, read_frame_list
from curate.records import Done, Dropped, Failed, Outcome, Reason, Video
from curate.stage import Files, Stage
from curate.workspace.tables.frames import FrameWriter

if TYPE_CHECKING:
    from curate.media.decode import SampledFrame, Sampler
    from curate.media.select import Selection


class SampleStage(Stage[SampleOptions]):
    """Sampled frames of one video, as a Parquet file of JPEGs."""

    name = "sample"
    folder = "frames"
    inputs = ("download",)

    _listed: ListedFrames | None = None

    def fingerprint_extra(self) -> dict[str, Any]:
        """The content of the frame list, wherever it lies."""
        if self.options.selection != "list":
            return {}
        return {"frame_list": digest(self._list_path())}

    def setup(self) -> None:
        """Read the frame list, if one is used.

        Raises:
            CurateError: The list is missing or malformed.
        """
        if self.options.selection == "list":
            self._listed = read_frame_list(self._list_path())

    def process(self, video: Video, files: Files) -> Outcome:
        """Sample, encode and write the frames of one video."""
        from curate.media.decode import Sampler
        from curate.media.probe import MediaError

        selection = self._selection(video)
        if selection is None:
            return Dropped(Reason.NOT_LISTED, f"{self.options.frame_list} names no frame of {video.id}")
        sampler = Sampler(
            files.inputs["download"],
            selection,
            max_long_side=self.options.max_long_side,
            max_short_side=self.options.max_short_side,
            decoder=self.options.decoder,
        )
        path = files.temporary(".parquet")
        try:
            rows = self._write(sampler, files.watched(sampler), path)
        except MediaError as error:
            return Failed(error.reason, error.detail)
        if not rows:
            return Failed(
                Reason.NO_FRAMES, f"none of the wanted frames is among the {sampler.statistics.frames} there are"
            )
        return Done(
            path,
            figures={"frames": rows, "seconds": round(sampler.statistics.duration, 3)},
            note=sampler.statistics.losses(),
        )

    def _list_path(self) -> Path:
        if self.options.frame_list is None:
            raise CurateError("sample.selection is 'list', but sample.frame_list names no file")
        return self.options.frame_list

    def _selection(self, video: Video) -> Selection | None:
        from curate.media import select

        match self.options.selection:
            case "rate":
                return select.AtRate(self.options.rate)
            case "native":
                return select.Native()
            case "every":
                return select.EveryKth(self.options.every)
            case "keyframes":
                return select.KeyFrames()
            case "list":
                assert self._listed is not None, "setup() reads the list"
                numbers = self._listed.numbers.get(video.id)
                return None if numbers is None else select.FrameList(tuple(numbers), seconds=True)

    def _write(self, sampler: Sampler, frames: Iterator[SampledFrame], path: Path) -> int:
        with FrameWriter(path) as writer:
            for row in self._rows(frames):
                writer.add(row)
            writer.add_metadata(self._metadata(sampler))
        return writer.frames

    def _rows(self, frames: Iterator[SampledFrame]) -> Iterator[dict[str, Any]]:
        from curate.media.jpeg import encode_jpeg

        shown, jpeg = None, b""
        for frame in frames:
            if frame.image is not shown:
                jpeg = encode_jpeg(frame.image, quality=self.options.quality, chroma=self.options.chroma)
                shown = frame.image
            height, width, _ = frame.image.shape
            yield {
                "n": frame.n,
                "timestamp": frame.timestamp,
                "source_index": frame.source_index,
                "key_frame": frame.key_frame,
                "width": width,
                "height": height,
                "image": jpeg,
            }

    def _metadata(self, sampler: Sampler) -> dict[str, str]:
        """What can be known of how the frames came about; the same for every run."""
        info, statistics = sampler.info, sampler.statistics
        assert info is not None
        return {
            "selection": self.options.selection,
            "rate": f"{self.options.rate:g}" if self.options.selection == "rate" else "",
            "codec": info.codec,
            "source_width": str(info.width),
            "source_height": str(info.height),
            "source_fps": str(info.fps or ""),
            "pixel_aspect": str(info.pixel_aspect),
            "colours": statistics.colours,
            "orientation": statistics.orientation,
            "duration": repr(statistics.duration),
            "source_frames": str(statistics.frames),
            "damaged_packets": str(statistics.damaged),
            "timestamp_jumps": str(statistics.jumps),
            "losses": statistics.losses(),
        }
