"""The city's settings of where events may be sent."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading

import pytest

from placement.errors import BadInput
from placement.provision import lookup
from placement.provision.guard import Guard
from placement.settings import read_settings


def test_by_default_nothing_is_allowed():
    settings = read_settings({})
    assert (settings.webhook_hosts, settings.webhook_networks) == ((), ())


def test_hosts_and_networks_are_lists_with_commas():
    settings = read_settings(
        {
            "PLACEMENT_WEBHOOK_HOSTS": "hooks.example.org, *.city.example ,127.0.0.1,::1,town,",
            "PLACEMENT_WEBHOOK_NETWORKS": "10.1.0.0/16, ::1/128",
        }
    )
    assert settings.webhook_hosts == (
        *("hooks.example.org", "*.city.example", "127.0.0.1", "::1", "town"),
    )
    assert settings.webhook_networks == (
        ipaddress.ip_network("10.1.0.0/16"),
        ipaddress.ip_network("::1/128"),
    )
    guard = Guard(settings.webhook_hosts, settings.webhook_networks)
    assert guard.check_url("http://[::1]:8080/x").port == 8080


@pytest.mark.parametrize(
    "host",
    [
        *("*", "*.", "*.org", "**.example.org", "a.*.org", "*example.org", "hooks.*", "*.*.org"),
        *("https://hooks.example.org", "hooks.example.org:443", "hooks.example.org/", "a b.org"),
        *("HOOKS.example.org", "hooks.example.org.", ".example.org", "hooks..org", "-a.org"),
        *(
            "127.1",
            "0x7f.1",
            "2130706433",
            "0x7f000001",
            "127.0.0.01",
            "[::1]",
            "0::1",
            "fe80::1%1",
        ),
        *("häks.example.org", "hooks_.example.org", "a@b.org", "*.127.0.0.1"),
    ],
)
def test_a_host_in_another_form_is_refused_by_name(host):
    with pytest.raises(BadInput) as refused:
        read_settings({"PLACEMENT_WEBHOOK_HOSTS": f"hooks.example.org,{host}"})
    assert refused.value.defects[0].record == "PLACEMENT_WEBHOOK_HOSTS"


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "ten", "10.0.0.0-10.0.0.9", "/8"])
def test_a_network_in_another_form_is_refused_by_name(network):
    with pytest.raises(BadInput) as refused:
        read_settings({"PLACEMENT_WEBHOOK_NETWORKS": network})
    assert refused.value.defects[0].record == "PLACEMENT_WEBHOOK_NETWORKS"


# -- looking names up ---------------------------------------------------------------------------


def test_who_asks_for_a_name_that_is_asked_waits_with_it(monkeypatch):
    asked = []

    def count(host, port, **_):
        asked.append(host)
        return [(2, 1, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", count)
    look_up = lookup._SystemLookup()

    async def both():
        return await asyncio.gather(look_up("a.example", 443), look_up("a.example", 443))

    first, second = asyncio.run(both())
    assert list(first) == list(second) == ["10.0.0.1"]
    assert len(asked) <= 2
    assert asyncio.run(look_up("a.example", 443)) == ["10.0.0.1"]
    assert not look_up._asked  # and it is asked again each time
    assert len(asked) >= 2


def test_who_gives_up_does_not_spoil_it_for_the_others(monkeypatch):
    go = threading.Event()
    asked = []

    def slow(host, port, **_):
        asked.append(host)
        assert go.wait(30)
        return [(10, 1, 6, "", ("fe80::1", port, 0, 3)), (10, 1, 6, "", ("fd12::1", port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    look_up = lookup._SystemLookup()

    async def story():
        one = asyncio.create_task(look_up("a.example", 443))
        other = asyncio.create_task(look_up("a.example", 443))
        await asyncio.sleep(0)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        go.set()
        return await other

    assert asyncio.run(story()) == ["fe80::1%3", "fd12::1"]
    assert asked == ["a.example"]


def test_a_name_that_nobody_has_is_an_error_of_the_network(monkeypatch):
    def none(host, port, **_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", none)
    with pytest.raises(OSError, match="not known"):
        asyncio.run(lookup._SystemLookup()("a.example", 443))
