"""Short clips for video pretraining, with the lists that VideoMAE and V-JEPA 2 read.

Clips lie inside surgical runs: segments of time inside the trim in which every frame may be shown. All have the same
length and a fixed frame rate: frame k is the one on screen k / rate seconds after the clip's start. There is no sound.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.config import ClipsOptions, ExportOptions
from curate.corpus.classes import class_of
from curate.errors import CurateError
from curate.exports.formats.dataset import Dataset
from curate.exports.formats.encoding import assemble, encode_shard
from curate.exports.formats.making import Making
from curate.exports.formats.video_files import SUFFIX, FrameCounts, VideoFile, read_video_files
from curate.exports.plan.plan import NothingToExport, Plan, PlannedVideo
from curate.media.select import TOLERANCE, AtTimes
from curate.records import Region

if TYPE_CHECKING:
    from curate.exports.pixels.source_video import OutputFrame

VERSION = 2
"""Raised when the bytes written for the same input change."""

_FILES = 1
"""The same for the video files alone."""

WHOLE = "0 -1"
"""First frame and number of frames by which VideoMAEv2 knows a video that is to be read as a whole."""

READING = (
    "`{split}/{{procedure}}/{{video_id}}_{{i}}.mp4`: H.264 without sound, all of one length and rate. The label of a "
    "clip is the line of its procedure in `classes.txt`, from 0. `metadata.parquet` has one row a clip.\n\n"
    "VideoMAE's pretraining: `--data_path videomae/{split}.csv`; its finetuning and SurgRec's, which look for "
    "`train.csv`, `val.csv` and `test.csv`: `--data_path videomae`. VideoMAEv2's pretraining: `--data_root .` with "
    "`--data_path videomaev2/{split}.txt`. V-JEPA 2: one CSV a procedure and their weights, ready to be put under "
    "`data:` of its configuration, in `vjepa/{split}.yaml`.\n\n"
    "Paths in the lists and in the YAML are relative to this folder: start the trainer here, with `PYTHONPATH` on its "
    "code. Or put the folder before them, in a copy of the three folders of lists:\n\n"
    "```bash\n"
    'sed -i "s|^|$PWD/|" videomae/*.csv videomaev2/*.txt vjepa/*/*.csv\n'
    'sed -i "s|^- vjepa/|- $PWD/vjepa/|" vjepa/*.yaml\n'
    "```"
)


def check(options: ExportOptions) -> None:
    """Raise `CurateError` if a clip would have no frame."""
    if _frames_of(options.clips) < 1:
        raise CurateError("export.clips.seconds times export.clips.rate is less than a frame: raise one of them")


def encode_clips(making: Making) -> dict[str, Any]:
    """Write the clips of a video, ``{id}_{i}.mp4``.

    Args:
        making: The video to write.

    Returns:
        What was written.

    Raises:
        BrokenVideo: The video cannot be read.
    """

    def encode(video: PlannedVideo, folder: Path, tick: Callable[[], None]) -> list[VideoFile]:
        return _encode(video, making.job.options, folder, tick)

    return encode_shard(making, _FILES, encode)


def assemble_clips(dataset: Dataset, folder: Path) -> tuple[Plan, dict[str, Any]]:
    """Put the clips into ``{split}/{class}/`` and write the lists of each split.

    The lists are ``videomae/{split}.csv``, which VideoMAE's finetuning looks for by these names (MCG-NJU/VideoMAE,
    ``datasets.py``), ``videomaev2/{split}.txt`` with a first frame and a number of frames that mean a whole video
    (OpenGVLab/VideoMAEv2, ``dataset/pretrain_datasets.py``), ``vjepa/{split}/{class}.csv`` and ``vjepa/{split}.yaml``.
    V-JEPA 2 draws a file of its list with the weight given, and a clip of it uniformly (facebookresearch/vjepa2,
    ``src/datasets/video_dataset.py``). The weights are in proportion to clips^alpha, by the first procedure of each
    video, since a clip stands in one file only.

    Args:
        dataset: With its shards.
        folder: Of the export.

    Returns:
        The plan with what was written: frames are those of the clips, and count as often as clips show them; and the
        number of clips, for ``export.json``.

    Raises:
        NothingToExport: There is no clip.
    """
    plan = assemble(dataset, folder, _place)
    if not plan.videos and not plan.left_out:
        raise NothingToExport(
            "no clips: no surgical run is as long as export.clips.seconds, "
            f"{dataset.options.clips.seconds:g} s; lower it"
        )
    rows = read_video_files(folder, ["file", "label", "split"])
    for split in plan.splits():
        lines: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row["split"] == split:
                lines[Path(row["file"]).parent.name].append(f"{row['file']} {row['label']}\n")
        every = [line for name in sorted(lines) for line in lines[name]]
        _write(folder / "videomae" / f"{split}.csv", every)
        _write(folder / "videomaev2" / f"{split}.txt", [f"{line.partition(' ')[0]} {WHOLE}\n" for line in every])
        for name, own in lines.items():
            _write(folder / "vjepa" / split / f"{name}.csv", own)
        shares = {name: len(lines[name]) ** dataset.options.balance_alpha for name in sorted(lines)}
        _write(
            folder / "vjepa" / f"{split}.yaml",
            [
                "datasets:\n",
                *(f"- vjepa/{split}/{name}.csv\n" for name in shares),
                "datasets_weights:\n",
                *(f"- {share / sum(shares.values()):.9f}\n" for share in shares.values()),
            ],
        )
    return plan, {"clips": len(rows)}


def _write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")


def _place(video: PlannedVideo) -> str:
    return f"{video.split}/{class_of(video)}"


def _rate(options: ClipsOptions) -> Fraction:
    """Frames a second, as the decimal number that the option prints as."""
    return Fraction(repr(options.rate))


def _frames_of(options: ClipsOptions) -> int:
    return round(Fraction(repr(options.seconds)) * _rate(options))


def starts_of(runs: Sequence[tuple[float, float]], options: ClipsOptions) -> list[Fraction]:
    """When clips begin, in seconds: every ``stride`` from the start of each run, as long as they end within it."""
    length = _frames_of(options) / _rate(options)
    stride = Fraction(repr(options.stride))
    starts = []
    for begin, end in runs:
        count = (Fraction(end) + TOLERANCE - Fraction(begin) - length) // stride + 1
        starts += [Fraction(begin) + i * stride for i in range(max(0, count))]
    return starts


def _encode(video: PlannedVideo, options: ExportOptions, scratch: Path, tick: Callable[[], None]) -> list[VideoFile]:
    """Write the clips of a video in one pass; as many are open at a time as overlap."""
    from curate.exports.pixels.source_video import SourceVideo  # not at the top: shards of pictures need no decoder

    limits = [side for side in (options.clips.size, options.short_side) if side]
    source = SourceVideo(video, options, short_side=min(limits, default=0))
    rate, count = _rate(options.clips), _frames_of(options.clips)
    starts = starts_of(source.runs(), options.clips)
    due = sorted((start + frame / rate, number) for number, start in enumerate(starts) for frame in range(count))
    clips: dict[int, _Clip] = {}
    video_files: list[VideoFile] = []
    try:
        for output in source.output_frames(AtTimes(tuple(float(time) for time, _ in due))) if due else ():
            _, number = due[output.number]
            if number not in clips:
                clips[number] = _Clip(f"{video.id}_{number}", scratch, rate, options.clips.crf)
            clips[number].add(output)
            tick()
            if clips[number].frames == count:
                video_files.append(clips.pop(number).finish())
    finally:
        for clip in clips.values():
            clip.abandon()
    return video_files


class _Clip:
    """A clip that is being written.

    Args:
        key: Key of the clip.
        folder: Where its file goes.
        rate: Frames a second.
        crf: Quality.
    """

    def __init__(self, key: str, folder: Path, rate: Fraction, crf: int) -> None:
        from curate.media.mp4 import Mp4Writer

        self._key, self._rate = key, rate
        self._path = folder / f"{key}{SUFFIX}"
        self._writer = Mp4Writer(self._path, fps=rate, time_base=Fraction(1, rate.numerator), crf=crf)
        self._tally = FrameCounts()
        self._regions: dict[tuple[str, str, int, int, int, int], Region] = {}

    @property
    def frames(self) -> int:
        """Frames so far."""
        return self._writer.frames

    def add(self, output: OutputFrame) -> None:
        """Append a frame."""
        self._writer.add(output.picture, self.frames * self._rate.denominator)
        self._tally.add(output)
        for region in output.regions:
            self._regions.setdefault((region.kind, region.model, *region.box), region)

    def finish(self) -> VideoFile:
        """Finish the file and tell what it holds."""
        self._writer.close()
        regions = [region for _, region in sorted(self._regions.items())]
        return self._tally.video_file(self._key, self._path.name, float(self.frames / self._rate), regions)

    def abandon(self) -> None:
        """Remove the file: the video ends before the clip does."""
        self._writer.abandon()
        self._path.unlink(missing_ok=True)
