"""A server as a child process: started, asked for its address, read in /proc, stopped."""

import os
import re
import subprocess
import threading
from collections import deque
from pathlib import Path

START_DEADLINE = 20.0
STOP_DEADLINE = 15.0
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ADDRESS = re.compile(r"\baddress=([0-9.]+):([0-9]+)")


class CannotStart(Exception):
    """A program that ended, or stayed silent, before it said where it listens."""


class Server:
    """A running server, from its line `address=IP:PORT` to the end of the `with` block."""

    def __init__(self, command: list[str], cpu: int):
        self.command = command
        self._said: deque[str] = deque(maxlen=20)
        self._address: tuple[str, int] | None = None
        self._spoke = threading.Event()
        try:
            self._child = subprocess.Popen(
                ["taskset", "-c", str(cpu), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise CannotStart(f"{command[0]}: {error}") from error
        # Read to the end: a server must never wait for somebody to read its log.
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Server":
        self._spoke.wait(START_DEADLINE)
        if self._address is None:
            self.__exit__()
            said = "\n  ".join(self._said) or "(nothing)"
            raise CannotStart(f"`{' '.join(self.command)}` named no address; it said:\n  {said}")
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

    def cpu_seconds(self) -> float:
        """User and system time of all its threads, dead ones too."""
        stat = self._proc("stat").read_text()
        # The second field, the name, may hold blanks and brackets.
        fields = stat[stat.rindex(")") + 2 :].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

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


def _kib(text: str, field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB$", text, re.MULTILINE)
    assert found, f"the kernel says no {field}"
    return int(found[1])
