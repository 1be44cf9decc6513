"""Keeps every server in bad company for an hour, and looks whether anything grows."""

import argparse
import asyncio
import os
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from arguments import chosen, positive
from company import Company, connected, get
from contenders import CONTENDERS
from programs import CannotStart, Server

# Reads what clients send, as the floor does not.
UPSTREAM = ["target/release/server-mio"]
# A client that begins and never ends is to be met more than once an hour.
OPTIONS = ["--header-timeout", "3s", "--body-timeout", "3s", "--upstream-idle-timeout", "1s"]
REST_DEADLINE = 30.0
# The allocator keeps what it may need again, and an hour's worst moment may come late.
GROWTH_KIB = 2048
GROWTH_PART = 0.05
# In less, what the first clients leave behind can't be told from what every client leaves.
JUDGED_FROM_MINUTES = 20
NEARLY_FULL = 0.8


@dataclass
class Rest:
    """A server that nobody asks anything."""

    pss_kib: int
    files: int
    threads: int


@dataclass
class Guest:
    """A server under test, its company, and what was seen of it."""

    name: str
    server: Server
    company: Company
    sockets_when_fresh: int = 0
    rests: list[Rest] = field(default_factory=list)
    restless: int = 0

    def sockets(self) -> int:
        """How many it has open, those that listen among them."""
        return sum(file.startswith("socket:") for file in self.server.files())

    def growth_kib(self) -> float:
        """Memory of the last quarter's rests over that of the second quarter's, by their medians."""
        quarter = max(len(self.rests) // 4, 1)
        memory = [rest.pss_kib for rest in self.rests]
        return statistics.median(memory[-quarter:]) - statistics.median(memory[quarter : 2 * quarter])

    def complaints(self, minutes: int) -> list[str]:
        """What is not as it should be."""
        first, last = self.rests[0], self.rests[-1]
        found = [
            f"{len(times)} times: {what} ({', '.join(times[:5])}{' …' if times[5:] else ''})"
            for what, times in self.company.wrong.items()
        ]
        if self.restless:
            found.append(f"connections were left open at {self.restless} rests")
        if last.threads > max(rest.threads for rest in self.rests[: len(self.rests) // 2 + 1]):
            found.append(f"threads grew from {first.threads} to {last.threads}")
        if last.files > first.files:
            found.append(f"descriptors grew from {first.files} to {last.files}")
        judged = minutes >= JUDGED_FROM_MINUTES
        if judged and self.growth_kib() > max(GROWTH_KIB, GROWTH_PART * first.pss_kib):
            found.append(f"memory grew by {self.growth_kib():.0f} KiB")
        return found


def main() -> int:
    """Exit code: 0 if nothing grew and every answer was right."""
    options = _options()
    if options.check:
        return 0
    try:
        return asyncio.run(_soak(options))
    except CannotStart as error:
        print(f"scripts/soak: {error}", file=sys.stderr)
        return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("minutes", nargs="?", type=positive, default=60, help="(default: 60)")
    parser.add_argument("--clients", type=positive, default=40, help="of each server (default: 40)")
    names = ",".join(contender.name for contender in CONTENDERS)
    parser.add_argument("--rests", type=_at_least_four, default=30, help="how many (default: 30)")
    parser.add_argument(
        "--backends", type=chosen, default=CONTENDERS, metavar="A,B", help=f"of {names}"
    )
    # For the wrapper, which builds only for options that are right.
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _at_least_four(text: str) -> int:
    if (number := positive(text)) < 4:
        raise argparse.ArgumentTypeError("it takes 4 to see whether anything grows")
    return number


async def _soak(options: argparse.Namespace) -> int:
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    with ExitStack() as stack:
        upstream = stack.enter_context(_start(UPSTREAM, [], cores))
        forward = ["--upstream", "http://{}:{}".format(*upstream.address)]
        guests = []
        for backend in options.backends:
            server = stack.enter_context(_start(backend.server, [*OPTIONS, *forward], cores))
            guests.append(Guest(backend.name, server, Company(server.address, options.clients)))
        await asyncio.gather(*(_settle(guest) for guest in guests))
        spell = options.minutes * 60 / options.rests
        for number in range(1, options.rests + 1):
            until = asyncio.get_running_loop().time() + spell
            try:
                await asyncio.gather(*(guest.company.visit(until) for guest in guests))
                if dead := [guest for guest in guests if guest.server.has_ended()]:
                    print(f"{dead[0].name} died after {dead[0].company.visits} visits; {dead[0].server.said()}")
                    return 1
                await asyncio.gather(*(_rest(guest) for guest in guests))
            except asyncio.CancelledError:
                return _interrupted(guests, options, number - 1)
            _tell(f"{number}/{options.rests}", guests)
    return _verdict(guests, options.minutes)


def _interrupted(guests: list[Guest], options: argparse.Namespace, rests: int) -> int:
    """Ctrl-C: a verdict on what was seen until then."""
    if rests < 4:
        print("interrupted before there was anything to see")
        return 130
    for guest in guests:
        # Some may have had one rest more.
        del guest.rests[rests:]
    minutes = options.minutes * rests // options.rests
    print(f"interrupted after {minutes} of {options.minutes} minutes")
    return _verdict(guests, minutes)


def _start(command: list[str], options: list[str], cores: str) -> Server:
    return Server([*command, "--listen", "127.0.0.1:0", *options], cores)


async def _settle(guest: Guest) -> None:
    """Counts the sockets of a server that serves: one that has just said where it listens may be
    about to open some of its own."""
    async with connected(guest.server.address) as client:
        await client.ask(get("/healthz"))
    counts: list[int] = []
    while len(counts) < 5 or len(set(counts[-5:])) > 1:
        await asyncio.sleep(0.2)
        counts.append(guest.sockets())
    guest.sockets_when_fresh = counts[-1]


async def _rest(guest: Guest) -> None:
    """Waits until every connection is closed, upstream too, and looks."""
    deadline = time.monotonic() + REST_DEADLINE
    while guest.sockets() > guest.sockets_when_fresh and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    if guest.sockets() > guest.sockets_when_fresh:
        guest.restless += 1
    server = guest.server
    guest.rests.append(Rest(server.pss_kib(), len(server.files()), server.threads()))


def _tell(number: str, guests: list[Guest]) -> None:
    figures = [f"{guest.name} {guest.rests[-1].pss_kib} KiB {guest.rests[-1].files} files"
               for guest in guests]
    print(f"{time.strftime('%H:%M:%S')} rest {number}: {', '.join(figures)}", flush=True)
    if (part := _connection_table()) > NEARLY_FULL:
        print(f"  the kernel's connection table is {part:.0%} full: where there is no room it drops "
              "packets, and clients time out (net.netfilter.nf_conntrack_max)", flush=True)


def _connection_table() -> float:
    """How full the table is in which a kernel with a packet filter keeps every connection."""
    try:
        count, most = (
            int(Path("/proc/sys/net/netfilter", name).read_text())
            for name in ("nf_conntrack_count", "nf_conntrack_max")
        )
    except OSError:
        # There is none.
        return 0.0
    return count / most


def _verdict(guests: list[Guest], minutes: int) -> int:
    form = "{:<12} {:>9} {:>10} {:>22} {:>10} {:>12} {:>12}"
    print(form.format("", "visits", "answers", "KiB first/middle/last", "growth", "files", "threads"))
    failed = False
    for guest in guests:
        first, middle, last = (guest.rests[at] for at in (0, len(guest.rests) // 2, -1))
        print(form.format(
            guest.name, guest.company.visits, guest.company.answers,
            f"{first.pss_kib}/{middle.pss_kib}/{last.pss_kib}", f"{guest.growth_kib():+.0f} KiB",
            f"{first.files} {last.files}", f"{first.threads} {last.threads}",
        ))
        for complaint in guest.complaints(minutes):
            failed = True
            print(f"  {guest.name}: {complaint}")
    if failed:
        print("something is wrong, see above")
        return 1
    flat = "memory, descriptors and threads are flat"
    print("every answer was right;", flat if minutes >= JUDGED_FROM_MINUTES else
          f"descriptors are flat; memory is judged from {JUDGED_FROM_MINUTES} minutes on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
