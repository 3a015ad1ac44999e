"""The refusal of the network, in a process of its own: audit hooks cannot be removed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chatnb.cassettes.network import is_allowed

CODE = """
import asyncio, socket, threading
from chatnb.cassettes.network import NetworkRefused, refuse_network

server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
lift = refuse_network([])

def refused(call, *args):
    try:
        call(*args)
    except NetworkRefused as error:
        print(str(error).replace(str(port), "PORT"))
    else:
        print("not refused")

refused(socket.create_connection, ("127.0.0.1", port))
refused(socket.create_connection, ("api.example.invalid", 443))
refused(socket.gethostbyname, "example.invalid")
refused(socket.socket(type=socket.SOCK_DGRAM).sendto, b"x", ("192.0.2.1", 53))
refused(lambda: asyncio.run(asyncio.open_connection("127.0.0.1", port)))
socket.getaddrinfo("localhost", 80)
try:
    socket.gethostbyname(socket.gethostname())
except OSError:  # Not every machine knows its own name.
    pass
one, other = socket.socketpair()
one.send(b"x")
asyncio.run(asyncio.sleep(0))
lift()
socket.create_connection(("127.0.0.1", port)).close()
refuse_network(["localhost"])
socket.create_connection(("127.0.0.1", port)).close()
refused(socket.create_connection, ("192.0.2.1", 80))
"""

WAY_OUT = "was called. A replay has no network: only calls over HTTP are recorded. "


@pytest.mark.process
def test_sockets_are_refused_with_their_address_and_the_way_out() -> None:
    """By name or number, TCP and UDP, from asyncio too; pairs of sockets and names of this
    machine are not, nor what is allowed."""
    ran = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=100)
    hosts = ("127.0.0.1:PORT", "api.example.invalid:443", "example.invalid", "192.0.2.1:53",
             "127.0.0.1:PORT", "192.0.2.1:80")  # fmt: skip
    assert ran.stdout.splitlines() == [
        f"{host} {WAY_OUT}To allow this host: --chatnb-allow-hosts={host.partition(':')[0]}"
        for host in hosts
    ], ran.stderr


@pytest.mark.parametrize(
    ("host", "allowed", "is_so"),
    [
        ("localhost", ["127.0.0.1"], True),
        ("::1", ["localhost"], True),
        ("127.0.0.2", ["localhost"], True),
        ("Example.org.", ["example.ORG"], True),
        ("a.example.org", ["example.org"], False),
        ("a.example.org", ["*.example.org"], True),
        ("example.org", ["*.example.org"], False),
        ("evilexample.org", ["*.example.org"], False),
        ("anything", ["*"], True),
        ("anything", [], False),
        ("example.org", ["example.org:443"], True),
        ("example.org", ["example.org:80"], False),
        ("127.0.0.1", ["localhost:443"], True),
        ("::1", ["[::1]:443"], True),
        ("::1", ["::1"], True),
    ],
)
def test_hosts_are_allowed_by_name(host: str, allowed: list[str], is_so: bool) -> None:
    """In any case, with or without a port; this machine by any name; subdomains with a star."""
    assert is_allowed(host, 443, allowed) is is_so
