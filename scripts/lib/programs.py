"""A server as a child process: started, asked for its address, read in /proc, stopped."""

import os
import re
import socket
import subprocess
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path

START_DEADLINE = 20.0
STOP_DEADLINE = 15.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r"\baddress=([0-9.]+):([0-9]+)")


class CannotStart(Exception):
    """A program that ended, or stayed silent, before it said where it listens."""


class Server:
    """A running server, from its line `address=IP:PORT` to the end of the `with` block.

    One that is handed a `listener`, its own from then on and under the number that it has here,
    need not say where that listens: whoever connects waits until it accepts, and is reset if it
    ends. `cpu` is the core it keeps to, or a list of them as taskset has it. `environment` is what
    it has beside that of this process.
    """

    def __init__(
        self,
        command: list[str],
        cpu: int | str,
        listener: socket.socket | None = None,
        environment: dict[str, str] | None = None,
    ):
        self.command = command
        self._said: deque[str] = deque(maxlen=20)
        self._address: tuple[str, int] | None = listener.getsockname() if listener else None
        self._spoke = threading.Event()
        try:
            self._child = subprocess.Popen(
                ["taskset", "-c", str(cpu), *command],
                pass_fds=[listener.fileno()] if listener else [],
                env=os.environ | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise CannotStart(f"{command[0]}: {error}") from error
        if listener:
            # Connections must not wait for a server that has ended.
            listener.close()
            self._spoke.set()
        # Read to the end: a server must never wait for somebody to read its log.
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Server":
        self._spoke.wait(START_DEADLINE)
        if self._address is None:
            self.__exit__()
            raise CannotStart(f"`{' '.join(self.command)}` named no address; {self.said()}")
        return self

    def __exit__(self, *_) -> None:
        self._child.terminate()
        try:
            self._child.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._reader.join()

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        assert self._address is not None, "used before `with`"
        return self._address

    def said(self) -> str:
        """The end of its log, to stand behind a complaint."""
        return "it said:\n  " + ("\n  ".join(self._said) or "(nothing)")

    def cpu_seconds(self) -> float:
        """User and system time of all its threads, dead ones too, and of its child processes."""
        pid = self._child.pid
        children = self._proc(f"task/{pid}/children").read_text().split()
        return sum(_cpu_ticks(of) for of in [pid, *children]) / TICKS_A_SECOND

    def pss_kib(self) -> int:
        """Its memory, shared pages counted by share."""
        return _kib(self._proc("smaps_rollup").read_text(), "Pss")

    def reset_peak(self) -> int:
        """Forgets the most memory it ever had resident; returns what it has now."""
        self._proc("clear_refs").write_text("5")
        return _kib(self._proc("status").read_text(), "VmRSS")

    def peak_kib(self) -> int:
        """The most memory resident since `reset_peak`."""
        return _kib(self._proc("status").read_text(), "VmHWM")

    def files(self) -> list[str]:
        """What its open descriptors lead to, such as `socket:[4711]`."""
        links = []
        for link in self._proc("fd").iterdir():
            # One that is closed meanwhile is not open.
            with suppress(FileNotFoundError):
                links.append(os.readlink(link))
        return links

    def threads(self) -> int:
        """How many threads it has."""
        return len(list(self._proc("task").iterdir()))

    def has_ended(self) -> bool:
        """Whether it is no more."""
        return self._child.poll() is not None

    def _proc(self, name: str) -> Path:
        return Path("/proc", str(self._child.pid), name)

    def _listen(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            line = _COLOUR.sub("", line.rstrip())
            self._said.append(line)
            if self._address is None and (found := _ADDRESS.search(line)):
                self._address = (found[1], int(found[2]))
                self._spoke.set()
        self._spoke.set()


def _cpu_ticks(pid: int | str) -> int:
    stat = Path("/proc", str(pid), "stat").read_text()
    # The second field, the name, may hold blanks and brackets.
    fields = stat[stat.rindex(")") + 2 :].split()
    return int(fields[11]) + int(fields[12])


def _kib(text: str, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    assert found, f"the kernel says no {field}"
    return int(found[1])
