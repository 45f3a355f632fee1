"""Which of OPA's built-in functions policies may use: an allow-list, never a list of bad ones.

A list of bad ones was got round before (CVE-2022-36085: `with` put a forbidden function in the
place of an allowed one). What is not named here does not exist for a draft.
"""

from __future__ import annotations

import json
from typing import Any

_RULES = """
    abs array.concat array.flatten array.reverse array.slice
    base64.decode base64.encode base64.is_valid
    bits.and bits.negate bits.or bits.rsh bits.xor
    ceil concat contains count crypto.sha256 endswith floor format_int
    glob.match glob.quote_meta graph.reachable hex.decode hex.encode
    indexof indexof_n intersection
    is_array is_boolean is_null is_number is_object is_set is_string
    json.filter json.is_valid json.marshal json.patch json.remove json.unmarshal
    lower max min object.filter object.get object.keys object.remove object.subset object.union
    object.union_n product regex.find_n regex.is_valid regex.match regex.replace regex.split
    rego.metadata.chain rego.metadata.rule replace round semver.compare semver.is_valid sort split
    sprintf startswith strings.any_prefix_match strings.any_suffix_match strings.count
    strings.replace_n strings.reverse substring sum
    time.add_date time.clock time.date time.diff time.format time.parse_duration_ns time.parse_ns
    time.parse_rfc3339_ns time.weekday
    to_number trim trim_left trim_prefix trim_right trim_space trim_suffix type_name union
    units.parse units.parse_bytes upper walk
"""
_OPERATORS = """
    and assign div eq equal gt gte internal.member_2 internal.member_3 internal.template_string
    internal.test_case lt lte minus mul neq or plus rem set_diff
"""

RULES = frozenset(_RULES.split())
"""Pure, and bounded by what they are given. Left out for a reason of their own:

- `numbers.range`, `numbers.range_step`, `bits.lsh`, `graph.reachable_paths`: a few
  characters ask for gigabytes; tests, which never reach a service, may count.
- `time.now_ns`, `rand.intn`, `uuid.rfc4122`: a decision could not be replayed. The day of
  judgement is `input.as_of`.
- `http.send`, `net.*`, `opa.runtime`, `io.jwt.*`, `crypto.*` but SHA-256, `providers.*`: the
  outside world, the environment and keys are none of a policy's business.
- `rego.parse_module`, `graphql.*`, `json.match_schema`, `yaml.*`, `regex.globs_match`,
  `regex.template_match`, `strings.render_template`: interpreters within the interpreter.
- `print`, `trace`: what a policy prints, no decision records.
"""

TESTS = RULES | {"numbers.range"}

_KEYWORDS = ("contains", "every", "if", "in")
_FEATURES = ("keywords_in_refs", "rego_v1", "rego_v1_import", "rule_head_refs", "template_strings")


def allowed(current: bytes, builtins: frozenset[str]) -> bytes:
    """The capabilities file for OPA: what this OPA can (`opa capabilities --current`), cut down.

    Raises
    ------
    ValueError, KeyError, TypeError
        When `current` is not a capabilities file.
    """
    can = json.loads(current)
    names = builtins | frozenset(_OPERATORS.split())
    cut: dict[str, Any] = {
        "builtins": [
            builtin
            for builtin in can["builtins"]
            if builtin["name"] in names and not builtin.get("nondeterministic")
        ],
        "future_keywords": [word for word in can.get("future_keywords") or () if word in _KEYWORDS],
        "features": [name for name in can.get("features") or () if name in _FEATURES],
        "allow_net": [],
    }
    return json.dumps(cut).encode()
