"""The load generator beside wrk: what both make of one server, and how soon it starts and stops."""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

import measures
from contenders import FLOOR
from programs import CannotStart, Server
from report import complain, head, verdict

LOADTEST = FLOOR[0]
USERS = (64, 1_000, 10_000)
# Enough computing for a request that it is the server's core that is short of time.
SERVER_BOUND = ["target/release/server-tokio", "/burn/200us", 64]
CLOSE = 0.10
START, STOP = 3.0, 1.0  # seconds
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass
class Run:
    """What a generator found."""

    rate: float  # requests a second
    p50: float  # microseconds
    start: float = 0.0  # seconds until all users were connected and answered
    stop: float = 0.0  # seconds from the end of the window to the end of the process


def compare(options: argparse.Namespace, cpu: int) -> int:
    """Both against a canned answer, then against a server that is the limit."""
    failed = 0
    canned = [*FLOOR, "--listen", "127.0.0.1:0"]
    head(f"The generator beside wrk, {options.rounds} rounds of {options.seconds} s")
    for users in USERS:
        runs = _rounds(options, canned, cpu, "/echo", users)
        failed += options.rounds - len(runs)
        if runs:
            rates = [ours.rate / wrks.rate for ours, wrks in runs]
            _print(f"at {users:,}, canned", rates, "the requests of wrk", lambda it: it >= 1, "1")
            start, stop = (max(getattr(ours, key) for ours, _ in runs) for key in ("start", "stop"))
            verdict("", f"started in {start:.2f} s", start <= START, f"{START:g} s")
            verdict("", f"stopped in {stop:.2f} s", stop <= STOP, f"{STOP:g} s")
    program, path, users = SERVER_BOUND
    runs = _rounds(options, [program, "--listen", "127.0.0.1:0"], cpu, path, users)
    failed += options.rounds - len(runs)
    if runs:
        near = lambda it: abs(it - 1) <= CLOSE  # noqa: E731
        for key, what in (("rate", "the requests of wrk"), ("p50", "the p50 of wrk")):
            ratios = [getattr(ours, key) / getattr(wrks, key) for ours, wrks in runs]
            _print(f"at {users}, {path}", ratios, what, near, f"1 ± {CLOSE:g}")
    return failed


def _rounds(
    options: argparse.Namespace, server: list[str], cpu: int, path: str, users: int
) -> list[tuple[Run, Run]]:
    """The generator and wrk, one after the other, in an order that turns every round."""
    runs = []
    for number in range(options.rounds):
        order = [_loadtest, _wrk]
        found: dict[Callable, Run] = {}
        try:
            for run in order if number % 2 == 0 else reversed(order):
                with Server(server, cpu) as running:
                    found[run] = run(running, path, users, options.seconds)
        except (CannotStart, measures.Failed) as error:
            complain(f"at {users:,}", error)
            continue
        runs.append((found[_loadtest], found[_wrk]))
    return runs


def _url(server: Server, path: str) -> str:
    host, port = server.address
    return f"http://{host}:{port}{path}"


def _loadtest(server: Server, path: str, users: int, seconds: int) -> Run:
    with tempfile.NamedTemporaryFile(suffix=".json") as figures:
        times = ["--warm-up", f"{measures.WARM_UP_SECONDS}s", "--duration", f"{seconds}s"]
        command = [LOADTEST, "run", "--connections", str(users), *times, "--json", figures.name]
        began = time.monotonic()
        done = subprocess.run([*command, _url(server, path)], capture_output=True, text=True)
        took = time.monotonic() - began
        if done.returncode != 0:
            raise measures.Failed(f"loadtest run: {done.stderr.strip()}")
        found = json.load(figures)
    if found["errors"] or found["connected"] != users:
        raise measures.Failed(f"loadtest run: {found['connected']} users, {found['errors']}")
    start, rate = found["ramp_seconds"], found["requests_per_second"]
    stop = took - start - measures.WARM_UP_SECONDS - found["window_seconds"]
    return Run(rate, found["service_time_us"]["p50"], start, stop)


def _wrk(server: Server, path: str, users: int, seconds: int) -> Run:
    command = ["wrk", "-t1", f"-c{users}", "--latency", _url(server, path)]
    # What connecting costs falls before the window of the one, and into that of the other.
    subprocess.run([*command, f"-d{measures.WARM_UP_SECONDS}s"], capture_output=True, check=False)
    said = subprocess.run([*command, f"-d{seconds}s"], capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", said)
    wrong = re.search(r"Socket errors:.*|Non-2xx.*", said)
    if wrong or not rate or not p50:
        raise measures.Failed(f"wrk at {users:,}: {wrong[0] if wrong else said.strip()}")
    return Run(float(rate[1]), float(p50[1]) * _UNITS[p50[2]])


def _print(
    name: str, ratios: list[float], what: str, good: Callable[[float], bool], target: str
) -> None:
    ratio = statistics.median(ratios)
    figure = f"{ratio:5.3f} of {what} ({min(ratios):.3f}–{max(ratios):.3f})"
    verdict(name, figure, good(ratio), target)
    sys.stdout.flush()
