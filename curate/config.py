"""One frozen options dataclass per stage.

Command-line flags, ``curate.toml`` and fingerprints all come from these classes. A field is declared with `option`,
which holds its help text, its bounds, and whether it changes what the stage produces. What only one format of the
export uses stands in a table of that format, ``[export.video]``.
"""

from __future__ import annotations

import dataclasses
import logging
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from curate.errors import CurateError
from curate.files.bounded import parse_toml, read_bounded
from curate.trust import beyond_harmless, secrets_of

LARGEST_TOML = 1_000_000
"""Bytes of a file with options, at most."""

logger = logging.getLogger(__name__)


def option(
    default: Any,
    help: str,
    *,
    output: bool = True,
    low: float | None = None,
    high: float | None = None,
    unused_by: tuple[str, ...] = (),
    run_only: bool | Callable[[Any], object] = False,
) -> Any:
    """Declare one option of a stage.

    Args:
        default: Default value; its type must agree with the annotation.
        help: One sentence for ``--help`` and the comments of ``curate.toml``.
        output: Whether the value changes what the stage produces. Fields with ``output=False`` (pace, batch size,
            device) stay out of the fingerprint, so changing them redoes nothing.
        low: Smallest legal value.
        high: Largest legal value.
        unused_by: For options of the export: formats that it says nothing to.
        run_only: Whether the value comes from the person who runs curate only, never from a workspace, and is never
            written into one; or a function that says so of a value. See `curate.trust`.
    """
    told = {
        "help": help,
        "output": output,
        "low": low,
        "high": high,
        "unused_by": unused_by,
        "run_only": run_only,
    }
    return field(default=default, metadata=told)


