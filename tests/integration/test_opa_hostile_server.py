"""Whatever a server at PLACEMENT_OPA_URL sends, it is an error unless it is exactly an answer."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from placement.eligibility import open_engine, policy_digest, transport
from placement.errors import PolicyEngineError, PolicyRevisionMismatch
from tests import builders
from tests.opa_fakes import (
    EMPTY_BATCH,
    envelope,
    fake_server,
    http,
    opa_settings,
    question,
    site_view,
    view,
    write_policies,
)

VERDICT = {"violations": [], "host_obligations": [], "preferences": [], "closed_stack": False}


@pytest.fixture
def policies(tmp_path):
    return write_policies(tmp_path / "policies")


@pytest.fixture
def revision(policies):
    return policy_digest(policies)


def ask(policies, *replies, deadline_s=20.0, token=None):
    """Ask one single question of a server that first answers the engine's opening question."""
    hello = http(envelope(EMPTY_BATCH, policy_digest(policies)))
    with fake_server(hello, *replies) as server:
        settings = opa_settings(opa_url=server.url, opa_deadline_s=deadline_s, opa_token=token)
        with open_engine(policies, settings) as engine:
            return engine.ask(question())


def drip(data):
    """Sends a byte every 0.2 s: for minutes, and no single read waits long."""

    def send(connection):
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.2)

    return send


def test_an_exact_answer_is_taken(policies, revision):
    assert ask(policies, http(envelope(VERDICT, revision))).eligible


def test_a_body_that_drips_is_cut_at_the_deadline(policies, revision):
    whole = http(envelope(VERDICT, revision))
    head = whole.index(b"\r\n\r\n") + 4

    def reply(connection):
        connection.sendall(whole[:head])
        drip(whole[head:])(connection)

    with pytest.raises(PolicyEngineError, match=r"did not answer within 1\.0 s"):
        ask(policies, reply, deadline_s=1.0)


def test_headers_that_drip_are_cut_at_the_deadline_and_no_thread_stays(policies, revision):
    dripping = drip(http(envelope(VERDICT, revision)))
    with fake_server(http(envelope(EMPTY_BATCH, revision)), dripping) as server:
        settings = opa_settings(opa_url=server.url, opa_deadline_s=1.0)
        with open_engine(policies, settings) as engine:
            with pytest.raises(PolicyEngineError, match=r"did not answer within 1\.0 s"):
                engine.ask(question())
            # The server is still dripping, and would for a minute.
            for thread in [t for t in threading.enumerate() if t.name == "opa-query"]:
                thread.join(10)
                assert not thread.is_alive()


