"""The public face: what programs do with curate, in a few calls. Import it from `curate` itself.

Example::

    import curate

    workspace = curate.open_workspace("work", "videos/", options={"export": {"formats": ["parquet"]}})
    curate.process(workspace)
    for made in curate.export(workspace).formats:
        assert not curate.verify(made.folder)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import CurateError, why_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from curate.exports import ExportSummary
    from curate.exports.check.verify import Problem
    from curate.media.decode import SampledFrame
    from curate.report.funnel import Funnel
    from curate.run.session import Session


def open_workspace(
    root: str | Path,
    *sources: str | Path,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    opt_out: Sequence[str | Path] = (),
) -> Session:
    """Open a workspace, as ``curate run SOURCE -w ROOT`` does; with sources it is made if it is not there.

    Args:
        root: The workspace's folder.
        sources: Lists of videos, folders of local videos, or URLs; without any the workspace's own manifest is used.
        options: Values by table and name, as in ``curate.toml``: ``{"sample": {"rate": 2.0}}``. They win over the
            workspace's own and are kept in it once work is done.
        opt_out: Files with ids or URLs of videos that must not be used.

    Returns:
        The session: ``pipeline.videos`` are its videos, ``config`` the resolved options.

    Raises:
        CurateError: The workspace, a list or an option cannot be used.
    """
    from curate.run.session import Sources, open_session

    listed = Sources(tuple(map(str, sources)), opt_out=tuple(map(Path, opt_out)))
    return open_session(Path(root), given=options, sources=listed, create=bool(sources))


def process(session: Session, stages: Sequence[str] | None = None) -> Funnel:
    """Do all that is pending in some stages, on this machine.

    Args:
        session: As `open_workspace` gives it.
        stages: Names of stages in the pipeline's order; all that are switched on by default.

    Returns:
        The funnel: where every video stands, and why. A video that failed costs no other one and raises nothing.

    Raises:
        CurateError: An unknown stage, another run is at work, or a stage cannot be set up.
    """
    from curate.report.funnel import funnel
    from curate.run.session import run_stages

    names = list(session.pipeline.specs) if stages is None else list(stages)
    if unknown := [name for name in names if name not in session.pipeline.specs]:
        raise CurateError(f"no stage {unknown[0]!r} is switched on: {', '.join(session.pipeline.specs)}")
    run_stages(session, names, lambda task, answer: None)
    return funnel(session.pipeline)


def export(session: Session, *, partial: bool = False) -> ExportSummary:
    """Write the shards of all complete videos, as the table ``export`` of the options says.

    Args:
        session: As `open_workspace` gives it.
        partial: Whether an export may lose videos that it shows now and that are not complete; else it is kept.

    Returns:
        Format by format, what is in it and where it is.

    Raises:
        CurateError: No video is complete, an unknown format, or a folder that cannot be written.
    """
    from curate.run.session import run_export

    return run_export(session, partial=partial)


def verify(folder: str | Path, *, decode: bool = True) -> list[Problem]:
    """Look for everything that is wrong with an export.

    Args:
        folder: Of an export of any format.
        decode: Whether to decode every picture as well.

    Returns:
        The problems; none for a sound export.

    Raises:
        CurateError: The folder is not an export.
    """
    from curate.exports.check.verify import verify_export

    return list(verify_export(Path(folder), decode=decode))


def sample(
    video: str | Path,
    *,
    times: Sequence[float] | None = None,
    rate: float | None = None,
    max_short_side: int = 0,
) -> Iterator[SampledFrame]:
    """Take exact frames out of a video: those on screen at given times, by presentation timestamp.

    One picture is held in memory, whatever the length of the video.

    Args:
        video: A local video file.
        times: Seconds from the start of the video, in any order; frames come in the order of time, with their place in
            ``times`` as ``n``. Times at or after the end give nothing.
        rate: Instead of ``times``: frames a second; frame n is the one on screen at n / rate seconds. 1 by default.
        max_short_side: Largest short side of the pictures in pixels; 0 keeps the size.

    Yields:
        Frames with ``n``, ``timestamp`` in seconds, ``source_index`` and ``image``, uint8 RGB (H, W, 3).

    Raises:
        CurateError: Both ``times`` and ``rate`` are given, or the file cannot be read as a video.
    """
    from curate.media.decode import Sampler
    from curate.media.probe import MediaError
    from curate.media.select import AtRate, AtTimes

    if times is not None and rate is not None:
        raise CurateError("give either times or rate")
    try:
        yield from Sampler(
            Path(video),
            AtRate(1.0 if rate is None else rate) if times is None else AtTimes(tuple(times)),
            max_short_side=max_short_side,
        )
    except (MediaError, OSError, ValueError) as error:
        raise CurateError(f"{video}: {why_of(error)}") from error


def classify(
    images: Iterable[bytes | npt.NDArray[np.uint8]], *, model: str = "default", device: str = "auto"
) -> npt.NDArray[np.float32]:
    """How surely pictures show surgery.

    Args:
        images: JPEG files as bytes, or uint8 RGB arrays (H, W, 3) of any size; any number.
        model: As ``--classify-model``: a name, a folder, or a file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        float32 (N,), calibrated probabilities in 0..1, in the order of the pictures.

    Raises:
        CurateError: The model or the device is not there, or a picture cannot be decoded.
    """
    from curate.nets.classifier import load_classifier

    classifier = load_classifier(model, device=device)
    try:
        return classifier.predict(list(images))
    except ValueError as error:
        raise CurateError(str(error)) from error
