"""The card of an overlay network of a lab's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from curate.evaluation.masks import Figures
from curate.files.text import printable
from curate.nets.detect.boxed import BoxedFrame
from curate.training.masks import MaskFigures


def render_masks_card(name: str, frames: Sequence[BoxedFrame], figures: MaskFigures | None, command: str) -> str:
    """Write the card as Markdown."""
    kinds = Counter(kind for frame in frames for kind, _ in frame.boxes)
    drawn = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "none"
    return f"""# {printable(name)}

The packaged overlay network of curate, trained further on hand-drawn boxes. Use it with
`curate run --mask-overlay-model FOLDER`. `masks.json` holds the SHA-256 of `model.onnx`; without it nothing is loaded.

## Training data

{len(frames)} frames of {len({frame.video for frame in frames})} videos; boxes: {drawn}. The weights are under the terms
of these frames and of the packaged network, whichever are narrower.

## Figures

{_figures(figures)}

## Limits

- It knows the interfaces above; others it finds at most as well as the packaged network.
- Frames of one video are alike: where rows named no video, the same interface may stand on both sides.

## How it was made

    {command}
"""


def table_of(figures: MaskFigures) -> str:
    """Before and after, as a table in Markdown."""
    kinds = sorted(figures.before.drawn)
    lines = [
        "| network | " + " | ".join(kinds) + " | all | other pixels lost | clean frames touched |",
        "|---" * (len(kinds) + 4) + "|",
    ]
    for name, one in (("packaged", figures.before), ("this one", figures.after)):
        cells = [*(_share(one.recall(kind)) for kind in kinds), _share(one.recall()), _lost(one)]
        lines.append(f"| {name} | " + " | ".join([*cells, f"{one.touched} of {one.clean}"]) + " |")
    return "\n".join(lines)


def _figures(figures: MaskFigures | None) -> str:
    if figures is None:
        return "Not tested."
    return (
        f"Videos were left out in {figures.parts} parts; every frame was looked at alone, together with the text "
        f"detector, by a network that had seen nothing of its video. Shares of the pixels of each kind that are "
        f"covered:\n\n{table_of(figures)}"
    )


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _lost(figures: Figures) -> str:
    return f"{100 * figures.lost / figures.free:.2f} %" if figures.free else ""
