"""The servers, what each is compared with, and the figures that they should reach."""

import os
from dataclasses import dataclass

FLOOR = ["target/release/loadtest", "floor"]
PEERS = "loadtest/peers/target/release"
CONNECTIONS = (64, 1024)


@dataclass
class Contender:
    """A server, the program it is compared with, and what its figures should not exceed."""

    name: str
    server: list[str]
    peer: list[str]
    ratio: float  # CPU per request, the server's over the peer's
    proxied: float  # CPU per forwarded request, over the better's of nginx and HAProxy
    kib: float  # PSS for each held connection

    @property
    def peer_name(self) -> str:
        """How the report calls the peer."""
        return "floor" if self.peer == FLOOR else os.path.basename(self.peer[0])


def _contender(name: str, peer: str, ratio: float, proxied: float, kib: float) -> Contender:
    backend, _, codec = name.partition("/")
    server = [f"target/release/server-{backend}", *(["--codec", codec] if codec else [])]
    peers = FLOOR if peer == "floor" else [f"{PEERS}/{peer}"]
    return Contender(name, server, peers, ratio, proxied, kib)


CONTENDERS = [
    _contender("mio", "floor", ratio=1.10, proxied=0.90, kib=0.75),
    _contender("tokio", "hyper-hello", ratio=1.10, proxied=1.25, kib=12),
    _contender("tokio/http1", "floor", ratio=1.15, proxied=1.00, kib=2),
    _contender("may", "may-hello", ratio=1.00, proxied=1.00, kib=10),
    _contender("actix", "actix-hello", ratio=1.00, proxied=1.10, kib=2),
    _contender("threads", "thread-hello", ratio=1.10, proxied=1.50, kib=18),
]
