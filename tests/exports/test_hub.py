"""Exports on a stand-in of the Hugging Face hub, by its own library over HTTP on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub.constants
import pytest

from curate.errors import CurateError
from curate.exports import ExportEntry
from curate.exports.cards.licences import asking
from curate.exports.hub import sending
from curate.exports.hub.place import HubPlace, scrub
from tests.corpus.running import run
from tests.exports.conftest import Export
from tests.exports.hub_stand_in import TOKEN, Hub, serve
from tests.exports.making import make_entry, tree_bytes

# The library's own way to hand files to its transport.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning")

HERE = "hf://datasets/someone/frames"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The stand-in; the library speaks LFS to it, as it does where hf_xet is not installed or switched off."""
    with serve() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        yield running


def shown(hub: Hub) -> dict[str, bytes]:
    """What the data set holds, without the hub's own file."""
    files = dict(hub.repositories["someone/frames"].files)
    del files[".gitattributes"]
    return files


@pytest.mark.parametrize("name", ["parquet", "lmdb", "webdataset", "folders"])
def test_a_data_set_is_an_exact_copy_and_is_pulled_as_one(
    export: Export, entries: list[ExportEntry], hub: Hub, tmp_path: Path, name: str
) -> None:
    export(entries, name)
    folder, copy = tmp_path / "exports" / name, tmp_path / "copy"
    done = run("push", folder, HERE)
    assert done.code == 0, done.err
    files = len(tree_bytes(folder))
    assert f"{files} files, {files} sent" in done.out and "private, gated" in done.out
    assert shown(hub) == tree_bytes(folder)
    repository = hub.repositories["someone/frames"]
    assert repository.private and repository.gated == "manual" and len(repository.commits) == 1
    sent = hub.puts.total(), hub.inline.total()
    assert "up to date" in run("push", folder, HERE).out
    assert (hub.puts.total(), hub.inline.total()) == sent and len(repository.commits) == 1
    done = run("pull", HERE, copy)
    assert done.code == 0, done.err
    assert tree_bytes(copy) == tree_bytes(folder) and f"{files} files, {files} fetched" in done.out
    assert run("verify", copy).code == 0
    hub.reads.clear()
    assert f"{files} files, 1 fetched" in run("pull", HERE, copy).out and set(hub.reads) == {"export.json"}
    assert TOKEN not in done.out + done.err


def test_killed_in_the_middle_it_goes_on_and_sends_nothing_twice(
    export: Export, entries: list[ExportEntry], hub: Hub, tmp_path: Path
) -> None:
    export(entries, "folders")
    folder = tmp_path / "exports" / "folders"
    large = {hashlib.sha256(data).hexdigest() for name, data in tree_bytes(folder).items() if name.endswith(".jpg")}
    hub.hold = 6
    assert len(large) > 8
    command = [sys.executable, "-c", "from curate.cli import main; main()", "push", "-vv", str(folder), HERE]
    with subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert hub.waiting.wait(60)
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        assert TOKEN.encode() not in process.stdout.read()
    assert len(hub.objects) == 6 and shown(hub) == {}
    hub.hold = None
    hub.go.set()
    done = run("push", folder, HERE)
    assert done.code == 0, done.err
    assert shown(hub) == tree_bytes(folder)
    assert set(hub.puts.values()) == {1} and hub.puts.keys() >= large
    assert set(hub.inline.values()) == {1}


def test_what_left_the_export_leaves_the_data_set_and_the_copies(
    export: Export, entries: list[ExportEntry], hub: Hub, tmp_path: Path
) -> None:
    export(entries, "folders")
    folder, copy = tmp_path / "exports" / "folders", tmp_path / "copy"
    assert run("push", folder, HERE).code == run("pull", HERE, copy).code == 0
    export(entries[1:], "folders", mark="one less")
    before = hub.objects.keys() | set()
    done = run("push", folder, HERE)
    assert done.code == 0 and ", 5 removed" in done.out, done.out
    assert shown(hub) == tree_bytes(folder)
    new = [hub.objects[oid] for oid in hub.objects.keys() - before]
    assert new and not any(data.startswith(b"\xff\xd8") for data in new)  # tables, no picture
    hub.reads.clear()
    assert run("pull", HERE, copy).code == 0
    assert tree_bytes(copy) == tree_bytes(folder) and not any(name.endswith(".jpg") for name in hub.reads)


def test_an_export_of_many_files_is_never_seen_half(
    export: Export, entries: list[ExportEntry], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "COMMIT", 5)
    folder = tmp_path / "exports" / "folders"
    export(entries, "folders")
    assert run("push", folder, HERE).code == 0
    export(entries, "folders", mark="small", short_side=32)
    assert run("push", folder, HERE).code == 0
    commits = hub.repositories["someone/frames"].commits
    assert len(commits) > 6 and shown(hub) == tree_bytes(folder)
    whole = [commit for commit in commits if "export.json" in commit]
    assert len(whole) == 2 and not any("_push.json" in commit for commit in whole)
    assert all("_push.json" in commit for commit in commits if "export.json" not in commit)
    # one that was ended between two commits goes on
    half = hub.repositories["someone/frames"]
    half.files = dict(commits[-2])
    half.large = {name for name in half.files if name.endswith((".jpg", ".parquet"))}
    assert run("push", folder, HERE).code == 0 and shown(hub) == tree_bytes(folder)


