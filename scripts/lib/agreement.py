"""CPU per request of each backend relative to tokio's, in two comparisons: do they agree?

    python3 scripts/lib/agreement.py INSIDE OUTSIDE

Each argument is a folder with the results.json of a comparison of all five. The ratio to tokio is
taken in every round; printed are the medians. Exit code 1 if a backend's differ by more than 20%.
"""

import json
import sys
from pathlib import Path
from statistics import median

REFERENCE = "tokio"
# How much a ratio may differ, as a factor.
MOST = 1.20


def main(inside: Path, outside: Path) -> int:
    """Prints a line for each backend; the exit code."""
    ratios_inside, ratios_outside = ratios(inside), ratios(outside)
    apart = 0
    print(f"µs of server CPU per request relative to {REFERENCE}'s: inside containers, outside")
    for backend, ratio in ratios_inside.items():
        beside = ratios_outside[backend]
        factor = ratio / beside
        agrees = 1 / MOST <= factor <= MOST
        apart += not agrees
        verdict = "" if agrees else f", which is more than {MOST - 1:.0%}"
        print(f"  {backend:8} {ratio:5.2f} {beside:5.2f}   {factor - 1:+.1%} apart{verdict}")
    return 1 if apart else 0


def ratios(folder: Path) -> dict[str, float]:
    """The median ratio of each backend's CPU per request to the reference's of the same round."""
    cells = json.loads((folder / "results.json").read_text())["cells"]
    cost = {(cell["backend"], cell["round"]): cell["server_cpu_us_per_request"] for cell in cells}
    backends = list(dict.fromkeys(cell["backend"] for cell in cells))
    rounds = {number for _, number in cost}
    return {
        backend: median(cost[backend, number] / cost[REFERENCE, number] for number in rounds)
        for backend in backends
        if backend != REFERENCE
    }


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