def is_run_only(spec: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a value of an option is kept out of workspaces."""
    rule = spec.metadata["run_only"]
    return bool(rule(value)) if callable(rule) else rule


@dataclass(frozen=True)
class DownloadOptions:
    """Paced download with yt-dlp; local files are linked."""

    max_height: int = option(720, "Largest height in pixels to ask for.", low=144)
    min_height: int = option(0, "Smallest height in pixels to accept; lower ones fail as low_resolution.", low=0)
    sleep_interval: float = option(10.0, "Shortest pause between two videos, in seconds.", output=False, low=0)
    max_sleep_interval: float = option(20.0, "Longest pause between two videos, in seconds.", output=False, low=0)
    sleep_interval_requests: float = option(
        0.75, "Pause between two requests for metadata, in seconds.", output=False, low=0
    )
    rate_limit: int | None = option(None, "Largest download speed in bytes a second.", output=False, low=1)
    socket_timeout: float = option(30.0, "Seconds a silent server is waited for.", output=False, low=0.1)
    retries: int = option(5, "Repeats within one try after a broken or refused connection.", output=False, low=0)
    fragment_retries: int = option(5, "Repeats within one try for each piece of a stream.", output=False, low=0)
    extractor_retries: int = option(3, "Repeats within one try for metadata.", output=False, low=0)
    backoff: float = option(
        1.0, "Seconds before the first repeat; doubled for each further one, up to a minute.", output=False, low=0
    )
    proxy: str = option(
        "",
        "URL of a proxy; empty takes the environment's (HTTPS_PROXY). With a password: from the environment only.",
        output=False,
        run_only=True,
    )
    source_address: str = option("", "Address of this machine to connect from.", output=False, run_only=True)
    cookies: Path | None = option(None, "Netscape cookies file; only read, never written.", output=False, run_only=True)
    cookies_from_browser: str = option(
        "", "Browser to take cookies from, e.g. firefox or chrome:Profile 1.", output=False, run_only=True
    )
    local_addresses: tuple[str, ...] = option(
        (),
        "Addresses and networks of this machine and its local network that may be fetched from, e.g. 192.168.1.20 or "
        "10.0.0.0/8; no others are.",
        output=False,
        run_only=True,
    )
    breaker: int = option(
        3, "Bot checks, rate limits or refusals in a row after which the stage stops.", output=False, low=1
    )
    trouble_breaker: int = option(
        10, "Network failures and unexplained ones in a row after which the stage stops.", output=False, low=1
    )
    pause: float = option(
        3600.0,
        "Seconds to wait when a site limits the rate, and a sixth of it when the network is down; 0 stops instead.",
        output=False,
        low=0,
    )
    free_space: float = option(1.0, "Gigabytes to leave free on the disk of the workspace.", output=False, low=0)
    yt_dlp: str = option(
        "{}",
        "Further options of yt-dlp's YoutubeDL as a JSON object, e.g. '{\"geo_bypass\": true}'; a workspace keeps only "
        "those that choose a format or a pace.",
        output=False,
        run_only=beyond_harmless,
    )


@dataclass(frozen=True)
class ScreenOptions:
    """A look at whole videos before they are sampled."""

    method: Literal["none", "frames", "lemon"] = option(
        "none", "frames: share of surgical frames among a few; lemon: LEMON's storyboard models; none: no screening."
    )
    model: str = option(
        "default",
        "For 'frames': as for classify. For 'lemon': storyboard checkpoints; default is LEMON's own, pulled before.",
    )
    count: int = option(16, "For 'frames': how many frames, spread over the video; LEMON's is 16.", low=1, high=400)
    share: float = option(
        0.1,
        "For 'frames': videos with a smaller share of surgical frames are dropped; LEMON's paper: 0.9.",
        low=0,
        high=1,
    )
    device: str = option("auto", "auto, cpu, cuda, or cuda:N.", output=False)


@dataclass(frozen=True)
class SampleOptions:
    """Frames by presentation time, encoded once as JPEG."""

    selection: Literal["rate", "native", "every", "keyframes", "list"] = option(
        "rate", "Which frames: by time, all, every k-th, key frames, or those of a SurgeNet frame list."
    )
    rate: float = option(
        1.0, "For 'rate': frames a second; frame n is the one on screen at n / rate s.", low=1e-3, high=240
    )
    every: int = option(30, "For 'every': frames 0, k, 2k, ...", low=1)
    frame_list: Path | None = option(
        None,
        "For 'list': text file of names like {video}_frame_{n}_Sample{i}.jpg, one a line; n counts steps of int(fps) "
        "frames, as SurgeNet's script does: at 29.97 fps it is the frame at n * 29 / 29.97 s.",
        output=False,
    )
    quality: int = option(95, "JPEG quality.", low=1, high=100)
    chroma: Literal["420", "422", "444"] = option("420", "Chroma subsampling of the JPEGs.")
    max_long_side: int = option(0, "Largest long side of the images in pixels; 0 keeps the size.", low=0)
    max_short_side: int = option(0, "Largest short side of the images in pixels; 0 keeps the size.", low=0)
    decoder: Literal["cpu", "gpu"] = option(
        "cpu", "gpu: NVDEC, if it agrees with the CPU bit for bit on the first samples of a video.", output=False
    )


@dataclass(frozen=True)
class ClassifyOptions:
    """Probability that a frame shows surgery."""

    model: str = option(
        "default",
        "Name of a shipped or pulled model, a model folder, a safetensors file, or LEMON checkpoints (.pt, .pth).",
    )
    device: str = option("auto", "auto, cpu, cuda, or cuda:N.", output=False)
    batch_size: int = option(0, "Frames per forward pass; 0 chooses by device.", output=False, low=0)


@dataclass(frozen=True)
class TrimOptions:
    """Verdicts, and LEMON's trim rule over them."""

    threshold: float | None = option(
        None, "Frames at or above it are surgical; the model's own if not given.", low=0, high=1
    )
    min_run: float = option(3.0, "Seconds of consecutive surgical frames that start and end the kept part.", low=0)
    uncertain_low: float | None = option(
        None, "Frames from here to uncertain_high are marked uncertain; the model's own if not given.", low=0, high=1
    )
    uncertain_high: float | None = option(
        None, "End of the uncertain band; the model's own if not given.", low=0, high=1
    )
    smooth: bool = option(True, "Let neighbouring frames inform a verdict, those of the same shot above all.")
    stay: float = option(
        0.99, "With smooth: chance that the next second of a shot shows the same kind.", low=0.5, high=0.9999
    )
    stay_cut: float = option(0.8, "With smooth: the same chance where the shot changes.", low=0.5, high=0.9999)
    min_change: float = option(
        0.015,
        "Mean change of colours a second below which a run of surgical frames is one still picture, and no surgery.",
        low=0,
        high=1,
    )
    decisions: Path | None = option(
        None,
        "CSV with the columns video, timestamp and label: verdicts of people, which go before those of the network. "
        "A change redoes the videos it is about.",
        output=False,
    )


@dataclass(frozen=True)
class MaskOptions:
    """Regions of surgical frames that are not surgery."""

    detector: Literal["text", "none"] = option("text", "Which detector looks at single frames; none runs none.")
    threshold: float = option(
        0.7, "Smallest score of detected text; text that no neighbouring frame shows needs 0.15 more.", low=0, high=1
    )
    side: int = option(448, "Short side in pixels to which frames are scaled for the detector.", low=96, high=2160)
    overlays: bool = option(True, "Also find logos, interface bars and inserts, by what stands still over time.")
    overlay_threshold: float = option(
        0.75, "Smallest score of an overlay; one seen in fewer than three frames needs 0.05 more.", low=0, high=1
    )
    overlay_model: Path | None = option(
        None,
        "Overlay network of your own, a folder that curate train masks wrote; the packaged one if not given.",
        output=False,
    )
    template: Path | None = option(
        None,
        "CSV with the boxes of one frame of an interface that never moves (file,kind,x1,y1,x2,y2): regions of every "
        "frame. Frames of another size fail.",
        output=False,
    )
    redactions: bool = option(
        True, "Also mark boxes of plain black or white that hide a name or a face; they drop no frame."
    )
    yolo: tuple[Path, ...] = option(
        (),
        "YOLO detectors to run as well, pooled as LEMON does: ONNX files, checkpoints *.pt (with the AGPL extra "
        "ultralytics), or folders of them.",
        output=False,
    )
    device: str = option("auto", "auto, cpu, cuda, or cuda:N, for the detectors.", output=False)
    threads: int = option(1, "CPU threads of one forward pass.", output=False, low=1)


@dataclass(frozen=True)
class FieldOptions:
    """The endoscope's field of view, one a shot."""

    method: Literal["shots", "none"] = option("shots", "shots: look for the field of view; none: do not.")


@dataclass(frozen=True)
class AuditOptions:
    """What may identify a person on the kept frames."""

    faces: bool = option(True, "Look for faces.")
    face_threshold: float = option(0.4, "Smallest score of a face.", low=0, high=1)
    face_side: int = option(
        512, "Short side in pixels to which frames are scaled for the face detector.", low=96, high=2160
    )
    text: bool = option(True, "Read the text in the regions of mask, and look for names, dates and identifiers.")
    text_threshold: float = option(0.6, "Smallest score of a reading; worse ones are not looked at.", low=0, high=1)
    device: str = option("auto", "auto, cpu, cuda, or cuda:N, for the networks.", output=False)
    threads: int = option(1, "CPU threads of one forward pass.", output=False, low=1)


@dataclass(frozen=True)
class EmbedOptions:
    """A vector for each sampled frame."""

    model: str = option(
        "none",
        "none: do not; default: features of the shipped frame classifier; else a file of weights of a backbone (.pth, "
        ".pt, .safetensors, .bin), a folder with a config.json, or a hub repository that was pulled.",
    )
    architecture: str = option(
        "", "timm's name of the network, where neither a config nor the names of the weights tell it."
    )
    side: int = option(0, "Pixels of the square to which frames are scaled; 0 takes the model's own.", low=0, high=4096)
    spacing: float = option(0.0, "Embed the first frame in every so many seconds; 0 embeds each.", low=0)
    device: str = option("auto", "auto, cpu, cuda, or cuda:N.", output=False)
    batch_size: int = option(0, "Frames per forward pass; 0 chooses by device.", output=False, low=0)


@dataclass(frozen=True)
class SignatureOptions:
    """Hashes of the kept frames, to find duplicates."""

    method: Literal["none", "hashes"] = option(
        "none", "hashes: hash one kept frame a second, for 'curate corpus dedup'; none: do not."
    )


RANKS = ("resolution", "seconds", "source", "id")
"""What may decide which of several duplicates stays: more pixels, more seconds, an earlier source, a smaller id."""


@dataclass(frozen=True)
class DedupOptions:
    """What videos share with one another, and which of them stays."""

    enabled: bool = option(
        False,
        "Compare the videos before an export, and leave duplicates out of it; switches the stage signature on.",
        output=False,
    )
    distance: int = option(
        64,
        "Bits of 256 by which the hashes of two pictures may differ for the one to be found by the other.",
        low=0,
        high=96,
    )
    quality: int = option(
        8,
        "Content, 0 to 100, that a picture needs: blank, dark and blurred ones would link everything.",
        low=0,
        high=100,
    )
    seconds: float = option(
        5.0, "Shortest stretch that two videos must share, in seconds.", output=False, low=1, high=3600
    )
    pictures: int = option(
        3,
        "Fewest pictures that differ from one another in such a stretch: a still alone proves nothing.",
        output=False,
        low=1,
    )
    score: float = option(
        0.42,
        "Smallest score of such a stretch: 1 for pictures that are the same, 0 for unrelated ones and for none.",
        output=False,
        low=0,
        high=1,
    )
    similarity: float | None = option(
        None,
        "Smallest cosine of embeddings above that of unrelated videos, for stretches of videos that both have some; "
        "any if not given.",
        output=False,
        low=-2,
        high=2,
    )
    contained: float = option(
        0.9,
        "Share of a video that another must show for it to count as contained there; two that contain one another are "
        "the same.",
        output=False,
        low=0.5,
        high=1,
    )
    overlap: Literal["cut", "keep", "drop"] = option(
        "cut",
        "What becomes of two videos that share a part of each: cut: the worse one loses the seconds that they share; "
        "drop: it is left out; keep: nothing.",
        output=False,
    )
    rank: tuple[str, ...] = option(
        RANKS,
        "Which of several videos is the better one, what decides first coming first: resolution, seconds, source, id.",
        output=False,
    )
    sources: tuple[str, ...] = option(
        (), "For rank 'source': names of source corpora, the best first; others come after them.", output=False
    )
    scene_frames: int = option(
        0, "Most frames of a scene that hardly changes, spread over it; 0 for all of them.", output=False, low=0
    )
    scene_distance: int = option(
        10, "Bits of 256 by which frames of such a scene differ from its first one.", output=False, low=0, high=96
    )


@dataclass(frozen=True)
class ParquetOptions:
    """The format parquet."""

    shard_size: int = option(500, "Largest size of a file in MB (10^6 bytes).", low=1, high=500)


@dataclass(frozen=True)
class LemonLmdbOptions:
    """The format lmdb-lemon."""

    quality: int = option(
        100, "JPEG quality; every frame is encoded again, and 100 is what LEMON writes.", low=1, high=100
    )


@dataclass(frozen=True)
class WebDatasetOptions:
    """The format webdataset."""

    shard_size: int = option(500, "Largest size of a tar in MB (10^6 bytes).", low=1, high=500)


@dataclass(frozen=True)
class SurgenetOptions:
    """The format surgenet."""

    clock: Literal["surgenet", "seconds"] = option(
        "surgenet",
        "What the number in a file name counts: surgenet: steps of int(fps) frames, as SurgeNet's script and its lists "
        "do, the nearest to the frame; seconds: samples from the start of the source video.",
    )


@dataclass(frozen=True)
class VideoOptions:
    """The format video."""

    crf: int = option(22, "Quality, x264's constant rate factor: lower is better and larger.", low=1, high=51)


@dataclass(frozen=True)
class ClipsOptions:
    """The format clips."""

    seconds: float = option(10.0, "Length of a clip in seconds.", low=0.1, high=3600)
    stride: float = option(
        10.0, "Seconds from the start of a clip to that of the next; less than the length overlaps.", low=0.1
    )
    rate: float = option(10.0, "Frames a second, taken by presentation time.", low=0.1, high=240)
    size: int = option(256, "Shorter side in pixels; larger frames are shrunk, 0 keeps every size.", low=0, high=8192)
    crf: int = option(22, "Quality, x264's constant rate factor: lower is better and larger.", low=1, high=51)


@dataclass(frozen=True)
class ExportOptions:
    """What goes into the shards, and how.

    All formats share what stands here itself; a format with options of its own has a table of them.
    """

    formats: tuple[str, ...] = option(
        ("parquet", "lmdb"),
        "Formats to write: parquet, lmdb, lmdb-lemon, webdataset, folders, surgenet, dinov2, video, clips.",
        output=False,
    )
    include: Literal["surgical", "trimmed"] = option(
        "surgical",
        "Surgical frames only, or every frame inside the trim with the others painted black, as LEMON does; "
        "the format video always does the latter.",
    )
    uncertain: Literal["keep", "drop"] = option("drop", "Whether uncertain frames count as surgical.")
    fill: Literal["black", "blur", "mean", "inpaint", "none"] = option(
        "black",
        "How regions are painted over; none leaves the pixels alone, but what audit found is still covered in black "
        "with privacy mask.",
    )
    padding: int = option(0, "Pixels by which regions are grown before painting.", low=0, high=200)
    privacy: Literal["keep", "mask", "drop"] = option(
        "mask",
        "What becomes of frames on which audit found a face, name, date or identifier: mask: painted over there as "
        "regions are; drop: left out, or black where others are black; keep: nothing.",
    )
    crop: Literal["none", "lemon", "lemon-black", "field", "inside"] = option(
        "none",
        "Cut pictures to: lemon: LEMON's two crops, frame by frame; lemon-black: the first of them; field: the box of "
        "the shot's field of view; inside: the largest rectangle in it. Formats of videos are never cropped.",
        unused_by=("video", "clips"),
    )
    outside: Literal["keep", "black"] = option(
        "keep",
        "black: paint what lies outside of the shot's field of view; formats of videos keep it.",
        unused_by=("video", "clips"),
    )
    short_side: int = option(
        0, "Shrink frames whose shorter side is longer than this many pixels; 0 keeps every size.", low=0, high=8192
    )
    quality: int = option(
        95,
        "JPEG quality of frames that must be encoded again.",
        low=1,
        high=100,
        unused_by=("lmdb-lemon", "video", "clips"),
    )
    val_fraction: float = option(0.0, "Share of the videos without a split of their own for val.", low=0, high=1)
    test_fraction: float = option(0.0, "Share of the videos without a split of their own for test.", low=0, high=1)
    split_seed: int = option(0, "Another number draws other splits.")
    split_by: tuple[Literal["duplicate", "case", "channel"], ...] = option(
        ("duplicate", "case", "channel"),
        "What keeps videos in one split: being copies of one another, of one case, of one channel; none draws each "
        "video by itself.",
    )
    stratify: bool = option(
        False, "Meet the shares within each procedure: a group goes to the split that lacks most there."
    )
    splits: Path | None = option(
        None,
        "Splits that are stated and not drawn: a list or folder of lists (see curate splits audit), or the name of a "
        "published one: cholec80-40-40, cholec80-32-8-40, cataracts.",
        output=False,
    )
    leaks: Literal["aside", "keep"] = option(
        "aside",
        "What becomes of videos that lists put in different splits although they share a copy, case or channel: aside: "
        "train gives way to val, and both to test; keep: nothing, which is said.",
    )
    balance_alpha: float = option(
        0.5, "Sampling weights: a group with n frames is drawn in proportion to n^alpha.", low=0, high=1
    )
    balance_by: tuple[Literal["corpus", "procedure", "video"], ...] = option(
        ("procedure",), "What the groups of the sampling weights are, from the top down: corpus, procedure, video."
    )
    balance_frames: int = option(
        0,
        "Sampling weights by the hierarchical cap instead of alpha: the frames in all that it allows; 0 is alpha.",
        low=0,
    )
    readers: int = option(
        0,
        "Processes that will read an export at once, workers of data loaders times ranks: each split gets at least as "
        "many files, however small it is; 0 goes by size alone.",
        low=0,
        high=100_000,
        unused_by=("lmdb", "lmdb-lemon", "folders", "surgenet", "dinov2", "video", "clips"),
    )
    parquet: ParquetOptions = field(default_factory=ParquetOptions)
    lmdb_lemon: LemonLmdbOptions = field(default_factory=LemonLmdbOptions)
    webdataset: WebDatasetOptions = field(default_factory=WebDatasetOptions)
    surgenet: SurgenetOptions = field(default_factory=SurgenetOptions)
    video: VideoOptions = field(default_factory=VideoOptions)
    clips: ClipsOptions = field(default_factory=ClipsOptions)


MOVED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "lemon_quality": (("lmdb-lemon", "quality"),),
    "shard_size": (("parquet", "shard_size"), ("webdataset", "shard_size")),
    "video_crf": (("video", "crf"), ("clips", "crf")),
    "clip_seconds": (("clips", "seconds"),),
    "clip_stride": (("clips", "stride"),),
    "clip_rate": (("clips", "rate"),),
    "clip_size": (("clips", "size"),),
}
"""Options that stood in ``[export]`` itself in curate 0.1: former name, and the tables and names they have now."""


