"""What a bearer token must be; every other one is refused, and says the same to its sender."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey, OKPKey

from models import CityRole, PrincipalKind
from placement.errors import NotAuthenticated
from placement.identity import GENERIC, TokenRefused, Tokens
from placement.identity.issuer_keys import FixedKeys
from placement.identity.key_set import KeySet, read_key_set
from placement.settings import OidcSettings
from tests.identity_cases import (
    EC,
    ISSUER,
    NOW,
    OIDC,
    OKP,
    OTHER_RSA,
    RSA,
    b64,
    claims,
    header,
    hmac_signed,
    jwk,
    jwks,
    public_pem,
    signed,
    signed_bytes,
    tokens,
)


def refusal(token: str, verifier: Tokens | None = None) -> str:
    with pytest.raises(TokenRefused) as caught:
        (verifier or tokens()).verify(token)
    assert isinstance(caught.value, NotAuthenticated)
    assert str(caught.value) == GENERIC
    assert (verifier or tokens()).recognise(token) is None
    return caught.value.reason


def test_good_token_names_a_person_with_the_roles_that_this_service_knows():
    person = tokens().verify(signed(header(), claims()))

    assert person.subject == f"{ISSUER} anna"
    assert person.kind is PrincipalKind.PERSON
    assert person.roles == (CityRole.DATA_STEWARD,)
    assert person.departments == ("Ruimte en Groen",)
    assert person.reader_roles == ("planner",)
    assert person.operations is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("RS256", RSA), ("PS256", RSA), ("ES256", EC), ("EdDSA", OKP), ("Ed25519", OKP)],
)
def test_each_algorithm_that_can_be_pinned_verifies_its_own_signatures(algorithm, key):
    verifier = tokens(algorithm, jwk(key))
    token = signed(header(alg=algorithm), claims(), key)

    assert verifier.verify(token).subject.endswith(" anna")
    assert refusal(token[:-8] + "AAAAAAAA", verifier) in ("bad_signature", "malformed")
    assert refusal(token[: token.rindex(".") + 20], verifier) == "bad_signature"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", None])
def test_types_of_access_tokens_are_accepted(typ):
    assert tokens().verify(signed(header(typ=typ), claims())).subject


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alg": "none"}, "wrong_algorithm"),
        ({"alg": "None"}, "wrong_algorithm"),
        ({"alg": "rs256"}, "wrong_algorithm"),
        ({"alg": "PS256"}, "wrong_algorithm"),
        ({"alg": "RS512"}, "wrong_algorithm"),
        ({"alg": ["RS256"]}, "wrong_algorithm"),
        ({"alg": 256}, "wrong_algorithm"),
        ({"alg": None}, "wrong_algorithm"),
        ({"kid": None}, "no_key_id"),
        ({"kid": ""}, "no_key_id"),
        ({"kid": 1}, "no_key_id"),
        ({"kid": "k" * 256}, "no_key_id"),
        ({"kid": "other"}, "unknown_key"),
        ({"kid": "../../k1"}, "unknown_key"),
        ({"crit": ["exp"]}, "refused_header"),
        ({"crit": []}, "refused_header"),
        ({"b64": False, "crit": ["b64"]}, "refused_header"),
        ({"jwk": jwk(OTHER_RSA)}, "refused_header"),
        ({"jku": "https://attacker.example/jwks"}, "refused_header"),
        ({"x5u": "https://attacker.example/cert"}, "refused_header"),
        ({"x5c": ["MIIB"]}, "refused_header"),
        ({"enc": "A128GCM"}, "refused_header"),
        ({"zip": "DEF"}, "refused_header"),
        ({"cty": "JWT"}, "refused_header"),
        ({"typ": "logout+jwt"}, "wrong_type"),
        ({"typ": "secevent+jwt"}, "wrong_type"),
        ({"typ": "dpop+jwt"}, "wrong_type"),
        ({"typ": "JWE"}, "wrong_type"),
        ({"typ": ["JWT"]}, "wrong_type"),
    ],
)
def test_header_that_does_not_fit_is_refused_although_the_signature_holds(changes, reason):
    head = json.dumps(header(**changes)).encode()
    token = signed_bytes(head, json.dumps(claims()).encode(), "RS256", RSA)
    assert refusal(token) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": ISSUER + "/"}, "wrong_issuer"),
        ({"iss": "https://attacker.example"}, "wrong_issuer"),
        ({"iss": [ISSUER]}, "wrong_issuer"),
        ({"iss": None}, "wrong_issuer"),
        ({"aud": "another"}, "wrong_audience"),
        ({"aud": ["another", "placement2"]}, "wrong_audience"),
        ({"aud": []}, "wrong_audience"),
        ({"aud": {"placement": 1}}, "wrong_audience"),
        ({"aud": ["placement", 7]}, "wrong_audience"),
        ({"aud": None}, "wrong_audience"),
        ({"exp": None}, "no_expiry"),
        ({"exp": NOW - 30}, "expired"),
        ({"exp": NOW - 3600}, "expired"),
        ({"exp": str(NOW + 60)}, "bad_times"),
        ({"exp": True}, "bad_times"),
        ({"exp": 10**300}, "bad_times"),
        ({"exp": -1}, "bad_times"),
        ({"nbf": NOW + 31}, "not_yet_valid"),
        ({"nbf": "soon"}, "bad_times"),
        ({"iat": NOW + 31}, "issued_in_future"),
        ({"iat": NOW + 20, "exp": NOW + 10}, "bad_times"),
        ({"sub": None}, "bad_subject"),
        ({"sub": ""}, "bad_subject"),
        ({"sub": 7}, "bad_subject"),
        ({"sub": "anna bob"}, "bad_subject"),
        ({"sub": "anna\n"}, "bad_subject"),
        ({"sub": "anna\x00"}, "bad_subject"),
        ({"sub": "\u0430nna"}, "bad_subject"),
        ({"sub": "\ud800"}, "bad_subject"),
        ({"sub": "a" * 256}, "bad_subject"),
        ({"typ": "ID"}, "wrong_type"),
        ({"typ": "Refresh"}, "wrong_type"),
        ({"typ": 1}, "wrong_type"),
        ({"at_hash": "x"}, "wrong_type"),
        ({"events": {}}, "wrong_type"),
        ({"cnf": {"jkt": "x"}}, "wrong_type"),
        ({"roles": ["data_steward", "auditor", 1]}, "bad_roles"),
        ({"roles": {"auditor": True}}, "bad_roles"),
        ({"departments": 7}, "bad_departments"),
        ({"reader_roles": [["x"]]}, "bad_reader_roles"),
    ],
)
def test_claim_that_does_not_hold_is_refused(changes, reason):
    assert refusal(signed(header(), claims(**changes))) == reason


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", "placement"]},
        {"exp": NOW - 29},
        {"nbf": NOW + 29, "iat": NOW + 29},
        {"nbf": None, "iat": None},
        {"exp": NOW + 0.5},
        {"typ": "Bearer"},
    ],
)
def test_boundaries_within_the_leeway_are_accepted(changes):
    assert tokens().verify(signed(header(), claims(**changes))).subject


def test_subject_that_is_too_long_together_with_its_issuer_is_refused():
    issuer = "https://login.soest.example/" + "x" * 60
    oidc = OidcSettings(issuer=issuer, audience="placement")
    verifier = Tokens(oidc, FixedKeys(read_key_set(jwks(jwk()), "RS256")), clock=lambda: NOW)
    longest = 300 - len(issuer) - 1
    assert verifier.verify(signed(header(), claims(iss=issuer, sub="a" * longest))).subject
    too_long = signed(header(), claims(iss=issuer, sub="a" * (longest + 1)))
    assert refusal(too_long, verifier) == "bad_subject"


def test_unsigned_token_is_refused():
    head, payload = (b64(json.dumps(part).encode()).decode() for part in (header(), claims()))
    none = b64(json.dumps(header(alg="none")).encode()).decode()
    assert refusal(f"{none}.{payload}.") == "malformed"
    assert refusal(f"{none}.{payload}.AAAA") == "wrong_algorithm"
    assert refusal(f"{head}.{payload}.") == "malformed"
    assert refusal(f"{head}.{payload}.AAAA") == "bad_signature"


@pytest.mark.parametrize("form", ["pem", "der_text", "modulus"])
def test_public_key_is_no_hmac_secret(form):
    pem = public_pem()
    secret = {"pem": pem, "der_text": pem.strip(), "modulus": jwk()["n"].encode()}[form]
    assert refusal(hmac_signed(header(alg="HS256"), claims(), secret)) == "wrong_algorithm"
    assert refusal(hmac_signed(header(), claims(), secret)) == "bad_signature"


def test_key_in_the_jwks_that_is_a_secret_is_never_used():
    secret = {"kty": "oct", "k": b64(b"s" * 32).decode(), "kid": "k1", "alg": "RS256"}
    verifier = tokens("RS256", secret)
    assert refusal(hmac_signed(header(), claims(), b"s" * 32), verifier) == "unknown_key"


def test_signature_by_another_key_or_over_another_payload_is_refused():
    token = signed(header(), claims())
    other = signed(header(), claims(sub="boss"))
    head, payload, _ = other.split(".")

    assert refusal(signed(header(), claims(), OTHER_RSA)) == "bad_signature"
    assert refusal(".".join([head, payload, token.split(".")[2]])) == "bad_signature"


@pytest.mark.parametrize(("algorithm", "key"), [("RS256", RSA), ("EdDSA", OKP)])
def test_token_with_any_one_letter_changed_is_refused(algorithm, key):
    verifier = tokens(algorithm, jwk(key))
    token = signed(header(alg=algorithm), claims(), key)
    for place, letter in enumerate(token):
        for other in {"A", "B", "_", "."} - {letter}:
            with pytest.raises(TokenRefused):
                verifier.verify(token[:place] + other + token[place + 1 :])


def test_header_of_a_real_issuer_is_read_to_its_end():
    # joserfc takes headers of up to 512 bytes, and only parameters that it knows.
    long = header(**{"kid": "k1", "x5t": "t" * 27, "x5t#S256": "t" * 43, "nonce": "n" * 600})
    assert tokens().verify(signed(long, claims())).subject


def test_ps256_and_rs256_do_not_stand_for_each_other():
    by_rs = signed(header(alg="RS256"), claims())
    by_ps = signed(header(alg="PS256"), claims())
    assert refusal(by_rs, tokens("PS256")) == "wrong_algorithm"
    assert refusal(by_ps, tokens("RS256")) == "wrong_algorithm"
    # The header says one thing, the signature is the other.
    relabelled = signed_bytes(
        json.dumps(header()).encode(), json.dumps(claims()).encode(), "PS256", RSA
    )
    assert refusal(relabelled) == "bad_signature"


def test_eddsa_names_are_not_mixed():
    token = signed(header(alg="EdDSA"), claims(), OKP)
    assert refusal(token, tokens("Ed25519", jwk(OKP))) == "wrong_algorithm"


@pytest.mark.parametrize(
    "body",
    [
        b'{"iss":"%s","aud":"placement","sub":"anna","sub":"boss","exp":9000000000}',
        b'{"iss":"%s","aud":"placement","sub":"anna","exp":NaN}',
        b'{"iss":"%s","aud":"placement","sub":"anna","exp":1e999}',
        b'\xef\xbb\xbf{"iss":"%s","aud":"placement","sub":"anna","exp":9000000000}',
        b'{"iss":"%s","aud":"placement","sub":"\xff","exp":9000000000}',
        b'{"iss":"%s","aud":"placement","sub":"anna","exp":9000000000} {}',
        b'["%s"]',
        b'"%s"',
        b"%s",
    ],
)
def test_payload_that_two_readers_could_understand_differently_is_refused(body):
    payload = body.replace(b"%s", ISSUER.encode())
    token = signed_bytes(json.dumps(header()).encode(), payload, "RS256", RSA)
    assert refusal(token) == "malformed"


@pytest.mark.parametrize(
    "head",
    [
        b'{"alg":"none","alg":"RS256","kid":"k1"}',
        b'{"alg":"RS256","kid":"k2","kid":"k1"}',
        b'{"alg":"RS256","kid":"k1","x":{"a":1,"a":2}}',
        b'{"alg":"RS256","kid":"k1","x":' + b"[" * 6000 + b"]" * 6000 + b"}",
        b"[]",
        b"",
        b"\xff\xfe",
    ],
)
def test_header_that_two_readers_could_understand_differently_is_refused(head):
    token = signed_bytes(head, json.dumps(claims()).encode(), "RS256", RSA)
    assert refusal(token) in ("malformed", "too_large")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token + "=",
        lambda token: token.replace(".", "..", 1),
        lambda token: token.rsplit(".", 1)[0],
        lambda token: token + ".AAAA",
        lambda token: " " + token,
        lambda token: token + "\n",
        lambda token: token.replace(".", ".+", 1),
        lambda token: token.replace("A", "Ａ", 1),
        lambda token: token + "é",
        lambda token: token + "\ud800",
        lambda token: "",
        lambda token: "..",
        lambda token: "not a token",
    ],
)
def test_text_that_is_no_compact_token_is_refused(spoil):
    assert refusal(spoil(signed(header(), claims()))) == "malformed"


def test_token_beyond_the_size_cap_is_refused_although_it_holds():
    fitting = signed(header(), claims(pad="x" * 11_000))
    assert len(fitting) <= 16 * 1024
    assert tokens().verify(fitting).subject
    assert refusal(signed(header(), claims(pad="x" * 12_500))) == "too_large"


@pytest.mark.parametrize(
    ("claim", "payload"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["auditor"]}}),
        ("https://soest.example/roles", {"https://soest.example/roles": ["auditor"]}),
        ("groups", {"groups": "auditor"}),
    ],
)
def test_roles_stand_where_the_setting_says(claim, payload):
    oidc = OidcSettings(issuer=ISSUER, audience="placement", roles_claim=claim)
    verifier = Tokens(oidc, FixedKeys(read_key_set(jwks(jwk()), "RS256")), clock=lambda: NOW)
    person = verifier.verify(signed(header(), claims(roles=["governance_board"], **payload)))
    assert person.roles == (CityRole.AUDITOR,)


def test_token_without_roles_is_somebody_who_may_nothing():
    person = tokens().verify(
        signed(header(), claims(roles=None, departments=None, reader_roles=None))
    )
    assert (person.roles, person.departments, person.reader_roles) == ((), (), ())


def test_departments_and_catalogue_roles_that_name_nothing_are_passed_over():
    person = tokens().verify(
        signed(header(), claims(departments=["", "  ", " Ruimte "], reader_roles=["a b", "ok", ""]))
    )
    assert person.departments == ("Ruimte",)
    assert person.reader_roles == ("ok",)


def test_verifier_without_an_issuer_accepts_no_token():
    assert refusal(signed(header(), claims()), Tokens()) == "no_issuer"


def test_verified_token_is_recognised_until_it_expires():
    now = [NOW]
    verifier = tokens(clock=lambda: now[0])
    token = signed(header(), claims())
    assert verifier.recognise(token) is None
    person = verifier.verify(token)
    assert verifier.recognise(token) == person

    now[0] = NOW + 600 + 29.9
    assert verifier.recognise(token) == person
    now[0] = NOW + 600 + 30
    assert verifier.recognise(token) is None
    assert refusal(token, verifier) == "expired"


class Changing(FixedKeys):
    def replace(self, keys: KeySet) -> None:
        self._keys = keys


@pytest.mark.parametrize(
    "keys",
    [jwks(), jwks(jwk(kid="k2")), jwks(jwk(OTHER_RSA))],
    ids=["gone", "renamed", "another key under the same id"],
)
def test_verified_token_is_forgotten_with_its_key(keys):
    source = Changing(read_key_set(jwks(jwk()), "RS256"))
    verifier = Tokens(OIDC, source, clock=lambda: NOW)
    token = signed(header(), claims())
    verifier.verify(token)
    source.replace(read_key_set(jwks(jwk()), "RS256"))
    assert verifier.recognise(token), "the same key, fetched again"

    source.replace(read_key_set(keys, "RS256"))
    assert verifier.recognise(token) is None
    assert refusal(token, verifier) in ("unknown_key", "bad_signature")


def test_memory_of_verified_tokens_is_bounded():
    verifier = tokens(cached=2)
    texts = [signed(header(), claims(jti=str(number))) for number in range(3)]
    for text in texts:
        verifier.verify(text)
    verifier.recognise(texts[1])
    assert verifier.recognise(texts[0]) is None
    assert verifier.recognise(texts[1])
    assert verifier.recognise(texts[2])


WEAK = {
    "kty": "RSA",
    "n": b64((1 << 1023 | 1).to_bytes(128, "big")).decode(),
    "e": "AQAB",
    "kid": "k1",
}


@pytest.mark.parametrize(
    ("algorithm", "entry"),
    [
        ("RS256", WEAK),
        ("RS256", {**WEAK, "n": b64((1 << 8200 | 1).to_bytes(1026, "big")).decode()}),
        ("RS256", jwk(e="Aw")),
        ("RS256", jwk(e="AAAA")),
        ("RS256", jwk(e="AQAA")),
        ("RS256", jwk(n="")),
        ("RS256", jwk(n="!!")),
        ("RS256", jwk(n=7)),
        ("RS256", jwk(use="enc")),
        ("RS256", jwk(alg="PS256")),
        ("RS256", jwk(alg="RS512")),
        ("RS256", jwk(key_ops=["encrypt"])),
        ("RS256", jwk(key_ops="verify")),
        ("RS256", jwk(d="AQAB")),
        ("RS256", jwk(kid=None)),
        ("RS256", jwk(kid="")),
        ("RS256", jwk(kid=7)),
        ("RS256", jwk(EC)),
        ("RS256", {**jwk(), "kty": "EC"}),
        ("ES256", jwk(RSA)),
        ("ES256", jwk(ECKey.generate_key("P-384"))),
        ("ES256", jwk(EC, crv="P-384")),
        ("ES256", jwk(EC, x=jwk(EC)["y"])),
        ("EdDSA", jwk(OKPKey.generate_key("Ed448"))),
        ("Ed25519", jwk(OKPKey.generate_key("X25519"))),
        ("EdDSA", jwk(OKP, x="AAAA")),
        ("RS256", "k1"),
        ("RS256", None),
    ],
)
def test_key_that_does_not_fit_is_passed_over(algorithm, entry):
    fitting = {"RS256": RSA, "ES256": EC, "EdDSA": OKP, "Ed25519": OKP}[algorithm]
    good = jwk(fitting, kid="good")
    found = read_key_set(json.dumps({"keys": [entry, good]}).encode(), algorithm)
    assert list(found.keys) == ["good"]


def test_id_of_two_fitting_keys_is_nobodys():
    found = read_key_set(jwks(jwk(), jwk(OTHER_RSA), jwk(kid="k2"), jwk(kid="k2")), "RS256")
    assert list(found.keys) == ["k2"]


def test_id_shared_with_a_key_of_another_kind_is_no_trouble():
    assert list(read_key_set(jwks(jwk(EC), jwk()), "RS256").keys) == ["k1"]


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[],"keys":[]}', jwks(*[jwk()] * 101)]
)
def test_document_that_is_no_key_set_is_refused(body):
    with pytest.raises(ValueError, match=r"."):
        read_key_set(body, "RS256")
