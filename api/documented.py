"""Words of the OpenAPI description that no handler can say for itself."""

from __future__ import annotations

from typing import Any

from api.problems import PROBLEM

DESCRIPTION = """\
Decides where each of a city's datasets should live, cloud or on-premise, and proves it.

**Who.** Every request under /v1 carries `Authorization: Bearer TOKEN`: a token of the city's
identity provider or an API key. What a role may do is decided by policies; what it may not see is
answered with 404.

**Lists** have `items` and `next`; `?cursor=` with the value of `next` gives the next page.

**Writing.** PUT and DELETE name the version they are meant for: `If-Match` with the ETag, or
`If-None-Match: *` to create. POST takes an `Idempotency-Key`: a request sent again with the same
key has its effect once and gets the same reply, with `Idempotent-Replayed: true`.

**Errors** are problem documents (RFC 9457) with a stable `code`. `X-Request-ID` is taken over, or
made, and stands in the answer, the problem document, the log and the audit record.

**Ids** may hold slashes; in a path they are percent-encoded (`%2F`). Decimals are texts, so that
nothing is rounded."""

TAGS = {
    "datasets": "What is placed.",
    "sites": "Where datasets can rest.",
    "operators": "Who runs sites, and whose law reaches them.",
    "relations": "What ties datasets to one another.",
    "roles": "Who works with data.",
    "contracts": "What was agreed with processors.",
    "catalogs": "The whole catalogue: import, and the versions there were.",
    "parameters": "What the city asks of every plan.",
    "checks": "Whether one dataset may rest at one site.",
    "eligibility": "Which dataset may rest at which site.",
    "verifications": "Plans judged again, without the solver.",
    "procurement": "What contracts must say, and which of them do not.",
    "decisions": "Plans: proposed, approved, provisioned, in force, replaced.",
    "what_ifs": "Plans that propose nothing.",
    "drills": "Many what-ifs at once: leaving each operator, or values of a limit.",
    "placements": "Where datasets rest by the approved plan.",
    "entities": "Datasets, sites, operators and placements as NGSI-LD entities.",
    "subscriptions": "Who is told what to provision, and what could not be delivered.",
    "events": "What there was to tell, in order.",
    "jobs": "Work that takes longer than a request.",
    "policies": "Rego: drafts, reviews, publications.",
    "audit": "The record nobody can rewrite.",
    "keys": "API keys of machines.",
    "me": "Who you are to the service.",
    "service": "Whether the service works, and how well.",
}

_PROBLEMS = {
    400: "The request is not as documented: path, parameters, headers, or the form of the body.",
    401: "Who asks is not proven.",
    403: "The policies do not allow it.",
    404: "There is no such thing, or none that the caller may see.",
    406: "Neither JSON nor JSON-LD is accepted.",
    408: "The body did not arrive in time.",
    409: "The present state does not allow it.",
    412: "If-Match or If-None-Match names another version.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "The content is wrong; `defects` say where. Or the Idempotency-Key was used before.",
    428: "If-Match is missing.",
    503: "Something needed does not answer; nothing was done.",
}


def problem_responses() -> dict[str, Any]:
    """components.responses: Problem400, ..., and NgsiLdProblem400, ... as NGSI-LD has them."""
    described = {f"Problem{status}": _problem(status, text) for status, text in _PROBLEMS.items()}
    return described | {
        f"NgsiLdProblem{status}": _problem(status, text, "application/json", "NgsiLdProblem")
        for status, text in _PROBLEMS.items()
    }


def headers_of(method: str) -> list[dict[str, Any]]:
    """Header parameters that a method takes."""
    names = {
        "GET": ("If-None-Match",),
        "POST": ("Idempotency-Key",),
        "PUT": ("If-Match", "If-None-Match", "Idempotency-Key"),
        "DELETE": ("If-Match", "Idempotency-Key"),
    }
    return [_HEADERS[name] for name in names.get(method, ())]


def success_headers(status: str) -> dict[str, Any]:
    """Headers of an answer that is no problem."""
    headers = {"X-Request-ID": _text("The request's id.")}
    if status == "200":
        headers["ETag"] = _text("Version of the content, where it has one.")
    if status in ("201", "202"):
        headers["Location"] = _text("Path of what was made.")
    return headers


def _problem(
    status: int, description: str, media_type: str = PROBLEM, schema: str = "Problem"
) -> dict[str, Any]:
    headers = {"X-Request-ID": _text("The request's id.")}
    if status == 401:
        headers["WWW-Authenticate"] = _text("Bearer")
    if status == 503:
        headers["Retry-After"] = _text("Seconds to wait.")
    return {
        "description": description,
        "headers": headers,
        "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _text(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _header(name: str, description: str, pattern: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", "pattern": pattern, "maxLength": 200},
    }


_TAGS_PATTERN = r'^(\*|(W/)?"[!#-~]*"(, (W/)?"[!#-~]*")*)$'
_HEADERS = {
    "If-Match": _header("If-Match", "ETags this change is meant for.", _TAGS_PATTERN),
    "If-None-Match": _header("If-None-Match", "ETags the client has, or *.", _TAGS_PATTERN),
    "Idempotency-Key": _header(
        "Idempotency-Key", "1 to 200 visible ASCII characters of your choice.", r"^[!-~]{1,200}$"
    ),
}
