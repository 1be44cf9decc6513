"""What forwards: the servers in proxy mode, nginx and HAProxy, all before one canned upstream."""

import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from programs import CannotStart, Server

CONFIGURATIONS = Path(__file__).parent / "proxies"
BACKLOG = 4096

# Starts a proxy: its upstream's address, how many clients it is to have, the core it is to use.
Start = Callable[[tuple[str, int], int, int], AbstractContextManager[Server]]


def backend(command: list[str]) -> Start:
    """One of the five servers, as a plain reverse proxy with a connection for every client."""

    def start(upstream: tuple[str, int], connections: int, cpu: int) -> Server:
        places = str(connections)
        forward = ["--mode", "proxy", "--upstream", "http://{}:{}".format(*upstream)]
        pool = ["--upstream-connections", places, "--upstream-queue", places]
        return Server([*command, *forward, *pool, "--listen", "127.0.0.1:0"], cpu)

    return start


@contextmanager
def nginx(upstream: tuple[str, int], connections: int, cpu: int) -> Iterator[Server]:
    """A master, which only waits, and one worker."""
    with _configured("nginx.conf", upstream, connections) as (path, listener):
        command = [_program("nginx"), "-p", str(path.parent), "-e", "stderr", "-c", str(path)]
        # As from the nginx that it would replace: the sockets to go on with.
        environment = {"NGINX": f"{listener.fileno()};"}
        with Server(command, cpu, listener, environment) as server:
            yield server


@contextmanager
def haproxy(upstream: tuple[str, int], connections: int, cpu: int) -> Iterator[Server]:
    """One process with one thread."""
    with _configured("haproxy.cfg", upstream, connections) as (path, listener):
        with Server([_program("haproxy"), "-db", "-f", str(path)], cpu, listener) as server:
            yield server


@contextmanager
def _configured(
    name: str, upstream: tuple[str, int], connections: int
) -> Iterator[tuple[Path, socket.socket]]:
    """A filled-in copy of the configuration, in a folder of its own, and the socket that it names.

    Neither program can tell which port the kernel chose for it. So it is given a socket that
    listens already, and nobody can take the port in between.
    """
    folder = tempfile.TemporaryDirectory(prefix="five-ways-bench-")
    with folder, socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        values = {
            "folder": folder.name,
            "address": "{}:{}".format(*listener.getsockname()),
            "socket": listener.fileno(),
            "upstream": "{}:{}".format(*upstream),
            "connections": connections,
        }
        text = (CONFIGURATIONS / name).read_text()
        path = Path(folder.name, name)
        path.write_text(re.sub(r"\{\{(\w+)\}\}", lambda found: str(values[found[1]]), text))
        yield path, listener


def _program(name: str) -> str:
    # Where it is for root, it may not be in anyone else's PATH.
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise CannotStart(f"{name} is not installed")
    return path