def test_who_may_read_it(export: Export, hub: Hub, tmp_path: Path) -> None:
    free = make_entry(tmp_path / "artefacts", "free", "sss", licence="CC BY 4.0")
    export([free], "parquet")
    folder = tmp_path / "exports" / "parquet"
    done = run("push", folder, HERE, "--public")
    assert done.code == 0 and "; public\n" in done.out and hub.repositories["someone/frames"].gated is False
    assert run("push", folder, "hf://datasets/someone/asked", "--gate", "always").code == 0
    assert hub.repositories["someone/asked"].gated == "manual" and hub.repositories["someone/asked"].private
    closed = make_entry(tmp_path / "artefacts", "closed", "sss", licence="CC BY-NC 4.0")
    export([free, closed], "parquet", mark="two")
    done = run("push", folder, HERE)
    assert "public, gated" in done.out and "licences that ask for a gate: CC BY-NC 4.0" in done.out
    assert hub.repositories["someone/frames"].gated == "manual"
    gate = next(i for i, line in enumerate(hub.log) if line == "PUT /api/datasets/someone/asked/settings")
    assert not any("someone/asked/commit" in line for line in hub.log[:gate])
    assert run("push", folder, "hf://datasets/someone/open", "--gate", "never").code == 0
    assert hub.repositories["someone/open"].gated is False


@pytest.mark.parametrize(
    ("licence", "asks"),
    [
        ("CC0", False), ("CC BY 4.0", False), ("CC-BY-SA-4.0", False), ("Apache-2.0", False), ("MIT", False),
        ("Creative Commons Attribution license (reuse allowed)", False), ("Public domain", False),
        ("CC BY-NC-SA 4.0", True), ("cc-by-nd", True), ("", True), ("YouTube standard", True),
        ("MIT repository (Cholec80)", True), ("none stated (Kvasir-SEG: research)", True),
        ("for this hospital only", True),
        ("Creative Commons Attribution-NonCommercial", True), ("permitted", True),
    ],
)  # fmt: skip
def test_which_licences_ask_for_a_gate(licence: str, asks: bool) -> None:
    assert asking([licence]) == ([licence or "not stated"] if asks else [])


def test_what_cannot_be_pushed_is_refused_and_changes_nothing(
    export: Export, entries: list[ExportEntry], hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(entries, "folders", "webdataset")
    folder = tmp_path / "exports" / "folders"

    def refused(*arguments: object) -> str:
        done = run("push", *arguments)
        assert done.code == 1 and "Traceback" not in done.err and TOKEN not in done.err
        return done.err

    assert "takes one export" in refused(tmp_path / "exports", HERE)
    assert "write hf://datasets/OWNER/NAME" in refused(folder, "hf://someone/frames")
    assert "leave the revision out" in refused(folder, f"{HERE}@v1")
    assert "are for hf:// only" in refused(folder, f"file://{tmp_path}/copy", "--public")
    victim = next(folder.rglob("*.jpg"))
    data = victim.read_bytes()
    victim.write_bytes(data[:-1] + b"!")
    assert f"{victim.name} does not have the checksum" in refused(folder, HERE)
    assert not hub.repositories
    victim.write_bytes(data)
    assert run("push", folder, HERE).code == 0
    assert "holds an export in the format 'folders'" in refused(tmp_path / "exports" / "webdataset", HERE)
    hub.repositories["someone/frames"].files = {"theirs.bin": b"1"}
    assert "not empty and holds no export" in refused(folder, HERE)
    monkeypatch.setenv("HF_TOKEN", "hf_anotherOne")
    hub.repositories.clear()
    assert "set HF_TOKEN" in refused(folder, HERE)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "out of reach" in refused(folder, HERE)


def test_a_stranger_s_data_set_is_held_to_its_record(
    export: Export, entries: list[ExportEntry], hub: Hub, tmp_path: Path
) -> None:
    export(entries, "webdataset")
    folder, copy = tmp_path / "exports" / "webdataset", tmp_path / "copy"
    assert run("push", folder, HERE).code == 0
    repository = hub.repositories["someone/frames"]
    whole = dict(repository.files)

    def refused(files: dict[str, bytes], said: str) -> None:
        repository.files = files
        done = run("pull", HERE, copy)
        assert done.code == 1 and said in done.err and "Traceback" not in done.err, done.err
        assert not copy.exists()

    tar = next(name for name in whole if name.endswith(".tar"))
    refused({**whole, tar: whole[tar][:-1] + b"!"}, "does not have the checksum")
    refused({**whole, tar: whole[tar] + b"!"}, "another size")
    refused({name: data for name, data in whole.items() if name != tar}, f"lacks {tar}")
    refused({name: data for name, data in whole.items() if name != "export.json"}, "holds no export of curate")
    record = json.loads(whole["export.json"])
    record["files"]["../outside"] = {"size": 1, "sha256": "0" * 64}
    refused({**whole, "export.json": json.dumps(record).encode()}, "holds no export of curate")
    repository.files = {**whole, "evil.py": b"import os"}
    assert run("pull", HERE, copy).code == 0
    assert tree_bytes(copy) == tree_bytes(folder) and "evil.py" not in hub.reads
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    done = run("pull", HERE, tmp_path / "mine")
    assert done.code == 1 and "not empty and holds no export" in done.err
    done = run("pull", "hf://datasets/someone/nothing", tmp_path / "new")
    assert done.code == 1 and "not on the hub, or private" in done.err
    done = run("pull", f"{HERE}@v9", tmp_path / "new")
    assert done.code == 1 and "without the revision v9" in done.err


def test_secrets_are_in_no_message() -> None:
    text = f"PUT https://s3/x?X-Amz-Signature=abcdef with Bearer {TOKEN} and hf_other"
    assert not any(secret in scrub(text) for secret in ("abcdef", TOKEN, "hf_other"))


@pytest.mark.parametrize(
    "url", ["hf://", "hf://models/a/b", "hf://datasets/a", "hf://datasets/a/b/c", "hf://datasets/../b"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(CurateError, match="no data set of the hub"):
        HubPlace.parse(url)
