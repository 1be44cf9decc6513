"""Clients of a soak test: most behave, some do not, and every answer that is due is checked."""

import asyncio
import os
import random
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress

DEADLINE = 30.0
HOST = b"Host: soak\r\n"
# What a client may send that is no request at all.
NOISE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /anything HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
    b"\r\n" * 2_000,
]

Address = tuple[str, int]


class Wrong(Exception):
    """An answer that is not the one that was due, or none at all."""


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer

    async def ask(self, head: bytes, content: bytes = b"") -> bytes:
        """Sends a request, and gives the content of its answer, which must be 200."""
        self.writer.write(head + content)
        return await self.answer()

    async def answer(self, status: int = 200) -> bytes:
        """The content of the next answer."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 %d " % status):
            raise Wrong(f"{status} was due, and {head[:60]!r} came")
        lower = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in lower:
            return await self._chunks()
        length = lower.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
        return await self.reader.readexactly(int(length))

    async def _chunks(self) -> bytes:
        content = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            content += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return content

    def reset(self) -> None:
        """Leaves without a goodbye."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@asynccontextmanager
async def connected(address: Address):
    """A connection that is closed at the end, whatever happens."""
    reader, writer = await asyncio.open_connection(*address, limit=1 << 17)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def get(path: str) -> bytes:
    """The head of a request without content."""
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path.encode(), HOST)


def post(path: str, length: int) -> bytes:
    """The head of a request with content of this length."""
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n" % (path.encode(), HOST, length)


def chunked(content: bytes) -> bytes:
    """Content as chunks of all sorts of sizes."""
    pieces, at = [], 0
    while at < len(content):
        piece = content[at : at + random.randint(1, 30_000)]
        pieces.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        at += len(piece)
    return b"".join(pieces) + b"0\r\n\r\n"


async def keeps_alive(address: Address) -> int:
    """Asks the same connection again and again."""
    async with connected(address) as client:
        for _ in range(50):
            if await client.ask(post("/echo", 5), b"hello") != b"hello":
                raise Wrong("an echo came back changed")
    return 50


async def pipelines(address: Address) -> int:
    """Asks all at once, and takes the answers in order."""
    async with connected(address) as client:
        lengths = [random.randint(0, 3_000) for _ in range(20)]
        client.writer.write(b"".join(get(f"/bytes/{length}") for length in lengths))
        for length in lengths:
            if len(await client.answer()) != length:
                raise Wrong("a pipelined answer is out of order")
    return 20


async def holds(address: Address) -> int:
    """Asks, is silent for long, and asks again."""
    async with connected(address) as client:
        await client.ask(get("/healthz"))
        await asyncio.sleep(random.uniform(1, 8))
        await client.ask(get("/anything"))
    return 2


async def uploads(address: Address, path: str = "/echo") -> int:
    """Streams content, and wants it back."""
    content = os.urandom(random.randint(1, 300_000))
    async with connected(address) as client:
        head = b"POST %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (path.encode(), HOST)
        # The answer comes while the request is still on its way.
        answer = asyncio.ensure_future(client.ask(head, chunked(content)))
        if await answer != content:
            raise Wrong(f"an upload to {path} came back changed")
    return 1


async def uploads_through(address: Address) -> int:
    """The same through the proxy."""
    return await uploads(address, "/proxy/echo")


async def goes_through(address: Address) -> int:
    """Asks the upstream, a few times on one connection."""
    async with connected(address) as client:
        for _ in range(20):
            if len(await client.ask(get("/proxy/bytes/1000"))) != 1000:
                raise Wrong("an answer from upstream is short")
    return 20


async def waits(address: Address) -> int:
    """Asks for what takes a while, here and upstream."""
    async with connected(address) as client:
        await client.ask(get("/delay/30ms"))
        await client.ask(get("/proxy/delay/30ms"))
        await client.ask(get("/stream/5?interval=5ms&size=100"))
    return 3


async def talks_nonsense(address: Address) -> int:
    """Sends what is no request, and is refused or not answered at all."""
    async with connected(address) as client:
        client.writer.write(random.choice(NOISE))
        client.writer.write_eof()
        while await client.reader.read(65_536):
            pass
    return 0


async def begins_only(address: Address) -> int:
    """Begins a request, and never ends it: the server has to."""
    async with connected(address) as client:
        client.writer.write(random.choice([b"GET /ec", post("/echo", 100) + b"abc"]))
        while await client.reader.read(65_536):
            pass
    return 0


async def vanishes(address: Address) -> int:
    """Resets the connection where it hurts."""
    async with connected(address) as client:
        begun = [
            b"",
            b"GET /bytes/5 HTT",
            post("/echo", 1000) + b"some",
            post("/proxy/echo", 1_000_000) + b"x" * 70_000,
            get("/bytes/10000000"),
            get("/proxy/bytes/10000000"),
            get("/stream/100?interval=5ms"),
            get("/delay/1s"),
            get("/proxy/delay/1s"),
        ]
        client.writer.write(random.choice(begun))
        await asyncio.sleep(random.uniform(0, 0.1))
        client.reset()
    return 0


async def reads_slowly(address: Address) -> int:
    """Asks for much, takes little, and leaves."""
    async with connected(address) as client:
        path = random.choice(["/bytes/5000000", "/proxy/bytes/5000000"])
        client.writer.write(get(path))
        for _ in range(random.randint(1, 30)):
            await client.reader.read(4096)
            await asyncio.sleep(0.05)
        client.reset()
    return 0


Manner = Callable[[Address], Awaitable[int]]

# How often each is met among a hundred clients.
MANNERS: dict[Manner, int] = {
    keeps_alive: 30,
    pipelines: 10,
    holds: 6,
    uploads: 8,
    uploads_through: 6,
    goes_through: 14,
    waits: 6,
    talks_nonsense: 6,
    begins_only: 2,
    vanishes: 10,
    reads_slowly: 2,
}


class Company:
    """A crowd of clients of one server, each of which comes again in another manner."""

    def __init__(self, address: Address, size: int):
        self.address, self.size = address, size
        self.answers = 0
        self.visits = 0
        self.wrong: dict[str, list[str]] = {}

    async def visit(self, until: float) -> None:
        """Everybody comes and goes until then, and has left on return."""
        await asyncio.gather(*(self._one(until) for _ in range(self.size)))

    async def _one(self, until: float) -> None:
        clock = asyncio.get_running_loop().time
        while clock() < until:
            (manner,) = random.choices(list(MANNERS), list(MANNERS.values()))
            try:
                self.answers += await asyncio.wait_for(manner(self.address), DEADLINE)
            except (Wrong, OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                if not self._may_fail(manner, error):
                    what = f"{manner.__name__}: {type(error).__name__}: {error}"
                    self.wrong.setdefault(what, []).append(time.strftime("%H:%M:%S"))
            self.visits += 1
            # So many clients ask no more than a few hundred times a second.
            await asyncio.sleep(random.uniform(0, 0.4))

    @staticmethod
    def _may_fail(manner: Manner, error: Exception) -> bool:
        """Whoever is rude may be reset, and no answer is due to it."""
        rude = (talks_nonsense, begins_only, vanishes, reads_slowly)
        late = isinstance(error, TimeoutError)
        return manner in rude and isinstance(error, OSError) and not late
