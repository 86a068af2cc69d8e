"""Files of LMDB as they are written here, opened by the library."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import BadArtefact
from curate.exports.disk.environment import PAGE, KeyTree, Shape, padding
from curate.exports.reading.lmdb_file import check_length

KEYS = st.binary(min_size=1, max_size=511) | st.from_regex(rb"[a-c_]{1,3}_\d{1,4}", fullmatch=True)


def write(items: Mapping[bytes, bytes], folder: Path) -> Shape:
    """Write ``data.mdb`` as the format does."""
    folder.mkdir()
    measure = KeyTree()
    for key in sorted(items):
        measure.add(key, len(items[key]))
    shape = measure.finish()
    with open(folder / "data.mdb", "wb") as file:
        file.write(shape.head())
        tree = KeyTree(file.write)
        for key in sorted(items):
            tree.add(key, len(items[key]))
            file.write(items[key] + padding(len(items[key])))
        assert tree.finish() == shape
    return shape


def values(environment: lmdb.Environment) -> dict[bytes, bytes]:
    with environment.begin() as transaction:
        return {bytes(key): bytes(value) for key, value in transaction.cursor()}


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, st.binary(max_size=9000), min_size=1, max_size=60))
def test_the_library_finds_every_key_and_its_value(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("lmdb") / "x.lmdb"
    write(items, folder)
    check_length(folder / "data.mdb")
    with lmdb.open(str(folder), readonly=True, lock=False) as environment:
        assert values(environment) == items
        with environment.begin() as transaction:
            assert [bytes(key) for key in transaction.cursor().iternext(values=False)] == sorted(items)
            assert all(transaction.get(key) == value for key, value in items.items())
            assert all(transaction.cursor().set_range(key[:-1]) for key in items)


@pytest.mark.parametrize(("count", "length"), [(1, 1), (72, 30), (73, 30), (3_000, 400), (20_000, 60), (4_000, 511)])
def test_trees_of_any_depth_are_told_as_they_are(tmp_path, count, length):
    items = {f"{n:0{length}d}".encode()[-length:]: bytes([n % 251]) * (n % 3) for n in range(count)}
    shape = write(items, tmp_path / "x.lmdb")
    with lmdb.open(str(tmp_path / "x.lmdb"), readonly=True, lock=False) as environment:
        told = environment.stat()
        assert (told["psize"], told["entries"], told["depth"]) == (PAGE, len(items), shape.depth)
        counts = told["branch_pages"], told["leaf_pages"], told["overflow_pages"]
        assert counts == (shape.branches, shape.leaves, shape.overflow)
        assert 2 + sum(counts) == shape.pages == environment.info()["last_pgno"] + 1
        assert (tmp_path / "x.lmdb" / "data.mdb").stat().st_size == shape.pages * PAGE
        with environment.begin() as transaction:
            assert all(transaction.get(key) == value for key, value in items.items())


def test_the_library_writes_on_in_it_and_copies_it(tmp_path):
    items = {f"v_{n}".encode(): bytes([n % 251]) * 5_000 for n in range(900)}
    write(items, tmp_path / "x.lmdb")
    with lmdb.open(str(tmp_path / "x.lmdb"), map_size=1 << 26) as environment:
        with environment.begin(write=True) as transaction:
            for n in range(0, 900, 2):
                assert transaction.delete(f"v_{n}".encode())
            for n in range(100):
                transaction.put(f"w_{n}".encode(), b"new" * n)
        left = {key: value for key, value in items.items() if int(key[2:]) % 2}
        left |= {f"w_{n}".encode(): b"new" * n for n in range(100)}
        assert values(environment) == left
        (tmp_path / "copy").mkdir()
        environment.copy(str(tmp_path / "copy"), compact=True)
    with lmdb.open(str(tmp_path / "copy"), readonly=True, lock=False) as environment:
        assert values(environment) == left


def test_one_value_is_written_as_the_library_copies_it(tmp_path):
    size = 6 * PAGE
    with lmdb.open(str(tmp_path / "theirs"), map_size=size) as environment:
        with environment.begin(write=True) as transaction:
            transaction.put(b"v_0", b"picture" * 1_000)
        (tmp_path / "copy").mkdir()
        environment.copy(str(tmp_path / "copy"), compact=True)
    write({b"v_0": b"picture" * 1_000}, tmp_path / "ours")
    theirs, ours = (bytearray((tmp_path / name / "data.mdb").read_bytes()) for name in ("copy", "ours"))
    for data in (theirs, ours):
        for page in range(2):
            data[page * PAGE + 32 : page * PAGE + 40] = bytes(8)  # bytes of the map
    assert ours == theirs


def test_a_file_that_is_cut_is_noticed(tmp_path):
    write({f"v_{n}".encode(): bytes(100) for n in range(200)}, tmp_path / "x.lmdb")
    data = tmp_path / "x.lmdb" / "data.mdb"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(BadArtefact, match="cut short"):
        check_length(data)


@pytest.mark.parametrize("key", [b"", b"b", b"a", b"x" * 512])
def test_keys_out_of_order_or_of_a_wrong_length_are_refused(key):
    tree = KeyTree()
    tree.add(b"b", 1)
    with pytest.raises(ValueError, match="is no key that may follow b'b'"):
        tree.add(key, 1)


def test_without_keys_there_is_no_file():
    with pytest.raises(ValueError, match="no keys"):
        KeyTree().finish()
