"""Measures each server beside its peer and prints the figures against their targets."""

import argparse
import os
import statistics
import sys
from collections.abc import Callable

import forwarding
import generator
import measures
from arguments import chosen, positive
from contenders import CONNECTIONS, CONTENDERS, Contender
from programs import CannotStart, Server
from report import beside, complain, head, verdict

HELD = 10_000
ECHO_MEBIBYTES = 1024


def main() -> int:
    """Exit code: 0 whatever the figures, 1 if a figure could not be had."""
    options = _options()
    if options.check:
        return 0
    server_cpu = _pin()
    failed = 0
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            failed += section(options, server_cpu)
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rounds", type=positive, default=3, help="of CPU figures (default: 3)")
    parser.add_argument("--seconds", type=positive, default=4, help="of each run (default: 4)")
    parser.add_argument("--only", choices=list(SECTIONS), help="one of the measures")
    names = ",".join(contender.name for contender in CONTENDERS)
    parser.add_argument(
        "--backends", type=chosen, default=CONTENDERS, metavar="A,B", help=f"of {names}"
    )
    # For the wrapper, which builds only for options that are right.
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _pin() -> int:
    """Keeps this process and its wrk on the first core; the server gets the last."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        print("one core only: the server shares it with its client, which blurs the figures")
    if (load := os.getloadavg()[0]) > 1:
        print(f"the machine is busy with other things (load {load:.1f}), which blurs the figures")
    os.sched_setaffinity(0, cores[:1])
    return cores[-1]


def _start(command: list[str], cpu: int) -> Server:
    return Server([*command, "--listen", "127.0.0.1:0"], cpu)


def _cpu(options: argparse.Namespace, cpu: int) -> int:
    """CPU per request: server and peer back to back, in an order that turns every round."""
    samples: dict[tuple[str, int], list[tuple[measures.Cpu, measures.Cpu]]] = {}
    failed = 0
    head(f"CPU per request, {options.rounds} rounds of {options.seconds} s")
    for number in range(options.rounds):
        print(f"  round {number + 1}", file=sys.stderr, flush=True)
        for contender in options.backends:
            for connections in CONNECTIONS:
                order = [contender.server, contender.peer]
                run = {}
                try:
                    for command in order if number % 2 == 0 else reversed(order):
                        with _start(command, cpu) as server:
                            run[command[0]] = measures.cpu(server, connections, options.seconds)
                except (CannotStart, measures.Failed) as error:
                    failed += complain(contender.name, error)
                    continue
                pair = (run[contender.server[0]], run[contender.peer[0]])
                samples.setdefault((contender.name, connections), []).append(pair)
    for contender in options.backends:
        for connections in CONNECTIONS:
            if pairs := samples.get((contender.name, connections)):
                _print_ratio(contender, connections, pairs)
    return failed


def _print_ratio(
    contender: Contender, connections: int, pairs: list[tuple[measures.Cpu, measures.Cpu]]
) -> None:
    ratios = [ours.micros / peers.micros for ours, peers in pairs]
    ratio = statistics.median(ratios)
    ours, peers = zip(*pairs)
    verdict(
        f"{contender.name} at {connections}",
        f"{ratio:5.3f} of {contender.peer_name} ({min(ratios):.3f}–{max(ratios):.3f})",
        ratio <= contender.ratio,
        f"{contender.ratio:.2f}",
        f"{beside(ours)} beside {beside(peers)}",
    )


def _memory(options: argparse.Namespace, cpu: int) -> int:
    """Memory and idle CPU of held connections."""
    failed = 0
    head(f"{HELD:,} connections, each answered once and then held")
    for contender in options.backends:
        try:
            with _start(contender.server, cpu) as server:
                held = measures.held(server, HELD)
        except (CannotStart, measures.Failed) as error:
            failed += complain(contender.name, error)
            continue
        verdict(
            contender.name,
            f"{held.kib:6.2f} KiB a connection",
            held.kib <= contender.kib,
            f"{contender.kib:g}",
        )
        verdict(
            contender.name,
            f"{held.idle_ticks:3.0f} ticks in {measures.IDLE_SECONDS:g} s of idleness",
            held.idle_ticks == 0,
            "0",
        )
    return failed


def _echo(options: argparse.Namespace, cpu: int) -> int:
    """Memory growth over a streamed echo, which has no target of its own: it should be flat."""
    failed = 0
    head(f"{ECHO_MEBIBYTES:,} MiB streamed through /echo, every byte compared")
    for contender in options.backends:
        for chunked in (False, True):
            try:
                with _start(contender.server, cpu) as server:
                    growth, seconds = measures.echo(server, ECHO_MEBIBYTES, chunked)
            except (CannotStart, measures.Failed) as error:
                failed += complain(contender.name, error)
                continue
            framing = "chunked" if chunked else "by length"
            speed = ECHO_MEBIBYTES / seconds
            print(
                f"  {contender.name:<20} {framing:<10} peak memory grew by {growth:,} KiB"
                f" ({speed:,.0f} MiB/s)",
                flush=True,
            )
    return failed


SECTIONS: dict[str, Callable[[argparse.Namespace, int], int]] = {
    "cpu": _cpu,
    "proxy": forwarding.compare,
    "memory": _memory,
    "echo": _echo,
    "generator": generator.compare,
}

if __name__ == "__main__":
    sys.exit(main())