@dataclass(frozen=True)
class CardOptions:
    """What the cards of the exports say that nobody can know but the publisher."""

    name: str = option("Surgical video frames", "Name of the dataset.", output=False)
    description: str = option("", "What it is, in a sentence or some; stands first.", output=False)
    creators: tuple[str, ...] = option((), "Who made it.", output=False)
    contact: str = option("", "Where to ask for a video to be taken out: an address or a URL.", output=False)
    url: str = option("", "Where it is published.", output=False)
    version: str = option("1.0.0", "Its version, as three numbers.", output=False)
    published: str = option(
        "", "Day of publication, YYYY-MM-DD; if not given, the last day on which a video was asked for.", output=False
    )
    citation: str = option("", "How it is to be cited, as BibTeX or text.", output=False)
    licence: str = option(
        "",
        "Licence of the whole, by its identifier on the Hugging Face hub, such as cc-by-nc-4.0; if not given, that of "
        "the videos where all have the same, else other.",
        output=False,
    )
    languages: tuple[str, ...] = option(
        ("zxx",), "Languages, by ISO 639 code; zxx: none, which is true of pictures.", output=False
    )
    gated: Literal["licence", "always", "never"] = option(
        "licence",
        "Whether the hub asks readers to accept terms first: licence: where a video's licence forbids some uses or "
        "none is stated.",
        output=False,
    )


