"""The service under load, beside a bare OPA and a bare Litestar in the same run.

python -m tests.benchmarks.serving [--datasets N] [--seconds S] [--rate R]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from models import CityRole, PolicyInput, policy_dataset, policy_site
from placement.client import Client
from placement.eligibility.binary import find_opa
from placement.eligibility.bundle import read_bundle
from placement.eligibility.hosts import ManagedOpa
from placement.graph import derive_facts
from placement.identity import LocalIssuer
from placement.settings import read_settings, shipped_policies
from tests.benchmarks.city import make_city

Results = dict[str, Any]


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.serving", description=__doc__)
    parser.add_argument("--datasets", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="also write the results as JSON")
    arguments = parser.parse_args()
    results = run(arguments.datasets, arguments.seconds, arguments.rate, arguments.seed)
    show(results, arguments)
    if arguments.out is not None:
        arguments.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def run(datasets: int, seconds: float, rate: float, seed: int) -> Results:
    """Measure a service that keeps and has placed a generated city."""
    results: Results = {}
    catalog, register, parameters = make_city(datasets, seed)
    names = [dataset.id for dataset in catalog.datasets]
    sites = [site.id for site in register.sites]
    with tempfile.TemporaryDirectory(prefix="placement-bench-") as folder:
        data = Path(folder)
        _say("a city of its own: import, decide, approve")
        with serving(data) as (url, ready_s):
            results["start_to_ready_first_s"] = ready_s
            office = Client(url, _token(data, CityRole.DATA_MANAGEMENT_OFFICE))
            board = Client(url, _token(data, CityRole.GOVERNANCE_BOARD))
            with office, board:
                began = time.perf_counter()
                office.import_records(catalog, register)
                results["import_s"] = round(time.perf_counter() - began, 2)
                office.set_parameters(parameters)
                number = office.result(office.decide().id)["decision"]
                board.approve(number)
        with serving(data) as (url, ready_s):
            results["start_to_ready_s"] = ready_s
            results |= _service(data, url, names, sites, seconds, rate)
        with bare_litestar(data) as url:
            _say("a bare Litestar with a read of the same row")
            paths = [f"/bare/{name}" for name in names]
            results["bare_read"] = load(url, "GET", paths, seconds=seconds / 4)
            results["bare_read_at_rate"] = load(url, "GET", paths, seconds=seconds / 4, rate=rate)
    results["bare_opa"] = _bare_opa(catalog, register, parameters, seconds / 4)
    return results


def _service(
    data: Path, url: str, names: list[str], sites: list[str], seconds: float, rate: float
) -> Results:
    authorization = {"authorization": f"Bearer {_token(data, CityRole.DATA_MANAGEMENT_OFFICE)}"}
    questions = [
        {"dataset": name, "site": sites[number % len(sites)]} for number, name in enumerate(names)
    ]
    paths = [f"/v1/placements/{name}" for name in names]
    lists = ["/v1/datasets?limit=100", "/v1/placements?limit=100"]
    results: Results = {}
    _say("checks and placements, one after the other")
    load(url, "POST", ["/v1/checks"], questions, authorization, seconds=seconds / 6)  # warm
    one = {"seconds": seconds / 4}
    results["checks"] = load(url, "POST", ["/v1/checks"], questions, authorization, **one)
    results["placements"] = load(url, "GET", paths, (), authorization, **one)
    results["lists"] = load(url, "GET", lists, (), authorization, **one)
    _say(f"checks and placements, {rate:g} a second for {seconds:g} s each")
    at_rate = {"seconds": seconds, "rate": rate}
    results["checks_at_rate"] = load(
        url, "POST", ["/v1/checks"], questions, authorization, **at_rate
    )
    results["placements_at_rate"] = load(url, "GET", paths, (), authorization, **at_rate)
    return results


def _bare_opa(catalog: Any, register: Any, parameters: Any, seconds: float) -> Results:
    """The same verdicts, asked of an OPA with nothing around it."""
    _say("a bare OPA with the same questions")
    facts = derive_facts(catalog, parameters)
    roles = {role.id: role for role in (*register.roles, *catalog.roles)}
    operators = {operator.id: operator for operator in register.operators}
    bodies = [
        {
            "input": PolicyInput(
                dataset=policy_dataset(dataset, effective, roles, {}),
                site=policy_site(register.sites[number % len(register.sites)], operators, roles),
                as_of=parameters.as_of,
            ).model_dump(mode="json")
        }
        for number, (dataset, effective) in enumerate(
            zip(catalog.datasets[:1000], facts.effective[:1000], strict=True)
        )
    ]
    settings = read_settings()
    opa = ManagedOpa(find_opa(settings.opa_bin), read_bundle(shipped_policies()))
    try:
        assert opa.process is not None
        endpoint = opa.process.endpoint
        return load(
            f"http://{endpoint.host}:{endpoint.port}",
            "POST",
            ["/v1/data/placement/verdict?provenance=true&strict-builtin-errors=true"],
            bodies,
            {"authorization": f"Bearer {endpoint.token}"},
            seconds=seconds,
        )
    finally:
        opa.close()


def load(
    url: str,
    method: str,
    paths: list[str],
    bodies: Any = (),
    headers: dict[str, str] | None = None,
    *,
    seconds: float,
    rate: float = 0.0,
) -> Results:
    """Send a load from a process of its own."""
    given = {
        "url": url,
        "method": method,
        "paths": paths,
        "bodies": list(bodies),
        "headers": headers or {},
        "seconds": seconds,
        "rate": rate,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(given),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    measured: Results = json.loads(done.stdout)
    return measured


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, float]]:
    """`placement serve` on a free port, once it is ready, and the seconds that took."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "placement.cli", "serve", "--dev", "--port", "0"]
    # A file, and no pipe: the service writes a line for each request, and nobody would read them.
    log = data / "serve.log"
    with log.open("w") as file:
        process = subprocess.Popen([*command, "--data", str(data)], stderr=file)
    try:
        while (found := re.search(r"http://[\d.]+:\d+", log.read_text())) is None:
            time.sleep(0.01)
        while httpx.get(f"{found[0]}/ready", trust_env=False).status_code != 200:
            time.sleep(0.02)
        yield found[0], round(time.perf_counter() - began, 2)
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def bare_litestar(data: Path) -> Iterator[str]:
    """The bare application on the service's database."""
    command = [sys.executable, "-m", "tests.benchmarks.bare"]
    process = subprocess.Popen(
        [*command, f"sqlite:///{data / 'placement.sqlite3'}"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        time.sleep(1)
        yield url
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def show(results: Results, arguments: argparse.Namespace) -> None:
    """Print what was measured, ratios beside absolute values."""
    opa, read = results["bare_opa"], results["bare_read"]
    rate, seconds = arguments.rate, arguments.seconds
    print(f"\nThe service with {arguments.datasets:,} datasets x 20 sites, SQLite")
    print(f"  start to ready        {results['start_to_ready_s']:.2f} s")
    print("  latency in ms, one request after the other      p50     p99")
    for name, key in (
        ("bare OPA, the same question", "bare_opa"),
        ("bare Litestar, one row", "bare_read"),
        ("POST /v1/checks", "checks"),
        ("GET /v1/placements/{id}", "placements"),
        ("lists of 100", "lists"),
    ):
        print(f"  {name:<44} {results[key]['p50']:7.2f} {results[key]['p99']:7.2f}")
    both = opa["p50"] + read["p50"]
    for name, key in (("checks", "checks"), ("placements", "placements")):
        p50 = results[key]["p50"]
        print(
            f"  {name}: {p50 / opa['p50']:.2f} x the bare OPA query, {p50 / read['p50']:.2f} x the"
            f" bare read, {p50 / both:.2f} x both"
        )
    print(f"  at {rate:g} requests a second for {seconds:g} s       p50     p99   failed")
    for name, key in (
        ("POST /v1/checks", "checks_at_rate"),
        ("GET /v1/placements/{id}", "placements_at_rate"),
    ):
        found = results[key]
        print(
            f"  {name:<44} {found['p50']:7.2f} {found['p99']:7.2f} {found['failed']:7d}"
            f"   ({found['rate']:g} answers a second)"
        )


def _token(data: Path, role: CityRole) -> str:
    return LocalIssuer(data / "keys" / "local-issuer.pem").issue(role.value, [role])


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
