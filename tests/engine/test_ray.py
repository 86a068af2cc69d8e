"""The Ray engine on a cluster of two nodes on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.cli import run_command
from curate.records import Reason
from curate.workspace.ledger import read_ledger
from tests.engine.bench import Bench
from tests.engine.stages import DiesInSetup
from tests.rendered import render_operation

ROOT = Path(__file__).parents[2]


class Cluster:
    """Two nodes of one core each, the first of which may download."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "resources": {"curate_download": 1}, "object_store_memory": 100 << 20},
        )
        self.address = self._cluster.address
        self._second = self._cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
        self._cluster.wait_for_nodes()

    def lose_a_node(self) -> None:
        self._cluster.remove_node(self._second, allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster()
    yield made
    made.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_a_cluster_answers_as_the_local_engine_does(cluster: Cluster, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.mkdir()
    titles = ("", "drop", "raise", "abort", "", "long")
    bench = Bench(tmp_path, engine="ray", address=cluster.address, trace=str(trace), silence=4.0).run(*titles)
    assert bench.event("v0").artefact == "v0.txt"
    assert (tmp_path / "after" / "v4.txt").read_text() == "v4\nv4\n"
    assert bench.event("v1").reason is Reason.NOT_SURGICAL
    assert bench.event("v2").reason is Reason.ERROR
    assert bench.event("v3").reason is Reason.CRASHED
    assert len(list(trace.glob("v3-*"))) == 2  # the second try is another node's
    assert len(list(trace.glob("v2-*"))) == 1
    assert not list(tmp_path.glob("**/.seen-*"))


@pytest.mark.slow
def test_a_stage_that_cannot_be_set_up_stops_on_a_cluster_too(cluster: Cluster, tmp_path: Path) -> None:
    bench = Bench(tmp_path, engine="ray", address=cluster.address, stage=DiesInSetup).run("", "", "", "")
    (halt,) = bench.halts()
    assert "while it was set up" in halt.message
    assert not read_ledger(tmp_path / "ledger")


@pytest.mark.slow
def test_the_loss_of_a_node_costs_no_video_anything(cluster: Cluster, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for seed in range(6):
        render_operation(videos / f"v{seed}.mp4", before=1, surgery=6, after=1, seed=seed)
    formats = ["--export-formats", "parquet,webdataset", "-q"]
    local, remote = tmp_path / "local", tmp_path / "remote"
    assert run_command(["run", str(videos), "-w", str(local), *formats]) == 0

    def strike() -> None:
        while len(list((remote / "scores").glob("*.parquet"))) < 2:
            time.sleep(0.1)
        cluster.lose_a_node()
        lost.append(time.time())

    lost: list[float] = []
    threading.Thread(target=strike, daemon=True).start()
    engine = ["--engine", "ray", "--address", cluster.address]
    assert run_command(["run", str(videos), "-w", str(remote), *formats, *engine]) == 0
    records = read_ledger(remote / "ledger")
    assert {record.last.outcome for record in records.values()} == {"done"}
    assert sum(record.last.time > lost[0] for record in records.values()) > 10  # there was much to do when it went
    assert contents(remote / "exports") == contents(local / "exports")
    assert not list(remote.glob("*/.*.tmp*"))


@pytest.mark.parametrize("listening", [False, True])
def test_an_address_where_no_ray_answers_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], listening: bool
) -> None:
    pytest.importorskip("ray")
    (tmp_path / "videos").mkdir()
    render_operation(tmp_path / "videos" / "v.mp4", before=1, surgery=1, after=1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if not listening:
            server.close()
        else:
            threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        check(tmp_path, address, capfd)


def hang_up(server: socket.socket) -> None:
    """Something that is not Ray."""
    while True:
        try:
            stream, _ = server.accept()
        except OSError:
            return
        stream.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        stream.close()


def check(tmp_path: Path, address: str, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["run", str(tmp_path / "videos"), "-w", str(tmp_path / "w"), "--engine", "ray", "--address", address]
    assert run_command(arguments) == 1
    said = capfd.readouterr().err
    assert f"no Ray answers at {address}" in said
    assert "Traceback" not in said


def test_without_ray_the_engine_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    render_operation(tmp_path / "videos" / "v.mp4", before=1, surgery=1, after=1)
    code = "import sys; sys.modules['ray'] = None; from curate.cli import main; main(sys.argv[1:])"
    arguments = ["run", str(tmp_path / "videos"), "-w", str(tmp_path / "w"), "--engine", "ray"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: Ray is not installed: pip install 'curate[ray]'")


@pytest.mark.parametrize("left", ["", "raise OSError('cannot allocate')"])
def test_a_ray_that_is_there_in_part_is_told(tmp_path: Path, left: str) -> None:
    """Of an empty ``left`` there is only the folder, as after an uninstallation."""
    (tmp_path / "ray").mkdir()
    if left:
        (tmp_path / "ray" / "__init__.py").write_text(left)
    code = (
        "from curate.config import EngineOptions; from curate.engine.ray import connect; connect(EngineOptions('ray'))"
    )
    if not left:  # a whole Ray further down the path would go before a mere folder
        code = f"import sys, types; sys.modules['ray'] = types.ModuleType('ray'); {code}"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert "CurateError: Ray cannot be loaded (" in done.stderr and "pip install 'curate[ray]'" in done.stderr


def test_a_workspace_sends_nobody_to_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "videos").mkdir()
    render_operation(tmp_path / "videos" / "v.mp4", before=1, surgery=1, after=1)
    workspace = tmp_path / "w"
    arguments = ["-w", str(workspace), "--until", "download"]
    assert run_command(["run", str(tmp_path / "videos"), *arguments, "--address", "mine.example:6379"]) == 0
    assert "address mine.example:6379 is not used: that is for --engine ray" in capsys.readouterr().err
    stored = workspace / "curate.toml"
    assert "mine.example" not in stored.read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        stored.write_text(stored.read_text().replace('engine = "local"', f'engine = "ray"\naddress = "{address}"'))
        assert run_command(["run", *arguments]) == 1
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    said = capsys.readouterr().err
    assert "engine.address is not taken from a workspace" in said and "CURATE_ENGINE_ADDRESS" in said


CONNECT = """
import sys
from curate.config import EngineOptions
from curate.engine.ray import connect
connect(EngineOptions(engine="ray", workers=1))
import ray
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
print(len(ray.nodes()), flush=True)
"""


@pytest.mark.slow
def test_two_runs_on_one_machine_have_a_cluster_each() -> None:
    """Else the one that ends would take the other's workers along."""
    pytest.importorskip("ray")
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", CONNECT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    addresses = [run.stdout.readline().strip() for run in runs if run.stdout is not None]
    assert all(addresses) and len(set(addresses)) == 2
    for run in runs:  # the second one still has its cluster when the first is gone
        assert run.communicate("", timeout=60)[0].strip() == "1"
        assert run.returncode == 0