@dataclass(frozen=True)
class EngineOptions:
    """Use of the machine."""

    engine: Literal["local", "ray"] = option(
        "local", "local: worker processes on this machine; ray: on the nodes of a Ray cluster.", output=False
    )
    address: str = option(
        "",
        "For ray: where the cluster answers, such as host:6379; empty takes RAY_ADDRESS, the cluster of this machine, "
        "or a new one for this run.",
        output=False,
        run_only=True,
    )
    workers: int = option(0, "Worker processes for CPU stages and shards; 0 is one a core.", output=False, low=0)
    worker_memory: int = option(
        0,
        "MiB a worker for CPU stages may use before it is ended, that of a GPU four times as much; 0 shares 80 % of "
        "the memory that this process may use.",
        output=False,
        low=0,
    )
    worker_tasks: int = option(500, "A worker is replaced after this many videos.", output=False, low=1)
    silence: float = option(
        600.0, "Seconds without progress, such as a frame done, after which a worker is ended.", output=False, low=1
    )
    ahead: int = option(
        64, "Videos that may wait for the other stages before the download waits for those.", output=False, low=1
    )
    reserve: float = option(
        5.0,
        "Gigabytes on the workspace's disk below which the download waits while other stages are at work.",
        output=False,
        low=0,
    )


