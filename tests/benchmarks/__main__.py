"""Times decisions of growing size: `make bench`, or `python -m tests.benchmarks --help`.

Every size runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

STAGES = ("set-up", "graph", "eligibility", "build", "solve", "certificate", "all")


def main() -> None:
    """Run all sizes and print one table."""
    arguments = _arguments()
    if arguments.one is not None:
        from tests.benchmarks.stages import run_size

        one = run_size(arguments.one, arguments.seed, arguments.plain, arguments.plain_limit)
        print(json.dumps(asdict(one)))
        return
    runs = []
    for size in arguments.sizes:
        print(f"{size:,} datasets ...", file=sys.stderr, flush=True)
        plain = {100: ["highs", "cbc"], 1_000: ["highs", "cbc"]}.get(size, ["highs"])
        runs.append(_in_own_process(size, arguments, [] if arguments.alone else plain))
        _show(runs[-1])
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write the results as JSON")
    parser.add_argument("--alone", action="store_true", help="no comparison with plain PuLP")
    parser.add_argument("--plain-limit", type=float, default=60.0, help="seconds for plain PuLP")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--plain", nargs="*", default=[], help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_own_process(size: int, arguments: argparse.Namespace, plain: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks", "--one", str(size)]
    command += ["--seed", str(arguments.seed), "--plain-limit", str(arguments.plain_limit)]
    command += ["--plain", *plain]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{size} datasets: exit {done.returncode}")
    run: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return run


def _show(run: dict[str, Any]) -> None:
    result, seconds, memory = run["result"], run["seconds"], run["memory_mb"]
    print(f"\n{run['datasets']:,} datasets x {run['sites']} sites, seed {run['seed']}")
    print("  seconds     " + "  ".join(f"{s} {seconds[s]:.2f}" for s in STAGES))
    print(
        f"  objective   {result['objective_eur']:,.2f} EUR a year,"
        f" bound {result['dual_bound_eur']:,.2f}, gap {result['gap']:.6f}"
        f" (by prices alone {result['price_gap']:.6f})"
    )
    held = "holds" if result["certificate_holds"] else "FAILS"
    print(f"  ended       {result['termination']}, the certificate {held}")
    print(
        f"  size        {result['profiles']} profiles, {result['variables']:,} variables,"
        f" {result['constraints']:,} constraints; binding: {', '.join(result['binding'])}"
    )
    print(f"  peak memory {memory['placement']:.0f} MB, OPA {memory['opa']:.0f} MB")
    ours = seconds["build"] + seconds["solve"]
    for other in run["compared"]:
        print(f"  against     {_compared(other, ours, result['objective_eur'])}", flush=True)


def _compared(other: dict[str, Any], ours_s: float, ours_eur: float) -> str:
    name, seconds, objective = other["name"], other["seconds"], other["objective"]
    ratio = f"{name}: {seconds:.2f} s, {seconds / ours_s:.1f} times our build and solve"
    if objective is None:
        return f"{ratio}, no plan"
    return f"{ratio}, objective {100 * (objective / ours_eur - 1):+.3f} % of ours"


if __name__ == "__main__":
    main()