def test_a_chunked_body_that_drips_is_cut_at_the_deadline(policies, revision):
    body = envelope(VERDICT, revision)
    chunks = b"".join(b"1\r\n" + bytes([byte]) + b"\r\n" for byte in body) + b"0\r\n\r\n"

    def reply(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        drip(chunks)(connection)

    with pytest.raises(PolicyEngineError, match=r"did not answer within 1\.0 s"):
        ask(policies, reply, deadline_s=1.0)


def test_a_silent_server_is_left_at_the_deadline(policies):
    with pytest.raises(PolicyEngineError, match=r"did not answer within 1\.0 s"):
        ask(policies, lambda connection: time.sleep(3), deadline_s=1.0)


def test_closing_hangs_up_on_a_question_that_is_still_waiting(policies, revision):
    asked = threading.Event()

    def silent(connection):
        asked.set()
        connection.recv(1)

    with fake_server(http(envelope(EMPTY_BATCH, revision)), silent) as server:
        settings = opa_settings(opa_url=server.url, opa_deadline_s=3600.0)
        with ThreadPoolExecutor(1) as pool:
            with open_engine(policies, settings) as engine:
                waiting = pool.submit(engine.ask, question())
                assert asked.wait(20)
            with pytest.raises(PolicyEngineError):
                waiting.result(20)


def test_one_deadline_holds_over_all_batches_of_an_evaluation(policies, revision, monkeypatch):
    monkeypatch.setattr("placement.eligibility.engine.MAX_PAIRS", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    batch = {"verdicts": [[VERDICT]], "segregated_duties": []}
    whole = http(envelope(batch, revision))

    def late(connection):
        time.sleep(0.7)
        connection.sendall(whole)

    views = [(str(n), view(non_publication_grounds=(f"5.{n}",))) for n in range(10)]
    with fake_server(http(envelope(EMPTY_BATCH, revision)), late) as server:
        settings = opa_settings(opa_url=server.url, opa_deadline_s=2.0)
        with (
            open_engine(policies, settings) as engine,
            pytest.raises(PolicyEngineError, match="did not answer within"),
        ):
            engine.evaluate(views, [site_view()], builders.AS_OF)
        assert 2 <= len(server.requests) <= 5


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(policies, revision, status):
    with fake_server(http(envelope(VERDICT, revision))) as other:
        reply = http(b"", status, f"Location: {other.url}/v1/data/placement/verdict")
        with pytest.raises(PolicyEngineError, match="redirects are not followed"):
            ask(policies, reply, token="s3cret")
        assert other.requests == []


@pytest.mark.parametrize("status", ["201 Created", "204 No Content", "206 Partial Content"])
def test_only_status_200_is_an_answer(policies, revision, status):
    body = b"" if status.startswith("204") else envelope(VERDICT, revision)
    with pytest.raises(PolicyEngineError, match="HTTP status 20"):
        ask(policies, http(body, status))


def test_proxies_of_the_environment_are_not_used(policies, revision, monkeypatch):
    with fake_server(http(envelope(VERDICT, revision))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert ask(policies, http(envelope(VERDICT, revision))).eligible
        assert proxy.requests == []


def test_a_netrc_file_sends_no_password(policies, revision, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with fake_server(http(envelope(EMPTY_BATCH, revision))) as server:
        with open_engine(policies, opa_settings(opa_url=server.url)):
            pass
        assert b"authorization" not in server.requests[0].lower()


def test_the_token_goes_along_and_only_fixed_paths_are_asked(policies, revision):
    hello, answer = envelope(EMPTY_BATCH, revision), envelope(VERDICT, revision)
    pairs = envelope([], revision)
    with fake_server(http(hello), http(answer), http(pairs)) as server:
        settings = opa_settings(opa_url=server.url, opa_token="s3cret")
        with open_engine(policies, settings) as engine:
            engine.ask(question())
            engine.ask_segregated(site_view(), ["x/../y", "y"], builders.AS_OF)
        lines = [request.split(b"\r\n")[0].split(b"?") for request in server.requests]
        assert [path for path, _ in lines] == [
            b"POST /v1/data/placement/batch",
            b"POST /v1/data/placement/verdict",
            b"POST /v1/data/placement/segregated_duties",
        ]
        parameters = b"provenance=true&strict-builtin-errors=true HTTP/1.1"
        assert {rest for _, rest in lines} == {parameters}
        assert all(b"authorization: bearer s3cret" in r.lower() for r in server.requests)


def test_a_body_without_end_is_cut_at_the_size_limit(policies, monkeypatch):
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 2_000_000)

    def reply(connection):
        connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n{"result": "')
        while True:
            connection.sendall(b"x" * 65536)

    with pytest.raises(PolicyEngineError, match="larger than 2000000 bytes"):
        ask(policies, reply)


def test_a_compressed_body_is_refused_before_it_can_swell(policies, revision):
    reply = http(envelope(VERDICT, revision), "200 OK", "Content-Encoding: gzip")
    with pytest.raises(PolicyEngineError, match="compressed"):
        ask(policies, reply)


def test_a_connection_that_breaks_half_way_is_an_error(policies, revision):
    whole = http(envelope(VERDICT, revision))

    def reply(connection):
        connection.sendall(whole[:-5])
        connection.close()

    with pytest.raises(PolicyEngineError, match="connection to OPA failed"):
        ask(policies, reply)


def test_a_connection_that_breaks_is_not_tried_again(policies, revision):
    hello = http(envelope(EMPTY_BATCH, revision))
    answer = http(envelope(VERDICT, revision))
    with fake_server(hello, lambda connection: connection.close(), answer) as server:
        with (
            open_engine(policies, opa_settings(opa_url=server.url)) as engine,
            pytest.raises(PolicyEngineError),
        ):
            engine.ask(question())
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not strict JSON"),
        (b"OK", "not strict JSON"),
        (b"{}", "provenance"),
        (b"null", "unexpected shape"),
        (b"[]", "unexpected shape"),
        (b"\xff\xfe{}", "not strict JSON"),
        (b"\xef\xbb\xbf{}", "not strict JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"result": ' + b"9" * 5000 + b"}", "not strict JSON"),
    ],
)
def test_what_is_not_an_answer_is_an_error(policies, body, reason):
    with pytest.raises(PolicyEngineError, match=reason):
        ask(policies, http(body))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"closed_stack": false', b'"closed_stack": NaN', "NaN is not JSON"),
        (b'"closed_stack": false', b'"closed_stack": -Infinity', "Infinity is not JSON"),
        (b'"closed_stack": false', b'"closed_stack": 1e999', "too large"),
        (b'"violations": []', b'"violations": [1], "violations": []', "'violations' is repeated"),
        (b'"result": ', b'"result": {"violations": [1]}, "result": ', "'result' is repeated"),
        (b'"violations": [], ', b"", "result.violations"),
        (b'"violations": []', b'"violations": null', "result.violations"),
        (b'"violations": []', b'"violations": {}', "result.violations"),
        (b'"violations": []', b'"violations": [], "eligible": true', "result.eligible"),
        (b'"closed_stack": false', b'"closed_stack": 0', "result.closed_stack"),
        (b'"closed_stack": false', b'"closed_stack": "false"', "result.closed_stack"),
        (b'"result": ', b'"warning": {"code": "api_usage_warning"}, "result": ', "warning"),
        (b'"result": ', b'"surprise": 1, "result": ', "surprise"),
        (b'"version": "1.22.2"', b'"version": "1.9.0"', "OPA 1.10"),
        (b'"version": "1.22.2"', b'"version": "2.0.0"', "OPA 1.10"),
        (b'"version": "1.22.2"', b'"version": "1.23.0"', "OPA changed"),
        (b'"version": "1.22.2"', b'"version": 1', "provenance.version"),
    ],
)
def test_an_answer_with_one_thing_odd_is_an_error(policies, revision, old, new, reason):
    body = envelope(VERDICT, revision)
    assert old in body
    with pytest.raises(PolicyEngineError, match=reason):
        ask(policies, http(body.replace(old, new, 1)))