GONE = frozenset({"video_timeout"})
"""Options of the engine of curate 0.1 that nothing heeds any more."""


@dataclass(frozen=True)
class Config:
    """Options of all stages, in pipeline order, and of the engine."""

    download: DownloadOptions = field(default_factory=DownloadOptions)
    screen: ScreenOptions = field(default_factory=ScreenOptions)
    sample: SampleOptions = field(default_factory=SampleOptions)
    classify: ClassifyOptions = field(default_factory=ClassifyOptions)
    trim: TrimOptions = field(default_factory=TrimOptions)
    mask: MaskOptions = field(default_factory=MaskOptions)
    field: FieldOptions = dataclasses.field(default_factory=FieldOptions)
    audit: AuditOptions = dataclasses.field(default_factory=AuditOptions)
    embed: EmbedOptions = dataclasses.field(default_factory=EmbedOptions)
    signature: SignatureOptions = dataclasses.field(default_factory=SignatureOptions)
    dedup: DedupOptions = dataclasses.field(default_factory=DedupOptions)
    export: ExportOptions = dataclasses.field(default_factory=ExportOptions)
    card: CardOptions = dataclasses.field(default_factory=CardOptions)
    engine: EngineOptions = dataclasses.field(default_factory=EngineOptions)


@dataclass(frozen=True)
class Table:
    """A table of ``curate.toml``.

    Attributes:
        path: Its name in parts: ``("sample",)``, ``("export", "lmdb-lemon")``.
        kind: Its options class.
    """

    path: tuple[str, ...]
    kind: type

    @property
    def name(self) -> str:
        """Its parts with dots between them."""
        return ".".join(self.path)

    def of(self, config: Config) -> Any:
        """Its options in a configuration."""
        found: Any = config
        for part in self.path:
            found = getattr(found, part.replace("-", "_"))
        return found


