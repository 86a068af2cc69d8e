"""Connections to local addresses are seen and refused, whoever makes them and however the address is spelt."""

from __future__ import annotations

import ipaddress
import socket
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from curate.acquire.local_network import LocalNetworkGuard, is_local, parse_networks
from curate.errors import CurateError

LOCAL = [
    *("127.0.0.1", "127.255.0.9", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200"),
    *(
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "192.0.0.192",
        "::1",
        "::",
        "fe80::1",
        "fd00:ec2::254",
    ),
    *("::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::a00:1", "2002:7f00:1::", "ff02::1"),
]


@pytest.mark.parametrize("address", LOCAL)
def test_local_addresses(address: str) -> None:
    assert is_local(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "142.250.186.78", "2a00:1450:4001:82a::200e", "64:ff9b::101:101"])
def test_public_addresses(address: str) -> None:
    assert not is_local(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "host",
    [*(f"[{a}]" if ":" in a else a for a in LOCAL), "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1."],
)
def test_a_url_with_a_local_address_is_refused_in_any_spelling(host: str) -> None:
    with pytest.raises(CurateError, match="local network"):
        LocalNetworkGuard(()).check_url(f"http://{host}:8000/x")


@pytest.mark.parametrize("host", ["localhost", "nas.local", "metadata.google.internal", "printer", "a.localhost"])
def test_behind_a_proxy_local_names_are_refused(host: str) -> None:
    with pytest.raises(CurateError, match="local network"):
        LocalNetworkGuard((), ["http://203.0.113.5:3128"]).check_url(f"http://{host}/x")
    LocalNetworkGuard(()).check_url(f"http://{host}/x")  # without one the address that it resolves to decides
    LocalNetworkGuard((), ["http://203.0.113.5:3128"]).check_url("https://www.youtube.com/watch?v=x")


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_connections_are_refused_while_a_guard_watches_and_not_afterwards(listener: int) -> None:
    with LocalNetworkGuard(()).watching():
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(CurateError, match=r"127\.0\.0\.1|::1"):
                socket.create_connection((host, listener), timeout=5)
        with pytest.raises(CurateError):
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.1:{listener}/", timeout=5)
    socket.create_connection(("127.0.0.1", listener), timeout=5).close()


def test_threads_are_watched_too(listener: int) -> None:
    caught: list[Exception] = []

    def connect() -> None:
        try:
            socket.create_connection(("127.0.0.1", listener), timeout=5)
        except CurateError as error:
            caught.append(error)

    with LocalNetworkGuard(()).watching():
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_what_was_asked_for_is_allowed_and_nothing_beside_it(listener: int) -> None:
    guard = LocalNetworkGuard(parse_networks(["127.0.0.1"], "x"))
    with guard.watching():
        socket.create_connection(("127.0.0.1", listener), timeout=5).close()
        with pytest.raises(CurateError, match=r"127\.0\.0\.2"):
            socket.create_connection(("127.0.0.2", listener), timeout=5)


def test_a_proxy_may_be_local_on_its_own_port_only(listener: int) -> None:
    with LocalNetworkGuard((), [f"http://user:pw@localhost:{listener}"]).watching():
        socket.create_connection(("127.0.0.1", listener), timeout=5).close()
        with pytest.raises(CurateError):
            socket.create_connection(("127.0.0.1", 9), timeout=5)


def test_sockets_of_other_families_are_left_alone(tmp_path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        with LocalNetworkGuard(()).watching():
            client.connect(path)


@pytest.mark.parametrize("text", ["", "nas", "10.0.0.0/33", "10.0.0"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(CurateError, match=r"download\.local_addresses"):
        parse_networks([text], "download.local_addresses")