def test_bytes_after_the_document_are_an_error(policies, revision):
    with pytest.raises(PolicyEngineError, match="not strict JSON"):
        ask(policies, http(envelope(VERDICT, revision) + b"{}"))


def test_an_undefined_answer_is_an_error_and_never_eligible(policies, revision):
    body = json.loads(envelope(VERDICT, revision))
    del body["result"]
    with pytest.raises(PolicyEngineError, match="undefined"):
        ask(policies, http(json.dumps(body).encode()))


@pytest.mark.parametrize(
    "bundles", [{}, {"city": {"revision": "0" * 64}}, {"city": {"revision": ""}}]
)
def test_other_policies_are_an_error(policies, revision, bundles):
    body = json.loads(envelope(VERDICT, revision))
    body["provenance"]["bundles"] = bundles
    with pytest.raises(PolicyRevisionMismatch):
        ask(policies, http(json.dumps(body).encode()))


def test_opas_own_error_is_told_without_the_token(policies):
    body = {
        "code": "internal_error",
        "message": "saw s3cret\nin \x1b[31mheader",
        "errors": [{"message": "to_number: invalid syntax"}],
    }
    reply = http(json.dumps(body).encode(), "500 Internal Server Error")
    with pytest.raises(PolicyEngineError) as caught:
        ask(policies, reply, token="s3cret")
    text = str(caught.value)
    assert "HTTP status 500: internal_error: saw *** in" in text
    assert "to_number: invalid syntax" in text
    assert "\n" not in text
    assert "\x1b" not in text


def test_an_error_page_is_not_quoted(policies):
    with pytest.raises(PolicyEngineError, match=r"HTTP status 403$"):
        ask(policies, http(b"<html>who are you</html>", "403 Forbidden"))


def test_an_error_is_not_asked_again(policies, revision):
    hello = http(envelope(EMPTY_BATCH, revision))
    with fake_server(hello, http(b"{}", "502 Bad Gateway")) as server:
        with (
            open_engine(policies, opa_settings(opa_url=server.url)) as engine,
            pytest.raises(PolicyEngineError, match="502"),
        ):
            engine.ask(question())
        assert len(server.requests) == 2


def test_nobody_listens(policies):
    with fake_server(b"") as server:
        url = server.url
    with (
        pytest.raises(PolicyEngineError, match="connection to OPA failed"),
        open_engine(policies, opa_settings(opa_url=url)),
    ):
        pass


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({"verdicts": [[VERDICT]], "segregated_duties": []}, "1 rows of"),
        ({"verdicts": [[VERDICT, VERDICT], [VERDICT]], "segregated_duties": []}, "not 2 rows of 2"),
        ({"verdicts": [[VERDICT] * 3] * 2, "segregated_duties": []}, "not 2 rows of 2"),
        ({"verdicts": [[VERDICT, None]] * 2, "segregated_duties": []}, r"verdicts\.0\.1"),
        ({"verdicts": [[VERDICT] * 2] * 2}, "segregated_duties"),
        (
            {
                "verdicts": [[VERDICT] * 2] * 2,
                "segregated_duties": [{"site": "elsewhere", "duty": "a", "other": "b"}],
            },
            "which was not asked",
        ),
        (
            {
                "verdicts": [[VERDICT] * 2] * 2,
                "segregated_duties": [{"site": "one", "duty": "b", "other": "a"}],
            },
            "which was not asked",
        ),
        (
            {
                "verdicts": [[VERDICT] * 2] * 2,
                "segregated_duties": [{"site": "one", "duty": "a", "other": "b"}] * 2,
            },
            "twice",
        ),
    ],
)
def test_a_batch_must_have_exactly_the_dimensions_and_names_asked_for(
    policies, revision, batch, reason
):
    views = [("x", view(duties=("a",))), ("y", view(duties=("b",)))]
    sites = [site_view(id="one"), site_view(id="two")]
    with (
        fake_server(
            http(envelope(EMPTY_BATCH, revision)), http(envelope(batch, revision))
        ) as server,
        open_engine(policies, opa_settings(opa_url=server.url)) as engine,
        pytest.raises(PolicyEngineError, match=reason),
    ):
        engine.evaluate(views, sites, builders.AS_OF)
