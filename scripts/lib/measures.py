"""The four measures: CPU per request, the same of a proxy, held connections, a streamed echo."""

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from programs import Server

REQUEST = b"GET /echo HTTP/1.1\r\nHost: bench\r\n\r\n"
DEADLINE = 30.0
WARM_UP_SECONDS = 1
HELD_AT_FIRST = 100
ASKED_AT_ONCE = 100
SETTLE_SECONDS = 1.0
IDLE_SECONDS = 3.0
BLOCK = os.urandom(1 << 20)
# What `loadtest floor --bytes 1024` answers.
CANNED = bytes(at % 251 for at in range(1024))


class Failed(Exception):
    """A measure without a figure: the server answered wrongly, or not at all."""


@dataclass
class Cpu:
    """What a run of wrk cost the server."""

    micros: float  # CPU time for each request
    utilisation: float  # of its core
    rate: float  # requests a second


@dataclass
class Held:
    """What idle connections cost, each of which was answered once."""

    kib: float  # PSS for each connection
    idle_ticks: float  # CPU time in which nobody asked anything


def cpu(server: Server, connections: int, seconds: int, path: str = "/echo") -> Cpu:
    """CPU time of the server for each request of a saturating closed loop."""
    # What goes wrong here goes wrong again where it counts.
    with suppress(Failed):
        _wrk(server, connections, WARM_UP_SECONDS, path)
    before, start = server.cpu_seconds(), time.monotonic()
    requests = _wrk(server, connections, seconds, path)
    used, took = server.cpu_seconds() - before, time.monotonic() - start
    return Cpu(micros=used / requests * 1e6, utilisation=used / took, rate=requests / took)


def forwarded(
    server: Server, upstream: Server, connections: int, seconds: int
) -> tuple[Cpu, int]:
    """CPU time of a proxy for each request, and how many upstream connections it had meanwhile."""
    _check_forwarded(server)
    counts: list[int] = []
    midway = threading.Timer(
        WARM_UP_SECONDS + seconds / 2, lambda: counts.append(_accepted(upstream))
    )
    midway.start()
    try:
        figures = cpu(server, connections, seconds, "/item")
    finally:
        midway.cancel()
        midway.join()
    return figures, counts[0]


def held(server: Server, connections: int) -> Held:
    """The slope of PSS over held connections, and the CPU they take while nothing happens."""
    streams: list[socket.socket] = []
    try:
        # The first connections pay for what is shared by all.
        _hold(server, streams, HELD_AT_FIRST)
        time.sleep(SETTLE_SECONDS)
        before = server.pss_kib()
        _hold(server, streams, connections)
        time.sleep(SETTLE_SECONDS)
        slope = (server.pss_kib() - before) / (connections - HELD_AT_FIRST)
        idle = server.cpu_seconds()
        time.sleep(IDLE_SECONDS)
        idle = server.cpu_seconds() - idle
        # Connections that the server had given up would have cost nothing.
        _ask_all(streams)
    except OSError as error:
        raise Failed(f"one of {len(streams)} held connections: {error}") from error
    finally:
        for stream in streams:
            stream.close()
    return Held(kib=slope, idle_ticks=round(idle * os.sysconf("SC_CLK_TCK")))


def echo(server: Server, mebibytes: int, chunked: bool) -> tuple[int, float]:
    """Growth of the server's peak memory in KiB over one streamed echo, and its seconds.

    Every byte that comes back is compared with what was sent.
    """
    with socket.create_connection(server.address, timeout=DEADLINE) as stream:
        try:
            # One small echo first, so that the connection's own buffers exist.
            _echo(stream, b"x", 1, chunked)
            before, start = server.reset_peak(), time.monotonic()
            _echo(stream, BLOCK, mebibytes, chunked)
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"the echo broke: {error or type(error).__name__}") from error
        return server.peak_kib() - before, time.monotonic() - start


def _wrk(server: Server, connections: int, seconds: int, path: str) -> int:
    host, port = server.address
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://{host}:{port}{path}"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    requests = re.search(r"(\d+) requests in ", said)
    wrong = re.search(r"Socket errors:.*|Non-2xx.*", said)
    if not requests or int(requests[1]) == 0:
        raise Failed(f"wrk got no answers: {said.strip()}")
    if wrong:
        raise Failed(f"wrk at {connections} connections: {wrong[0]}")
    return int(requests[1])


def _check_forwarded(server: Server) -> None:
    """One request, whose answer is looked at as wrk looks at none: is it the upstream's?"""
    client = http.client.HTTPConnection(*server.address, timeout=DEADLINE)
    with closing(client):
        try:
            client.request("GET", "/item")
            answer = client.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"no answer: {error or type(error).__name__}; {server.said()}") from error
    if answer.status != 200:
        raise Failed(f"the first request was answered {answer.status} {body!r}; {server.said()}")
    if body != CANNED or answer.headers["Server"] != "floor" or not answer.headers["Via"]:
        fields = answer.headers.items()
        raise Failed(f"not the upstream's answer: {fields} and {len(body)} bytes of content")


def _accepted(server: Server) -> int:
    """How many connections clients have to it, as the kernel counts."""
    host, port = server.address
    address = int.from_bytes(socket.inet_aton(host), sys.byteorder)
    lines = Path("/proc/net/tcp").read_text().splitlines()
    established = [f"{address:08X}:{port:04X}", "01"]
    return sum(line.split()[1:4:2] == established for line in lines)


def _hold(server: Server, streams: list[socket.socket], upto: int) -> None:
    while len(streams) < upto:
        batch = min(ASKED_AT_ONCE, upto - len(streams))
        for _ in range(batch):
            streams.append(socket.create_connection(server.address, timeout=DEADLINE))
        _ask_all(streams[-batch:])


def _ask_all(streams: list[socket.socket]) -> None:
    """Sends a request on every connection, then takes every answer."""
    for at in range(0, len(streams), ASKED_AT_ONCE):
        batch = streams[at : at + ASKED_AT_ONCE]
        for stream in batch:
            stream.sendall(REQUEST)
        for stream in batch:
            _take_answer(stream)


def _take_answer(stream: socket.socket) -> None:
    """Reads one answer, which has no body."""
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        piece = stream.recv(4096)
        if not piece:
            raise Failed(f"a held connection was closed after {answer!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise Failed(f"a held connection was answered {answer.splitlines()[0]!r}")


def _echo(stream: socket.socket, block: bytes, blocks: int, chunked: bool) -> None:
    """Sends `block` so many times from a second thread, and checks that it comes back."""
    broken: list[OSError] = []

    def send() -> None:
        length = len(block) * blocks
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {length}"
        try:
            stream.sendall(f"POST /echo HTTP/1.1\r\nHost: bench\r\n{framing}\r\n\r\n".encode())
            for _ in range(blocks):
                stream.sendall(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
            stream.sendall(b"0\r\n\r\n" if chunked else b"")
        except OSError as error:
            broken.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        _check_echo(stream, block, blocks)
    except BaseException:
        # The sender must not wait for a reader that is gone.
        with suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)
        raise
    finally:
        sender.join()
    if broken:
        raise broken[0]


def _check_echo(stream: socket.socket, block: bytes, blocks: int) -> None:
    answer = http.client.HTTPResponse(stream, method="POST")
    answer.begin()
    if answer.status != 200:
        raise Failed(f"the echo was answered {answer.status}")
    for number in range(blocks):
        if answer.read(len(block)) != block:
            raise Failed(f"block {number} of {blocks} came back changed or short")
    if answer.read(1):
        raise Failed("the echo is longer than what was sent")
