"""The folder that tells what probes found: report.json, report.md, figures.csv, predictions.csv."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.evaluation.probe import (
    FIGURES,
    PROBES,
    Answers,
    Bootstrap,
    Floats,
    ProbeOptions,
    Split,
    interval,
)
from curate.evaluation.probe_features import Checkpoint
from curate.evaluation.probe_set import ProbeSet
from curate.files.atomic import write_atomic
from curate.files.csv_file import csv_text
from curate.version import __version__

FEW_UNITS = 20
"""Videos below which an interval by resampling them is too narrow, and the report says so."""

WORDS = {"linear": "linear", "knn": "nearest neighbours", "accuracy": "accuracy", "macro_f1": "macro F1"}


@dataclass(frozen=True)
class Probed:
    """What was done.

    Attributes:
        probe_set: The labelled frames.
        splits: What was learnt from and answered.
        options: How.
        checkpoints: What was probed, in the order in which it was given.
        answers: Of each checkpoint.
        exports: Pictures of each export that were held against the set, by its name.
        coverage: Of each export the cosine of each frame to its nearest, and the pictures that were looked at.
        left_out: Frames that were left out as leaks.
    """

    probe_set: ProbeSet
    splits: Sequence[Split]
    options: ProbeOptions
    checkpoints: Sequence[Checkpoint]
    answers: Sequence[Answers]
    exports: Mapping[str, int]
    coverage: Mapping[str, tuple[Floats, int]]
    left_out: int = 0


def figures(probed: Probed) -> dict[str, Any]:
    """All figures, as ``report.json`` holds them."""
    boot = Bootstrap(probed.probe_set, probed.splits, probed.options)
    arms = list(dict.fromkeys(one.arm for one in probed.checkpoints))
    rows: list[dict[str, Any]] = []
    differences: list[dict[str, Any]] = []
    for probe, figure in itertools.product(PROBES, FIGURES):
        found = {}
        for arm in arms:
            runs = [a[probe] for one, a in zip(probed.checkpoints, probed.answers, strict=True) if one.arm == arm]
            found[arm] = boot.samples(runs, figure)
            alone = [boot.samples([run], figure)[0] for run in runs]
            rows.append(
                {
                    "backbone": arm,
                    "runs": len(runs),
                    "probe": probe,
                    "figure": figure,
                    **_told(*found[arm]),
                    "each": alone,
                }
            )
        for one, other in itertools.combinations(arms, 2):
            told = _told(found[other][0] - found[one][0], found[other][1] - found[one][1])
            differences.append({"of": other, "over": one, "probe": probe, "figure": figure, **told})
    near = {name: boot.mean(cosines) for name, (cosines, _) in probed.coverage.items()}
    covered = [{"export": name, "looked_at": probed.coverage[name][1], **_told(*found)} for name, found in near.items()]
    apart = [
        {"of": other, "over": one, **_told(near[other][0] - near[one][0], near[other][1] - near[one][1])}
        for one, other in itertools.combinations(near, 2)
    ]
    frames = probed.probe_set.frames
    counts = Counter(frame.label for frame in frames)
    tested = sum(len(split.test) for split in probed.splits)
    return {
        "made_by": f"curate {__version__}",
        "set": {
            "name": probed.probe_set.name,
            "frames": len(frames),
            "classes": dict(sorted(counts.items())),
            "videos": len({frame.unit for frame in frames}),
            "frames_without_video": probed.probe_set.alone,
            "left_out_as_leaks": probed.left_out,
        },
        "protocol": {
            "splits": "stated" if probed.probe_set.stated else f"{len(probed.splits)} folds by video",
            "tested_frames": tested,
            "tested_videos": boot.units,
            **dataclasses.asdict(probed.options),
        },
        "checked_against": dict(probed.exports),
        "backbones": [dataclasses.asdict(one) for one in probed.checkpoints],
        "figures": rows,
        "differences": differences,
        "coverage": covered,
        "coverage_differences": apart,
    }


def _told(value: float, replicates: Floats) -> dict[str, float]:
    return {name: round(number, 4) for name, number in dataclasses.asdict(interval(value, replicates)).items()}


def markdown(result: Mapping[str, Any]) -> str:
    """The figures as tables, and what they rest on."""
    about, how = result["set"], result["protocol"]
    classes = ", ".join(f"{name} {count:,}" for name, count in about["classes"].items())
    lines = [
        f"{about['frames']:,} frames of {about['videos']:,} videos ({classes}); {how['splits']}, "
        f"{how['tested_frames']:,} frames tested. Intervals are of 95 %, over {how['tested_videos']:,} videos"
        + (" and the runs" if any(row["runs"] > 1 for row in result["figures"]) else "")
        + f", by {how['replicates']:,} replicates of a bootstrap.",
        "",
        "| backbone | runs | probe | accuracy | macro F1 |",
        "|---|---:|---|---:|---:|",
    ]
    by_place = {(row["backbone"], row["probe"], row["figure"]): row for row in result["figures"]}
    for arm in dict.fromkeys(row["backbone"] for row in result["figures"]):
        for probe in PROBES:
            accurate, f1 = (by_place[arm, probe, figure] for figure in FIGURES)
            lines.append(f"| {_cell(arm)} | {accurate['runs']} | {WORDS[probe]} | {_shown(accurate)} | {_shown(f1)} |")
    if result["differences"]:
        lines += ["", "| difference, paired | probe | accuracy | macro F1 |", "|---|---|---:|---:|"]
        pairs = dict.fromkeys((row["of"], row["over"], row["probe"]) for row in result["differences"])
        by_pair = {(r["of"], r["over"], r["probe"], r["figure"]): r for r in result["differences"]}
        for of, over, probe in sorted(pairs, key=lambda pair: list(pairs).index(pair)):
            accurate, f1 = (by_pair[of, over, probe, figure] for figure in FIGURES)
            name = f"{_cell(of)} over {_cell(over)}"
            lines.append(f"| {name} | {WORDS[probe]} | {_shown(accurate, sign=True)} | {_shown(f1, sign=True)} |")
    if result["coverage"]:
        lines += ["", "| export | pictures looked at | cosine to its nearest picture |", "|---|---:|---:|"]
        lines += [f"| {_cell(r['export'])} | {r['looked_at']:,} | {_shown(r)} |" for r in result["coverage"]]
        for row in result["coverage_differences"]:
            lines.append(f"| {_cell(row['of'])} over {_cell(row['over'])} | | {_shown(row, sign=True)} |")
    return "\n".join([*lines, "", *(f"- {note}" for note in notes(result))])


def notes(result: Mapping[str, Any]) -> list[str]:
    """What a reader must know of the figures."""
    about, how, checked = result["set"], result["protocol"], result["checked_against"]
    found = []
    if checked:
        names = ", ".join(f"{_cell(name)} ({count:,} pictures)" for name, count in checked.items())
        left = about["left_out_as_leaks"]
        fate = f"{left:,} frames were left out with their videos as leaks" if left else "none of its pictures was found"
        found.append(f"The set was held against {names}, by bytes and by looks: {fate}.")
    else:
        found.append("The set was held against no export: nobody looked whether the backbones were trained on it.")
    if about["frames_without_video"]:
        found.append(
            f"{about['frames_without_video']:,} frames tell no video and count as one each: if some are of one video, "
            "the figures are too good and the intervals too narrow."
        )
    if how["tested_videos"] < FEW_UNITS:
        found.append(f"{how['tested_videos']} videos are few: the intervals are too narrow.")
    if len({(one["architecture"], tuple(one["side"])) for one in result["backbones"]}) > 1:
        found.append("The backbones are of several architectures: a difference is also that of the networks.")
    return found


def write_report(probed: Probed, result: Mapping[str, Any], folder: Path) -> None:
    """Write the folder; what an earlier report left there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "report.json", (json.dumps(result, indent=2) + "\n").encode())
    text = f"# Probes on {_cell(result['set']['name'])}\n\n{markdown(result)}\n"
    write_atomic(folder / "report.md", text.encode("utf-8", "backslashreplace"))
    columns = ("what", "probe", "figure", "runs", "value", "low", "high")
    rows: list[dict[str, Any]] = [{"what": row["backbone"], **row} for row in result["figures"]]
    rows += [{"what": f"{row['of']} over {row['over']}", "runs": None, **row} for row in result["differences"]]
    near = {"probe": None, "figure": "nearest_cosine", "runs": None}
    rows += [{"what": row["export"], **near, **row} for row in result["coverage"]]
    rows += [{"what": f"{row['of']} over {row['over']}", **near, **row} for row in result["coverage_differences"]]
    _write_csv(folder / "figures.csv", columns, rows)
    classes = probed.probe_set.classes
    answers = []
    for fold, split in enumerate(probed.splits):
        for i in split.test.tolist():
            frame = probed.probe_set.frames[i]
            for one, found in zip(probed.checkpoints, probed.answers, strict=True):
                said = {probe: classes[found[probe][i]] for probe in PROBES}
                shown = {"backbone": one.arm, "model": one.model, "fold": fold, **said}
                answers.append({"file": str(frame.path), "label": frame.label, "video": frame.unit, **shown})
    _write_csv(folder / "predictions.csv", tuple(answers[0]), answers)


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    write_atomic(path, csv_text(columns, rows).encode("utf-8", "backslashreplace"))


def _shown(row: Mapping[str, Any], *, sign: bool = False) -> str:
    form = "+.3f" if sign else ".3f"
    return f"{row['value']:{form}} ({row['low']:{form}} to {row['high']:{form}})"


def _cell(text: str) -> str:
    """A name that is not ours in a table."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\|`*[]" else c for c in flat)
