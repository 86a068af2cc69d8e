from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.workspace import ledger
from curate.workspace.events import Event, events_of_block
from tests.workspace.test_ledger import done, events, failed

LINE = done(1).to_json()
SEALED = LINE[:-1] + ',"files":{"v.mp4":[3,"ab"]}}'

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["done", "v.mp4"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from([*json.loads(SEALED), "reason", "detail", "retryable", "seconds", "attempt", "more"])


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """Lines of the ledger, of which some are changed: a value, or a piece of the text."""
    lines = [event.to_json() for event in draw(st.lists(events, min_size=1, max_size=5))]
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(lines) - 1))
        if draw(st.booleans()):
            try:
                lines[at] = json.dumps({**json.loads(lines[at]), draw(names): draw(values)})
            except ValueError:
                continue
        else:
            start, end = sorted(draw(st.tuples(*[st.integers(0, len(lines[at]))] * 2)))
            piece = draw(st.sampled_from(["", "\n", "}\n{", "},{", "[", "]", '"', ",", " ", "\ufeff", "é", "\\"]))
            lines[at] = lines[at][:start] + piece + lines[at][end:]
    return "".join(f"{line}\n" for line in lines)


@example(SEALED.replace('"ab"]', '{}\n{"a":1}]') + f"\n{LINE},{LINE}\n")  # one object on two lines, and two on one
@example(LINE[:-2] + "}\n{" + LINE[-2:] + f"\n{LINE},{LINE}\n")
@example(SEALED.replace("ab", "a}\n{b") + f"\n{LINE},{LINE}\n")
@example(f"{LINE},1,{{}}\n")
@example(LINE.replace("3}", "1" + "0" * 400 + "}") + "\n")
@example(LINE.replace("3}", "NaN}") + "\n")
@example(LINE.replace("3}", '3,"b":NaN,"c":4}') + "\n")
@example(LINE.replace("3}", '3,"b":NaN,"c":1' + "0" * 400 + "}") + "\n")
@example(LINE.replace("3}", '3,"b":Infinity,"c":-Infinity}') + "\n")
@example(LINE + "\n\n" + LINE + "\n")
@example(LINE + "\n" + LINE)
@example(LINE.replace("}}", '},"attempt":1}') + "\n" + LINE.replace("}}", '},"attempt":true}') + "\n")
@example(LINE.replace("}}", '},"retryable":false}') + "\n" + LINE.replace("}}", '},"retryable":0}') + "\n")
@example(SEALED.replace("v.mp4", "") + "\n")
@example(SEALED.replace("ab", "\\ud800") + "\n")
@example(LINE.replace('"video":"v",', "") + "\n")
@example(failed(1).to_json().replace('"reason":"network"', '"reason":null') + "\n")
@example('{"a":' * 100_000 + "1" + "}" * 100_000 + "\n")
@given(damaged())
def test_a_block_holds_the_events_of_its_lines_or_is_refused(text: str) -> None:
    try:
        found = events_of_block(text.encode())
    except ValueError:
        return
    assert found == [Event.from_json(line) for line in text.encode().splitlines(keepends=True)]


def test_bytes_that_are_no_text_are_refused_in_a_block_as_in_a_line() -> None:
    line = LINE.replace('"a"', '"\udcff"').encode(errors="surrogateescape") + b"\n"
    for read in (events_of_block, Event.from_json):
        with pytest.raises(ValueError, match="utf-8"):
            read(line)


@given(st.lists(events, min_size=1, max_size=5))
def test_what_curate_writes_is_read_by_the_block(listed: list[Event]) -> None:
    assert events_of_block(b"".join(event.to_json().encode() + b"\n" for event in listed)) == listed


@example(f"{LINE}\n{SEALED}"[:-9], 1, 1000)
@example(f"{LINE}\n" * 3, len(LINE) // 2, 5 * len(LINE))
@example(f"{LINE}\n{LINE[:-1]},{'x' * 300}}}\n{SEALED}\n", 20, 200)
@given(damaged(), st.integers(1, 200), st.integers(100, 2000))
def test_however_a_ledger_is_cut_into_blocks_it_tells_what_its_lines_tell(
    tmp_path_factory: pytest.TempPathFactory, text: str, block: int, longest: int
) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    (folder / "a.jsonl").write_bytes(text.encode())
    whole = []
    for line in text.encode().splitlines(keepends=True):
        with contextlib.suppress(ValueError):
            if len(line) <= longest - (not line.endswith(b"\n")):
                whole.append(Event.from_json(line))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "_LONGEST_LINE", longest)
        patch.setattr(ledger, "_BLOCK", min(block, longest // 2))
        assert ledger.read_ledger(folder) == ledger.unite(whole)
