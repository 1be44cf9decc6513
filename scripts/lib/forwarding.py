"""CPU per forwarded request: each server against the better of nginx and HAProxy."""

import argparse
import os
import statistics
import sys

import measures
import proxies
from contenders import CONNECTIONS, FLOOR, Contender
from measures import Cpu
from programs import CannotStart, Server
from report import beside, complain, head, verdict

UPSTREAM = [*FLOOR, "--bytes", str(len(measures.CANNED)), "--listen", "127.0.0.1:0"]
PEERS: dict[str, proxies.Start] = {"nginx": proxies.nginx, "HAProxy": proxies.haproxy}

# What each program made in one round: its CPU, and how many upstream connections it had.
Round = dict[str, tuple[Cpu, int]]


def compare(options: argparse.Namespace, cpu: int) -> int:
    """All of them once, then all again in the reverse order, at each number of clients."""
    rounds: dict[int, list[Round]] = {connections: [] for connections in CONNECTIONS}
    failed = 0
    size = len(measures.CANNED)
    line = f"CPU per forwarded request of {size:,} bytes"
    head(f"{line}, {options.rounds} rounds of {options.seconds} s")
    for number in range(options.rounds):
        print(f"  round {number + 1}", file=sys.stderr, flush=True)
        for connections in CONNECTIONS:
            figures: Round = {}
            for name, start in _order(options.backends, number):
                try:
                    figures[name] = _run(start, connections, options.seconds, cpu)
                except (CannotStart, measures.Failed) as error:
                    failed += complain(f"{name} at {connections:,}", error)
            rounds[connections].append(figures)
    for name in PEERS:
        for connections in CONNECTIONS:
            _print_peer(name, connections, rounds[connections])
    for contender in options.backends:
        for connections in CONNECTIONS:
            _print_ratio(contender, connections, rounds[connections])
    return failed


def _order(backends: list[Contender], number: int) -> list[tuple[str, proxies.Start]]:
    """The peers stand in the middle, so that nobody is far from them."""
    ours = [(backend.name, proxies.backend(_one_worker(backend))) for backend in backends]
    half = len(ours) // 2
    order = [*ours[:half], *PEERS.items(), *ours[half:]]
    return order if number % 2 == 0 else order[::-1]


def _one_worker(backend: Contender) -> list[str]:
    # Of threads, a worker has one connection.
    return backend.server if backend.name == "threads" else [*backend.server, "--workers", "1"]


def _run(start: proxies.Start, connections: int, seconds: int, cpu: int) -> tuple[Cpu, int]:
    # This process was left one core, which is the clients' and the upstream's.
    (clients,) = os.sched_getaffinity(0)
    with Server(UPSTREAM, clients) as upstream:
        with start(upstream.address, connections, cpu) as server:
            return measures.forwarded(server, upstream, connections, seconds)


def _print_peer(name: str, connections: int, rounds: list[Round]) -> None:
    if runs := [figures[name] for figures in rounds if name in figures]:
        print(f"  {f'{name} at {connections:,}':<20} {_beside(runs)}", flush=True)


def _print_ratio(contender: Contender, connections: int, rounds: list[Round]) -> None:
    """Rounds in which one of the three has no figure say nothing."""
    names = {contender.name, *PEERS}
    rounds = [figures for figures in rounds if names <= figures.keys()]
    if not rounds:
        return
    best = [min(PEERS, key=lambda peer: figures[peer][0].micros) for figures in rounds]
    ratios = [
        figures[contender.name][0].micros / figures[peer][0].micros
        for figures, peer in zip(rounds, best)
    ]
    ratio = statistics.median(ratios)
    verdict(
        f"{contender.name} at {connections:,}",
        f"{ratio:5.3f} of {' or '.join(sorted(set(best)))} ({min(ratios):.3f}–{max(ratios):.3f})",
        ratio <= contender.proxied,
        f"{contender.proxied:.2f}",
        _beside([figures[contender.name] for figures in rounds]),
    )


def _beside(runs: list[tuple[Cpu, int]]) -> str:
    upstreams = statistics.median(count for _, count in runs)
    return f"{beside([cpu for cpu, _ in runs])} over {upstreams:,.0f} upstream connections"
