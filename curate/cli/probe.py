"""``curate probe``: what backbones have learnt, by linear and nearest-neighbour probes on labelled frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from curate.cli.common import is_quiet, verbosity
from curate.cli.exits import leave, say, show
from curate.cli.meter import Meter
from curate.errors import CurateError, why_of

if TYPE_CHECKING:
    from curate.evaluation.probe_leaks import Leak, ProbePictures
    from curate.evaluation.probe_set import ProbeFrame, ProbeSet

_SHOWN = 3


@click.command()
@click.argument("labels", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--backbone", "backbones", metavar="[NAME=]MODEL", multiple=True, default=("default",), show_default=True,
    help="Checkpoint, as for curate embed --model; again to compare. Those of one NAME are runs of one thing.",
)  # fmt: skip
@click.option("--architecture", default="", help="timm's name of the network, where nothing else tells it.")
@click.option(
    "--side", type=click.IntRange(0, 4096), default=0, help="Pixels of the input.  [default: the model's own]"
)
@click.option(
    "--export", "exports", type=click.Path(path_type=Path, file_okay=False), multiple=True,
    help="Export that a backbone was trained on, or its twin; again for more. Pictures of LABELS must not be in it.",
)  # fmt: skip
@click.option(
    "--leaks", type=click.Choice(["refuse", "drop"]), default="refuse", show_default=True,
    help="drop: leave out the videos of LABELS that an export shows.",
)  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder.")
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True, help="Parts left out in turn.")
@click.option("--neighbours", type=click.IntRange(1), default=20, show_default=True, help="Frames that vote.")
@click.option(
    "--bank", type=click.IntRange(0), default=2000, show_default=True,
    help="Pictures of each export whose nearness to LABELS is told; 0 takes all.",
)  # fmt: skip
@click.option("--replicates", type=click.IntRange(100), default=2000, show_default=True, help="Of the bootstrap.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another number draws other folds.")
@click.option("--mixed-architectures", is_flag=True, help="Compare checkpoints of several architectures.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, or cuda:N.")
@verbosity
def probe(
    labels: Path,
    backbones: Sequence[str],
    architecture: str,
    side: int,
    exports: Sequence[Path],
    leaks: str,
    output: Path,
    folds: int,
    neighbours: int,
    bank: int,
    replicates: int,
    seed: int,
    mixed_architectures: bool,
    device: str,
) -> None:
    """Say how well frozen features of backbones tell the classes of labelled frames apart.

    LABELS is a CSV with file and label, and optionally source, group (the video) and split (train, val or test), or a
    folder with a folder a class. Nothing is pretrained: a logistic regression and the nearest neighbours answer
    frames of videos they have not seen, and figures come with intervals over videos. Two checkpoints, pretrained alike
    on an export and on its uncurated twin, tell by their paired difference what the curation was worth.

    No picture of LABELS may be in an export that a backbone learnt from: name each with --export, and it is held
    against LABELS by bytes and by looks. Of each export is also told how near it comes to the labelled frames.

    OUTPUT gets report.md, report.json, figures.csv and predictions.csv.

    Exit codes: 0 done, 1 wrong usage, a leak, or a checkpoint that cannot be compared, 2 some pictures could not be
    read; they are listed and left out.
    """
    from curate.evaluation.probe_set import read_probe_set

    probe_set = read_probe_set(labels)

    from curate.evaluation import probe_report
    from curate.evaluation.probe import ProbeOptions, make_splits
    from curate.evaluation.probe import probe as probe_features
    from curate.evaluation.probe_features import BackboneOptions, check_backbones, coverage, embed_frames
    from curate.evaluation.probe_leaks import count_pictures
    from curate.evaluation.probe_set import without

    quiet = is_quiet()
    options = ProbeOptions(folds=folds, neighbours=neighbours, seed=seed, replicates=replicates)
    loading = BackboneOptions(architecture, side, device)
    names = _names(exports)
    counts = {name: count_pictures(folder) for name, folder in names.items()}
    checkpoints = check_backbones(backbones, loading, mixed=mixed_architectures)
    pictures, broken = _read(probe_set, quiet=quiet)
    for frame, why in broken:
        say(f"{frame.where}: left out, the picture cannot be read: {why}")
    found: list[Leak] = []
    for name, folder in names.items():
        with Meter(f"compare {name}", counts[name], "picture", quiet=quiet) as meter:
            found += pictures.found_in(folder, meter)
    if found and leaks == "refuse":
        raise CurateError(_refusal(probe_set, found))
    leaked = {probe_set.frames[leak.frame].unit for leak in found}
    kept = without(probe_set, labels, {frame for frame, _ in broken}, leaked)
    left_out = sum(frame.unit in leaked for frame in probe_set.frames)

    splits = make_splits(kept, options)
    answers, cosines = [], {}
    for number, one in enumerate(checkpoints):
        with Meter(f"embed {one.arm}", len(kept.frames), "picture", quiet=quiet) as meter:
            features = embed_frames(one.model, kept.frames, loading, meter)
        answers.append(probe_features(features, kept, splits, options))
        for name, folder in names.items() if number == 0 else ():
            total = min(bank or counts[name], counts[name])
            with Meter(f"embed {name}", total, "picture", quiet=quiet) as meter:
                cosines[name] = coverage(one.model, folder, features, bank, loading, meter)
    probed = probe_report.Probed(kept, splits, options, checkpoints, answers, counts, cosines, left_out)
    result = probe_report.figures(probed)
    probe_report.write_report(probed, result, output)
    show(probe_report.markdown(result))
    if not quiet:
        show(f"\nreport and tables: {output}")
    leave(failures=broken)


def _names(exports: Sequence[Path]) -> dict[str, Path]:
    """A name for each export: its folder's, with as many of those above it as tell them apart.

    Raises:
        CurateError: One is given twice.
    """
    resolved = [folder.resolve() for folder in exports]
    for folder in resolved:
        if resolved.count(folder) > 1:
            raise CurateError(f"{folder} is given twice")
    depth = 1
    while len({folder.parts[-depth:] for folder in resolved}) < len(resolved):
        depth += 1
    return {"/".join(folder.parts[-depth:]): given for folder, given in zip(resolved, exports, strict=True)}


def _read(probe_set: ProbeSet, *, quiet: bool) -> tuple[ProbePictures, list[tuple[ProbeFrame, str]]]:
    """Read all labelled pictures once; returns what is compared with exports, and those that cannot be read."""
    from curate.evaluation.probe_features import read_jpeg
    from curate.evaluation.probe_leaks import ProbePictures

    pictures, broken = ProbePictures(), []
    with Meter("read", len(probe_set.frames), "picture", quiet=quiet) as meter:
        for number, frame in enumerate(probe_set.frames):
            try:
                pictures.add(number, read_jpeg(frame))
            except (OSError, ValueError) as error:
                broken.append((frame, why_of(error)))
            meter(1)
    return pictures, broken


def _refusal(probe_set: ProbeSet, leaks: Sequence[Leak]) -> str:
    """What is wrong where pictures of the set are in exports."""
    lines = []
    for leak in leaks[:_SHOWN]:
        how = "the same bytes" if leak.bits < 0 else f"alike, {leak.bits} bits of 256 differ"
        frame = probe_set.frames[leak.frame]
        lines.append(
            f"\n  {frame.where} ({frame.path.name}) is {leak.key} of video {leak.video} in {leak.export}: {how}"
        )
    more = f"\n  and {len(leaks) - _SHOWN} more" if len(leaks) > _SHOWN else ""
    return (
        f"{len({leak.frame for leak in leaks})} of {len(probe_set.frames)} labelled pictures are in an export, so that "
        f"figures on them would say nothing:{''.join(lines)}{more}\n"
        "take their videos out of the labels or of the corpus, or leave them out here with --leaks drop"
    )