def option_tables() -> Iterator[Table]:
    """All tables of ``curate.toml`` in its order, those of formats after ``export``."""
    for spec, kind in option_fields(Config):
        yield Table((spec.name,), kind)
        yield from (Table((spec.name, name), inner) for name, inner in _inner_tables(kind).items())


def option_fields(options_class: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    """Fields of an options class with their resolved types, in order; without its tables of formats."""
    hints = _hints(options_class)
    fields = [(f, hints[f.name]) for f in dataclasses.fields(options_class)]
    return [(f, kind) for f, kind in fields if options_class is Config or not dataclasses.is_dataclass(kind)]


@cache
def _hints(options_class: type) -> Mapping[str, Any]:
    """Types of its fields, which are asked for again and again, read once."""
    return typing.get_type_hints(options_class)


def _inner_tables(options_class: type) -> dict[str, type]:
    """Options classes of the tables in a table, by their names in TOML."""
    hints = _hints(options_class)
    return {
        f.name.replace("_", "-"): hints[f.name]
        for f in dataclasses.fields(options_class)
        if dataclasses.is_dataclass(hints[f.name])
    }


def fingerprint_fields(options: Any) -> dict[str, Any]:
    """The option values that change what a stage produces, ready for JSON."""
    return {f.name: _plain(getattr(options, f.name)) for f, _ in option_fields(type(options)) if f.metadata["output"]}


def format_fields(options: ExportOptions, name: str) -> dict[str, Any]:
    """The option values that change an export in one format, ready for JSON; those of its own table stand under it.

    Args:
        options: Of the export.
        name: Of the format.
    """
    deaf = {f.name for f, _ in option_fields(ExportOptions) if name in f.metadata["unused_by"]}
    shared = {key: value for key, value in fingerprint_fields(options).items() if key not in deaf}
    if name not in _inner_tables(ExportOptions):
        return shared
    return {**shared, name: fingerprint_fields(getattr(options, name.replace("-", "_")))}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


NONE = "none"
"""What resets an optional value on the command line and in TOML, which has no null; so does an empty text."""


def convert(value: Any, kind: Any, where: str) -> Any:
    """Check one value against an annotated type and return it in that type.

    Args:
        value: From TOML or from the command line.
        kind: The annotation: ``int``, ``float``, ``bool``, ``str``, ``Path``, ``Literal[...]``, ``tuple[X, ...]`` or
            ``X | None``, for which the text ``none`` and no text stand for ``None``.
        where: Named in the error, e.g. ``curate.toml: sample.rate``.

    Raises:
        CurateError: The value does not fit.
    """
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None or value in ("", NONE):
            return None
        (kind,) = [k for k in typing.get_args(kind) if k is not type(None)]
        return convert(value, kind, where)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            raise CurateError(f"{where}: {value!r} is not one of {', '.join(map(str, choices))}")
        return value
    if origin is tuple:
        (item, _) = typing.get_args(kind)
        if isinstance(value, str) or not isinstance(value, list | tuple):
            raise CurateError(f"{where}: expected a list, got {value!r}")
        return tuple(convert(v, item, where) for v in value)
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise CurateError(f"{where}: expected {kind.__name__}, got {value!r}")
    return value


def build(options_class: type, values: Mapping[str, Any], where: str) -> Any:
    """Make an options object from plain values, checking names, types and bounds.

    Raises:
        CurateError: An unknown name, a wrong type or a value out of bounds, said with ``where``.
    """
    known = {f.name: (f, kind) for f, kind in option_fields(options_class)}
    tables = _inner_tables(options_class)
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name in tables:
            if not isinstance(value, Mapping):
                raise CurateError(f"{where}.{name}: expected a table of options, got {value!r}")
            checked[name.replace("-", "_")] = build(tables[name], value, f"{where}.{name}")
            continue
        if name not in known:
            raise CurateError(f"{where}: unknown option {name!r}; known: {', '.join((*known, *tables))}")
        spec, kind = known[name]
        try:
            value = convert(value, kind, f"{where}.{name}")
        except CurateError:
            if spec.metadata["run_only"]:  # it may be a secret
                raise CurateError(f"{where}.{name}: the value is of the wrong type; see --help") from None
            raise
        low, high = spec.metadata["low"], spec.metadata["high"]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and not ((low is None or value >= low) and (high is None or value <= high)):
            bounds = f"at least {low:g}" if high is None else f"from {low:g} to {high:g}"
            raise CurateError(f"{where}.{name}: {value:g} is out of range, must be {bounds}")
        checked[name] = value
    return options_class(**checked)


def load_toml(path: Path) -> dict[str, dict[str, Any]]:
    """Read option tables, one a stage, from a TOML file.

    Raises:
        CurateError: Unreadable, not TOML, or a table that is not a stage.
    """
    try:
        data = parse_toml(read_bounded(path, LARGEST_TOML))
    except OSError as error:
        raise CurateError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise CurateError(f"{path} {error}") from error
    data.pop("workspace_version", None)
    stages = {f.name for f in dataclasses.fields(Config)}
    for name, table in data.items():
        if name not in stages or not isinstance(table, dict):
            raise CurateError(f"{path}: unknown entry {name!r}; tables are {', '.join(sorted(stages))}")
    if "export" in data:
        data["export"], moved = with_tables(data["export"])
        if moved:
            logger.warning("%s: options of one format have tables of their own now: %s", path, "; ".join(moved))
    if isinstance(data.get("engine"), dict):
        for name in GONE & data["engine"].keys():
            del data["engine"][name]
            logger.warning("%s: engine.%s is gone: engine.silence ends workers that make no progress", path, name)
    return data


def load_given(path: Path) -> dict[str, dict[str, Any]]:
    """Read a file that the user named in this run: anything may stand in it, secrets if nobody else can read them.

    Raises:
        CurateError: As `load_toml`; or it holds a secret and others can read it.
    """
    tables = load_toml(path)
    holds = [f"{t}.{n}" for t, table in tables.items() for n, value in table.items() if secrets_of(t, n, value)]
    if holds and path.stat().st_mode & 0o077:
        raise CurateError(f"{path} holds a secret ({', '.join(holds)}) and others can read it: chmod 600 {path}")
    return tables


def of_workspace(
    tables: Mapping[str, Mapping[str, Any]], later: Sequence[Mapping[str, Mapping[str, Any]]], where: str
) -> dict[str, dict[str, Any]]:
    """The option tables of a workspace, which may be somebody else's, without what is not taken from one.

    Options that are not set, which earlier versions of curate wrote, and options that a later layer gives are left out
    without a word.

    Args:
        tables: As `load_toml` read them.
        later: Layers that win over them.
        where: Path of the workspace's file.

    Raises:
        CurateError: An option that is not taken from a workspace has a value there; says what to do.
    """
    taken = {name: dict(table) for name, table in tables.items()}
    for spec, kind in option_fields(Config):
        table = taken.get(spec.name, {})
        for inner, _ in option_fields(kind):
            if inner.name not in table or not is_run_only(inner, table[inner.name]):
                continue
            value = table.pop(inner.name)
            if value not in ("", NONE, []) and not any(inner.name in layer.get(spec.name, {}) for layer in later):
                raise CurateError(
                    f"{where}: {spec.name}.{inner.name} is not taken from a workspace, which may be somebody else's: "
                    "take the line out, and if you want it, give it in this run: as a flag, as "
                    f"{variable(spec.name, inner.name)} in the environment, or in --config FILE"
                )
    return taken


def variable(table: str, name: str) -> str:
    """Name of the environment variable from which an option that is kept out of workspaces is taken."""
    return f"CURATE_{table}_{name}".upper()


def with_tables(export: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Options of an export as they are named now, from a file that may be older; see `MOVED`.

    Args:
        export: Values by name, and tables of formats. A value under its present name goes before one under a former.

    Returns:
        The same values, and what was moved, in words.
    """
    found = {name: value for name, value in export.items() if name not in MOVED}
    moved = []
    for former, places in MOVED.items():
        if former not in export:
            continue
        moved.append(f"{former} is {' and '.join(f'{table}.{option}' for table, option in places)}")
        for table, option in places:
            own = found.get(table, {})
            if isinstance(own, Mapping):
                found[table] = {option: export[former], **own}
    return found, moved


def resolve(where: str, *layers: Mapping[str, Mapping[str, Any]]) -> Config:
    """Merge layers of option values, later ones winning, into a `Config`.

    Raises:
        CurateError: As `build`.
    """
    stages = {}
    for spec, kind in option_fields(Config):
        merged: dict[str, Any] = {}
        for layer in layers:
            merged = _merged(merged, layer.get(spec.name, {}))
        stages[spec.name] = build(kind, merged, f"{where}: {spec.name}")
    if stages["dedup"].enabled:  # which has nothing to compare without
        stages["signature"] = dataclasses.replace(stages["signature"], method="hashes")
    return Config(**stages)


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two layers of a table, option by option, those of tables within it too."""
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _merged(below[name], above[name])
    return merged


def to_toml(config: Config, *, workspace_version: int) -> str:
    """Write resolved options as TOML with each option's help as a comment.

    Options whose value is ``None`` are written as comments: TOML has no null; and so are those that are kept out of
    workspaces (`curate.trust`).
    """
    lines = [
        "# Resolved options of this workspace. Flags given to a command win over this file.",
        f"workspace_version = {workspace_version}",
    ]
    for table in option_tables():
        options = table.of(config)
        lines += ["", f"[{table.name}]"]
        for spec, _ in option_fields(table.kind):
            value = getattr(options, spec.name)
            lines.append(f"# {spec.metadata['help']}")
            if is_run_only(spec, value):
                source = variable(table.name, spec.name)
                lines.append(f"# {spec.name} is never kept here: give it in each run, as a flag or as {source}")
            elif value is None:
                lines.append(f"# {spec.name} is not set")
            else:
                lines.append(f"{spec.name} = {_toml_value(value)}")
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in text) + '"'
