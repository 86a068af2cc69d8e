"""Plots are SVG that any reader of XML takes, whatever the names in them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from curate.charts.bars import Row, bars
from curate.charts.histogram import histogram
from curate.charts.svg import WIDTH, standalone

NS = {"svg": "http://www.w3.org/2000/svg"}
HOSTILE = '<script>alert(1)</script> "a" & \u202eevil\u202c \x1b[31m\x00'


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def widths(chart: str, kind: str) -> list[float]:
    found = (rect for rect in parsed(chart).iterfind(".//svg:rect", NS) if rect.get("class") == kind)
    return [float(rect.get("width", 0)) for rect in found if rect.get("height") != "10"]


def test_bars_are_as_long_as_their_values_and_are_told_in_words() -> None:
    rows = [Row("one", (30, 10)), Row("two", (20, 0)), Row("three", (0, 0), "nothing")]
    chart = bars("Videos", [("done", "good"), ("failed", "bad")], rows)
    assert widths(chart, "good") == [WIDTH * 0.75, WIDTH * 0.5] and widths(chart, "bad") == [WIDTH * 0.25]
    assert parsed(chart).findtext("svg:desc", namespaces=NS) == "one: 40; two: 20; three: nothing"


def test_a_histogram_stacks_its_series_and_marks_values() -> None:
    edges = [0, 0.5, 1.0]
    series = [("yes", "good", [1, 4]), ("no", "plain", [3, 0])]
    chart = histogram("Scores", edges, series, across="probability", up="frames", marks=[(0.5, "threshold")])
    heights = {
        kind: [
            float(rect.get("height", 0))
            for rect in parsed(chart).iterfind(".//svg:rect", NS)
            if rect.get("class") == kind and rect.get("height") != "10"
        ]
        for kind in ("good", "plain")
    }
    assert heights == {"good": [30, 120], "plain": [90]}
    assert "threshold" in chart and parsed(chart).findtext("svg:desc", namespaces=NS) == (
        "8 in all, most (4) from 0 to 0.5"
    )


@pytest.mark.parametrize("make", ["bars", "histogram"])
def test_names_of_strangers_are_text(make: str) -> None:
    if make == "bars":
        chart = bars(HOSTILE, [(HOSTILE, "good")], [Row(HOSTILE, (1,), HOSTILE)])
    else:
        chart = histogram(HOSTILE, [0, 1], [(HOSTILE, "good", [1])], across=HOSTILE, up=HOSTILE)
    assert not parsed(chart).findall(".//svg:script", NS) and not set("\u202e\x1b\x00") & set(chart)


def test_nothing_to_show_is_a_plot_as_well() -> None:
    parsed(bars("Empty", [("videos", "plain")], []))
    parsed(histogram("Empty", [0, 1, 2], [("videos", "plain", [0, 0])], across="x", up="y"))


def test_a_plot_of_its_own_carries_its_colours() -> None:
    chart = standalone(bars("Videos", [("videos", "plain")], [Row("one", (1,))]))
    style = parsed(chart).findtext("svg:style", namespaces=NS)
    assert style is not None and "prefers-color-scheme: dark" in style and ".chart .plain" in style
