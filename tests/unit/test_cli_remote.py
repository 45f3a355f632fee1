"""Which service a command asks, and how it follows a job there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import typer

from models import Job, JobKind, JobProgress, JobState, Parameters
from placement.cli import remote
from placement.errors import GapNotReached, NotFound, PlacementError, ServiceError

JOB = Job(
    id="a" * 32,
    kind=JobKind.DECIDE,
    state=JobState.QUEUED,
    created_at=datetime(2026, 10, 1, tzinfo=UTC),
    author="issuer office",
)


class Service:
    """A client whose job ends as it is told, after some news."""

    def __init__(self, ending: dict[str, Any] | BaseException, cancelling: Any = None) -> None:
        self.ending = ending
        self.cancelling = cancelling
        self.cancelled: list[str] = []

    def result(self, job: str, report: Callable[[Job], None]) -> dict[str, Any]:
        assert job == JOB.id
        report(JOB)
        found = JobProgress(phase="solve", message="searching", bound_eur=Decimal(90))
        report(JOB.model_copy(update={"state": JobState.RUNNING, "progress": found}))
        report(JOB.model_copy(update={"state": JobState.DONE, "progress": found}))
        if isinstance(self.ending, BaseException):
            raise self.ending
        return self.ending

    def cancel(self, job: str) -> None:
        self.cancelled.append(job)
        if isinstance(self.cancelling, PlacementError):
            raise self.cancelling

    def parameters(self) -> Parameters:
        return Parameters(alternatives_min=1)


def serving(ending: dict[str, Any] | BaseException, cancelling: Any = None) -> Any:
    """Such a client, for whoever expects a real one."""
    return Service(ending, cancelling)


@pytest.fixture(autouse=True)
def no_service(monkeypatch):
    for name in (remote.SERVER, remote.TOKEN, remote.CA_FILE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("option", "variable", "catalog", "chosen"),
    [
        ("http://a", None, None, "http://a"),
        ("http://a", "http://b", None, "http://a"),
        (None, "http://b", None, "http://b"),
        (None, "http://b", "c.json", None),
        (None, None, "c.json", None),
        (None, None, None, None),
        (None, "", None, None),
    ],
)
def test_the_option_counts_more_than_files_and_files_more_than_the_environment(
    monkeypatch, option, variable, catalog, chosen
):
    if variable is not None:
        monkeypatch.setenv(remote.SERVER, variable)
    assert remote.chosen_server(option, catalog=catalog) == chosen


def test_a_service_and_files_are_too_much():
    with pytest.raises(typer.BadParameter, match="--format-catalog, --current"):
        remote.chosen_server("http://a", sites=None, format_catalog=True, current="plan.json")


def test_the_token_and_certificates_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv(remote.SERVER, "http://127.0.0.1:1/")
    monkeypatch.setenv(remote.TOKEN, "secret")
    with remote.connected(None) as client:
        assert client.connection.url == "http://127.0.0.1:1"
    monkeypatch.setenv(remote.CA_FILE, str(tmp_path / "absent.pem"))
    with pytest.raises(PlacementError, match=r"absent\.pem"), remote.connected(None):
        pass


def test_the_news_of_a_job_look_like_those_of_the_command_itself(capsys):
    assert remote.follow(serving({"decision": 3}), JOB, quiet=False) == {"decision": 3}
    assert capsys.readouterr().err.splitlines() == [
        "queued: waiting for a worker",
        "solve: searching (bound EUR 90)",
    ]


def test_quiet_says_nothing(capsys):
    remote.follow(serving({}), JOB, quiet=True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", [KeyboardInterrupt(), SystemExit(143)])
def test_whoever_interrupts_the_command_cancels_the_job(capsys, ending):
    client = serving(ending)
    with pytest.raises(type(ending)):
        remote.follow(client, JOB, quiet=True)
    assert client.cancelled == [JOB.id]
    assert capsys.readouterr().err == f"job {JOB.id} is cancelled\n"


def test_a_job_that_cannot_be_cancelled_is_named(capsys):
    with pytest.raises(KeyboardInterrupt):
        remote.follow(serving(KeyboardInterrupt(), NotFound("gone")), JOB, quiet=True)
    assert capsys.readouterr().err == f"job {JOB.id} could not be cancelled: gone\n"


def test_a_job_whose_service_is_lost_is_not_taken_for_ended(capsys):
    client = serving(ServiceError("away"))
    with pytest.raises(ServiceError):
        remote.follow(client, JOB, quiet=True)
    assert client.cancelled == []
    assert f"placement jobs show {JOB.id}" in capsys.readouterr().err


def test_a_job_that_failed_raises_its_own_error():
    with pytest.raises(GapNotReached):
        remote.follow(serving(GapNotReached("late")), JOB, quiet=True)


def test_a_gap_alone_changes_nothing_else_of_the_citys_own_parameters(tmp_path):
    client = serving({})
    assert remote.asked_parameters(client, None, None, None) is None
    asked = remote.asked_parameters(client, None, Decimal("0.01"), None)
    assert asked == Parameters(alternatives_min=1, gap=Decimal("0.01"))
    file = tmp_path / "parameters.json"
    file.write_text('{"moves_max": 5}', encoding="utf-8")
    asked = remote.asked_parameters(client, file, None, 7)
    assert asked == Parameters(moves_max=5, time_limit_s=7)


def test_a_result_without_what_was_asked_for_is_no_answer():
    assert remote.told({"decision": 3}, "decision") == 3
    with pytest.raises(ServiceError):
        remote.told({}, "decision")
