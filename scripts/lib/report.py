"""How figures are printed."""

import statistics
import sys
from collections.abc import Sequence

from measures import Cpu


def head(text: str) -> None:
    """What the lines that follow are about."""
    print(f"\n{text}", flush=True)


def verdict(name: str, figure: str, good: bool, target: str, more: str = "") -> None:
    """A figure that has a target, and what is worth knowing beside it."""
    word = "ok  " if good else "over"
    print(f"  {name:<20} {word} {figure}, target {target}  {more}".rstrip(), flush=True)


def beside(runs: Sequence[Cpu]) -> str:
    """What stands behind a ratio: medians over the rounds."""
    micros = statistics.median(run.micros for run in runs)
    busy = statistics.median(run.utilisation for run in runs)
    rate = statistics.median(run.rate for run in runs)
    return f"{micros:5.2f} µs ({rate:7,.0f}/s, core {busy:4.0%})"


def complain(name: str, error: Exception) -> int:
    """Says that a figure could not be had; one failure to be counted."""
    print(f"  {name:<20} FAILED {error}", file=sys.stderr, flush=True)
    return 1
