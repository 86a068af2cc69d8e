"""Keeps downloads away from this machine and the network it stands in.

A list of videos, or a page that a video leads to, may come from a stranger. An address on it can name this machine, a
device of the hospital's network, or the service that hands out a cloud machine's credentials (169.254.169.254); it can
also be a name that resolves to one of them, or a harmless page that redirects there. So every connection is judged by
the address that the system is about to connect to, whatever the URL said: while a guard watches, the interpreter's
audit hook sees each of them, those after a redirect and to each of a name's addresses too.

Where a proxy makes the connections, the addresses behind it cannot be seen; there every URL is judged by its host.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from curate.errors import CurateError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

METADATA = frozenset(map(ipaddress.ip_address, ("168.63.129.16", "192.0.0.192")))
"""Services of cloud machines at addresses that look public: Azure's and Oracle's."""

_LOCAL_NAMES = re.compile(r"(?:.+\.)?(?:localhost|local|localdomain|internal|intranet|lan|home\.arpa)|[^.:]+")
"""Names that only a local network resolves: of reserved domains (RFC 6761, 6762, 8375), and those without a dot."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that stand for IPv4 ones (RFC 6052)."""


def parse_networks(texts: Iterable[str], where: str) -> tuple[Network, ...]:
    """Networks from texts such as ``192.168.1.20`` and ``10.0.0.0/8``.

    Raises:
        CurateError: A text is neither an address nor a network; says so with ``where``.
    """
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            raise CurateError(
                f"{where}: {error}; write addresses or networks, such as 192.168.1.20,10.0.0.0/8"
            ) from error
    return tuple(found)


def is_local(address: Address) -> bool:
    """Whether an address belongs to this machine, a private or link-local network, or a cloud's own services."""
    inner = _inner(address)
    return not inner.is_global or inner.is_multicast or inner in METADATA


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour or address
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


class LocalNetworkGuard:
    """Says which addresses are not connected to.

    Args:
        allowed: Networks that were asked for.
        proxies: URLs of the proxies in use; connections to them are the user's own wish.
        error: Makes what is raised of a sentence.
    """

    def __init__(
        self, allowed: Sequence[Network], proxies: Iterable[str] = (), error: Callable[[str], Exception] = CurateError
    ) -> None:
        self._allowed = tuple(allowed)
        self._proxies = tuple(proxy for proxy in proxies if proxy)
        self._error = error
        self._ends: frozenset[tuple[str, int]] = frozenset()

    def check_url(self, url: str) -> None:
        """Refuse a URL whose host is a local address in any spelling; behind a proxy also a local name.

        Raises:
            Exception: As ``error`` makes it.
        """
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return  # no URL; whoever fetches it says so
        address = _literal(host)
        if address is not None:
            self._check(address, host)
        elif self._proxies and _LOCAL_NAMES.fullmatch(host.rstrip(".").lower()):
            raise self._refusal(host)

    def check_connection(self, address: Any) -> None:
        """Refuse a socket's address if it is local and not allowed.

        Raises:
            Exception: As ``error`` makes it.
        """
        if not isinstance(address, tuple) or len(address) < 2:
            return  # not of an internet protocol
        literal = _literal(str(address[0]))
        if literal is not None and (str(address[0]), address[1]) not in self._ends:
            self._check(literal, str(address[0]))

    def _check(self, address: Address, shown: str) -> None:
        inner = _inner(address)
        if is_local(address) and not any(inner in network or address in network for network in self._allowed):
            raise self._refusal(shown)

    def _refusal(self, host: str) -> Exception:
        return self._error(
            f"{host} belongs to this machine or its local network, which is fetched from only where "
            "--local-addresses names it"
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Judge every connection that this process makes in a ``with`` block, in whichever thread."""
        if self._proxies and not self._ends:
            self._ends = frozenset(end for proxy in self._proxies for end in _ends(proxy))
        _watchers().append(self)
        try:
            yield
        finally:
            _watchers().remove(self)


@functools.cache
def _watchers() -> list[LocalNetworkGuard]:
    """The guards that watch; the hook that asks them is set once a process, since Python cannot take it back."""
    watchers: list[LocalNetworkGuard] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watchers and event == "socket.connect":
            for guard in tuple(watchers):
                guard.check_connection(arguments[1])

    sys.addaudithook(hook)
    return watchers


def _literal(host: str) -> Address | None:
    """The address that a host spells, as the system reads it: ``127.1`` and ``2130706433`` are addresses too."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if not re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", host.rstrip(".").lower()):
        return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host.rstrip(".")))
    except OSError:
        return None


def _ends(proxy: str) -> Iterator[tuple[str, int]]:
    """Addresses and ports of a proxy."""
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        ports = {"https": 443, "http": 80}
        port = parts.port or ports.get(parts.scheme, 1080)
        for *_, address in socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM):
            yield str(address[0]), port
    except (OSError, ValueError):
        return  # it cannot be reached, which the download will say
