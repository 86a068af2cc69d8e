"""The card of a trained classifier: data, licences, figures, limits, and the command that made it."""

from __future__ import annotations

from collections.abc import Sequence

from curate.evaluation.classifier import markdown
from curate.evaluation.labels import LabelledFrame
from curate.files.text import printable
from curate.records import NON_SURGICAL, SURGICAL
from curate.training.own import Trained
from curate.training.start import Start


def render_card(trained: Trained, start: Start, frames: Sequence[LabelledFrame], command: str) -> str:
    """Write the card as Markdown."""
    config = trained.config
    backbones = ", ".join(branch.architecture for branch in config.branches)
    return f"""# {_cell(config.name)}

Tells surgical from non-surgical frames: one picture in, `p_surgical` in 0..1 out. A linear head on the frozen backbones
of `{_cell(start.name)}` ({backbones}), {config.width}x{config.height}.
`config.json` holds everything needed to run it; `model.onnx` is the same network as `model.safetensors` and is what
runs on CPUs. Use it with `curate run --classify-model FOLDER`.

## Training data and licences

{_data_table(frames)}

The weights are under the terms of these data and of `{_cell(start.name)}`, whichever are narrower.

## Figures

{_figures(trained)}

## Limits

- Pictures unlike those above, other kinds of surgery, other sources, may be judged wrongly with confidence.
- Intervals are Wilson's and take frames as independent, which frames of one video are not.
- Frames that `{_cell(start.name)}` was itself trained on are no test of this model: they flatter the figures.
- It sees single frames; `curate trim --smooth` weighs in their neighbours.

## How it was made

    {command}
"""


def _data_table(frames: Sequence[LabelledFrame]) -> str:
    lines = ["| source | label | frames | groups | licence as stated |", "|---|---|---|---|---|"]
    for surgical in (True, False):
        for source in sorted({f.source for f in frames if f.surgical == surgical}):
            mine = [f for f in frames if f.surgical == surgical and f.source == source]
            licences = "; ".join(sorted({f.licence for f in mine if f.licence})) or "none stated"
            cells = (source, SURGICAL if surgical else NON_SURGICAL, len(mine), len({f.group for f in mine}), licences)
            lines.append("| " + " | ".join(_cell(str(cell)) for cell in cells) + " |")
    return "\n".join(lines)


def _figures(trained: Trained) -> str:
    if trained.figures is None or trained.folds is None:
        return (
            "Not tested, and so not calibrated: `p_surgical` orders frames, but 0.9 does not mean right nine times in "
            "ten. The threshold is 0.5 and no frame is marked uncertain."
        )
    unit, parts = trained.folds.unit, len(trained.folds.parts)
    caveat = (
        "Every frame was judged by a network that had seen nothing of its source."
        if unit == "source"
        else "Every frame was judged by a network that had seen nothing of its group, but other groups of its source: "
        "with too few sources to leave one out, these figures say little of other sources. Where the labels named no "
        "group, frames of one video may stand on both sides, and the figures flatter."
    )
    return (
        f"The {unit}s were left out in {parts} parts. {caveat} Temperature ({trained.config.temperature:g}), threshold "
        "and uncertain band were chosen on the same answers, which makes the figures slightly optimistic; the model "
        f"itself has seen all frames.\n\n{markdown(trained.figures)}"
    )


def _cell(text: str) -> str:
    """Untrusted text that stays inside a table's cell."""
    return printable(text).replace("|", "\\|").replace("`", "'")
