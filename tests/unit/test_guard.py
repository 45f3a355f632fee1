"""No spelling of a URL gets past the guard, though the list of hosts would allow every name."""

from __future__ import annotations

import asyncio
import ipaddress

import pytest

from placement.errors import BadInput
from placement.provision.guard import Guard

PUBLIC = "93.184.215.14"


async def public(host: str, port: int) -> tuple[str, ...]:
    """A DNS in which every name leads to a public address: the spelling alone decides."""
    return (PUBLIC,)


class Everything(Guard):
    """Allows every host that is spelled as it should be."""

    def _knows(self, host: str, *, exact: bool) -> bool:
        return True


def everything(*networks: str) -> Guard:
    return Everything(("any.example",), [ipaddress.ip_network(n) for n in networks], public)


def passes(guard: Guard, url: str) -> tuple[str, ...]:
    """Addresses that a URL gets through to. Raises BadInput."""
    return asyncio.run(guard.resolve(guard.check_url(url)))


IPV4_SPELLINGS = (
    # whole numbers, in every base
    *("https://2130706433/", "https://017700000001/", "https://0x7f000001/", "https://0x7F000001/"),
    *("https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f.0x0.0x0.0x1/", "https://127.1/"),
    *("https://127.0.1/", "https://127.0.0.01/", "https://127.0.0.001/", "https://127.0.0.0x1/"),
    *("https://0x7f.1/", "https://0177.1/", "https://00000177.0.0.1/", "https://127.0x1/"),
    *("https://127.0.0.1./", "https://127.0.0.1../", "https://.127.0.0.1/", "https://127..0.1/"),
    *("https://0/", "https://00/", "https://0x0/", "https://0x/", "https://0.0/", "https://0.0.0/"),
    *("https://2852039166/", "https://0xa9fea9fe/", "https://025177524776/"),
    *("https://169.254.43518/", "https://169.16689662/", "https://0251.0376.0251.0376/"),
    *("https://0xa9.0xfe.0xa9.0xfe/", "https://169.254.169.254./", "https://0xA9.254.169.254/"),
    *("https://1.1/", "https://1.1.1.1.1/", "https://256.256.256.256/", "https://127.0.0.256/"),
    *("https://4294967295/", "https://4294967296/", "https://8589934591/", "https://-1/"),
    *("https://3232235777/", "https://0xc0a80101/", "https://192.168.257/", "https://10.1/"),
    *("https://167772161/", "https://0xa000001/", "https://012.0.0.1/", "https://10.0.0.1.0x1/"),
    *("https://127.0.0.1e0/", "https://+127.0.0.1/", "https://127.0.0.+1/", "https://1_27.0.0.1/"),
    *("https://[127.0.0.1]/", "https://[2130706433]/", "https://[0x7f.1]/"),
)
ADDRESSES = (
    *("127.0.0.1", "127.255.255.254", "127.0.0.53", "0.0.0.0", "0.1.2.3", "10.0.0.1"),
    *("10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"),
    *("169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.169.253", "100.64.0.1"),
    *("100.127.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.0.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "198.19.255.255"),
    *("192.88.99.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("192.31.196.1", "192.52.193.1", "192.175.48.1", "254.1.2.3"),
    *("::", "::1", "::2", "fe80::1", "febf::1", "fec0::1", "feff::1", "fc00::1", "fd00:ec2::254"),
    *("fd12:3456::1", "fd20:ce::254", "fdff::1", "ff00::", "ff02::1", "ff05::2", "ff0e::1"),
    *("100::1", "2001:db8::1", "3fff::1", "2001::1", "2001:2::1", "2001:10::1", "2001:20::1"),
    *("2620:4f:8000::1", "5f00::1", "4000::1", "8000::1", "c000::1", "e000::1", "200::1"),
    # IPv4 inside: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:93.184.215.14"),
    *("::127.0.0.1", "::10.0.0.1", "::169.254.169.254", "::93.184.215.14", "::ffff:0:127.0.0.1"),
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254"),
    *("64:ff9b::93.184.215.14", "64:ff9b:1::7f00:1", "64:ff9b:1:a9fe:a9:fe00::"),
    *("2002:7f00:1::1", "2002:a00:1::1", "2002:a9fe:a9fe::1", "2002:5db8:d70e::1"),
    *("2001:0:0:0:0:0:80ff:fffe", "2001::5601:5601", "2001:0:4136:e378:8000:63bf:a247:28f1"),
    *("2a00:1450::5efe:7f00:1", "2a00:1450::200:5efe:a00:1", "2a00:1450::5efe:5db8:d70e"),
)
NOT_USUAL_IPV6 = (
    *("[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]", "[0::1]"),
    *("[::1%lo]", "[::1%25lo]", "[fe80::1%eth0]", "[fe80::1%251]", "[2606:4700:4700::1111%1]"),
    *("[2606:4700:4700:0::1111]", "[2606:4700:4700::01111]", "[2606:4700:4700::1111]."),
    *("[2606:4700:4700::1111", "2606:4700:4700::1111", "[[2606:4700:4700::1111]]", "[]", "[:]"),
    *("[2606:4700:4700:::1111]", "[2606:4700:4700::1111]x", "x[2606:4700:4700::1111]", "[v1.x]"),
    *("[2606:4700:4700::AbCd]", "[2606:4700:4700::g]", "[2606:4700:4700::1.1.1.1]"),
    *("[::FFFF:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0x7f.1]", "[::ffff:127.1]"),
)
UNICODE = (
    *("127。0。0。1", "127．0．0．1", "127｡0｡0｡1", "１２７.0.0.1", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.𝟎.𝟎.𝟏"),
    *(
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "ｌｏｃａｌｈｏｓｔ",
        "localhoſt",
        "loc\u00adalhost",
        "loc\u200balhost",
        "locaⅼhost",
    ),
    *("hooks.example。org", "hooks．example.org", "hooks.exam\u200dple.org", "hooks.exämple.org"),
    *(
        "hooks.exаmple.org",
        "hooks.example.org\u3002",
        "\ufeffhooks.example.org",
        "hooks.example.org\u200e",
    ),
    *("faß.example.org", "hooks.example.orgǃ", "hooks.example.org⁄x", "hooks.example.org／x"),
    *("hooks.example.org？x", "hooks.example.org＃x", "hooks.example.org＠evil.org"),
    *("hooks.example.org：80", "℀.example.org", "hooks.example.org\u2100.evil.org", "١٢٧.0.0.1"),
)
URLS = (
    # another scheme
    *("ftp://hooks.example.org/", "file:///etc/passwd", "gopher://hooks.example.org/_x"),
    *("ws://hooks.example.org/", "unix:///run/x.sock", "javascript:alert(1)", "data:,x"),
    *("http+unix://%2Frun%2Fx/", "HTTPS://hooks.example.org/", "hTTps://hooks.example.org/"),
    *("https:hooks.example.org", "https:/hooks.example.org/", "https:///hooks.example.org/"),
    *("//hooks.example.org/", "hooks.example.org", "hooks.example.org:443", "", " ", "https://"),
    *("https", "https:", "https:///", "://hooks.example.org", "https//hooks.example.org"),
    *("jar:https://hooks.example.org!/", "url:https://hooks.example.org/"),
    # a user
    *(
        "https://a@hooks.example.org/",
        "https://a:b@hooks.example.org/",
        "https://@hooks.example.org/",
    ),
    *("https://hooks.example.org@127.0.0.1/", "https://hooks.example.org:443@127.0.0.1/"),
    *("https://hooks.example.org%40127.0.0.1/", "https://127.0.0.1@hooks.example.org@evil.org/"),
    *("https://hooks.example.org&@127.0.0.1#@evil.org/", "https://:@hooks.example.org/"),
    # a fragment
    *("https://hooks.example.org/#", "https://hooks.example.org#", "https://hooks.example.org/a#b"),
    *("https://127.0.0.1#hooks.example.org", "https://evil.org#.example.org/"),
    # backslashes, blanks, controls
    *("https:\\\\hooks.example.org\\", "https://hooks.example.org\\@127.0.0.1/", "https://a\\b/"),
    *(
        "https://hooks.example.org/\\..",
        "https://127.0.0.1\\.example.org/",
        "\\\\hooks.example.org",
    ),
    *(
        " https://hooks.example.org/",
        "https://hooks.example.org/ ",
        "https://hooks.example.org/a b",
    ),
    *("https://hooks.example.org /", "https:// hooks.example.org/", "https://hooks .example.org/"),
    *(
        "https://hooks.example.org/\t",
        "https://hooks\t.example.org/",
        "ht\ttps://hooks.example.org/",
    ),
    *(
        "https://hooks.example.org\n",
        "https://hooks.example.org/\n",
        "https://hooks.example.org\r/",
    ),
    *(
        "https://hooks.example.org/\r\nHost: x",
        "https://127.0.0.1\r\n.example.org/",
        "\nhttps://a.b/",
    ),
    *(
        "https://hooks.example.org\x00.evil.org/",
        "https://hooks.example.org/\x00",
        "https://a\x7f.b/",
    ),
    *("https://hooks.example.org/\x1b", "https://hooks.example.org/\x85", "https://a.b/\u2028"),
    *("https://hooks.example.org/\u00a0", "https://hooks.example.org/é", "https://a.b/?q=\ud800"),
    # escapes
    *("https://%31%32%37.0.0.1/", "https://127%2e0%2e0%2e1/", "https://hooks%2Eexample.org/"),
    *("https://hooks.example.org%2f@evil.org/", "https://%68ooks.example.org/", "https://%00/"),
    *("https://hooks.example.org%00/", "https://hooks.example.org%0d%0a/", "https://%e2%91%a0/"),
    *(
        "https://hooks.example.org/%",
        "https://hooks.example.org/%2",
        "https://hooks.example.org/%zz",
    ),
    # ports
    *(
        "https://hooks.example.org:0/",
        "https://hooks.example.org:00/",
        "https://hooks.example.org:/",
    ),
    *("https://hooks.example.org:65536/", "https://hooks.example.org:99999/", "https://a.b:1e3/"),
    *("https://hooks.example.org:443443/", "https://hooks.example.org:-1/", "https://a.b:+443/"),
    *("https://hooks.example.org:0443/", "https://hooks.example.org:443x/", "https://a.b:٤٤٣/"),
    *(
        "https://hooks.example.org:443:443/",
        "https://hooks.example.org: 443/",
        "https://a.b:0x1bb/",
    ),
    *("https://:443/", "https://hooks.example.org:http/", "https://a.b:18446744073709551617/"),
    # hosts
    *("https://HOOKS.example.org/", "https://Hooks.Example.Org/", "https://hooks.example.ORG/"),
    *("https://hooks.example.org./", "https://hooks.example.org../", "https://.hooks.example.org/"),
    *("https://hooks..example.org/", "https://-hooks.example.org/", "https://hooks-.example.org/"),
    *("https://hooks_.example.org/", "https://*.example.org/", "https://./", "https://../"),
    *(f"https://{'a' * 64}.example.org/", f"https://{'a.' * 130}org/", f"https://a.b/{'a' * 2000}"),
    *("https://hooks.example.org,evil.org/", "https://hooks.example.org;evil.org/", "https://a=b/"),
    *("https://hooks.example.org!evil.org/", "https://(hooks.example.org)/", "https://'a'.b/"),
    *('https://hooks.example.org/"', "https://hooks.example.org/<x>", "https://a.b/{x}"),
    *("https://hooks.example.org/`", "https://hooks.example.org/^", "https://hooks.example.org/|"),
    *("https://hooks.example.org/[", "https://hooks.example.org?x", "https://a.b?x=/"),
    # names of metadata services
    *("https://metadata.google.internal/", "https://metadata.google.internal/computeMetadata/v1/"),
    *("https://metadata/", "https://metadata.goog/", "https://instance-data/"),
    *("https://instance-data.ec2.internal/", "https://metadata.azure.internal/"),
    # plain http, while no network is allowed for it
    *("http://hooks.example.org/", "http://93.184.215.14/", "http://127.0.0.1/"),
)
SPELLINGS = (
    *IPV4_SPELLINGS,
    *(f"https://[{a}]/" if ":" in a else f"https://{a}/" for a in ADDRESSES),
    *(f"https://{host}/" for host in (*NOT_USUAL_IPV6, *UNICODE)),
    *URLS,
)


@pytest.mark.parametrize("url", SPELLINGS, ids=ascii)
def test_no_spelling_gets_through_though_every_host_is_allowed(url):
    with pytest.raises(BadInput) as refused:
        passes(everything(), url)
    assert refused.value.defects[0].message
    assert len(refused.value.defects[0].message) < 250


def test_there_are_more_than_enough_spellings_each_once():
    assert len(SPELLINGS) == len(set(SPELLINGS))
    assert len(SPELLINGS) >= 150


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_that_leads_to_it_is_refused(address):
    async def rogue(host: str, port: int) -> tuple[str, ...]:
        return (address,)

    with pytest.raises(BadInput, match="address that is refused"):
        passes(Guard(("hooks.example.org",), (), rogue), "https://hooks.example.org/")


@pytest.mark.parametrize(
    "answers",
    [
        (PUBLIC, "127.0.0.1"),
        ("127.0.0.1", PUBLIC),
        (PUBLIC, "2606:4700:4700::1111", "fe80::1"),
        ("fe80::1%eth0",),
        ("fe80::1%2",),
        ("2606:4700:4700::1111%2",),
        ("not an address",),
        ("127.1",),
        ("",),
    ],
)
def test_one_address_that_is_refused_refuses_them_all(answers):
    async def mixed(host: str, port: int) -> tuple[str, ...]:
        return answers

    with pytest.raises(BadInput):
        passes(Guard(("hooks.example.org",), (), mixed), "https://hooks.example.org/")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil-example.org/",
        "https://evilexample.org/",
        "https://example.org/",
        "https://example.org.evil.org/",
        "https://hooks.example.org.evil.org/",
        "https://hooks.example.orgevil.org/",
        "https://hooks-example.org/",
        "https://hooks.example.com/",
        "https://evil.org/hooks.example.org",
        "https://evil.org/?https://hooks.example.org/",
        "https://xn--hks-2qaa.example.org/",
        "https://a.xn--hks-2qaa.example.org/",
        "https://org/",
        "https://localhost/",
        "https://exact.org.example.org.com/",
        "https://a.exact.org/",
        "https://93.184.215.14/",
        "https://[2606:4700:4700::1111]/",
    ],
)
def test_a_host_that_only_looks_allowed_is_refused(url):
    with pytest.raises(BadInput, match="PLACEMENT_WEBHOOK_HOSTS does not allow this host"):
        passes(Guard(("exact.org", "*.example.org"), (), public), url)


@pytest.mark.parametrize(
    ("url", "host", "port", "rest"),
    [
        ("https://hooks.example.org", "hooks.example.org", 443, "/"),
        ("https://hooks.example.org/", "hooks.example.org", 443, "/"),
        (
            "https://hooks.example.org:65535/a/b?c=d&e=/?",
            "hooks.example.org",
            65535,
            "/a/b?c=d&e=/?",
        ),
        ("https://a.b.example.org:443/%7Ea", "a.b.example.org", 443, "/%7Ea"),
        ("https://xn--hks-2qaa.org/", "xn--hks-2qaa.org", 443, "/"),
    ],
)
def test_a_plain_url_of_an_allowed_host_passes(url, host, port, rest):
    guard = Guard(("*.example.org", "xn--hks-2qaa.org"), (), public)
    target = guard.check_url(url)
    assert (target.host, target.port, target.path_and_query) == (host, port, rest)
    assert asyncio.run(guard.resolve(target)) == (PUBLIC,)


def test_an_address_that_is_public_passes_where_the_list_has_it():
    guard = Guard(("93.184.215.14", "2606:4700:4700::1111"))
    assert passes(guard, "https://93.184.215.14/") == (PUBLIC,)
    assert passes(guard, "https://[2606:4700:4700::1111]:8443/") == ("2606:4700:4700::1111",)
    assert (
        guard.check_url("https://[2606:4700:4700::1111]/").url
        == "https://[2606:4700:4700::1111]:443/"
    )


def test_an_address_is_below_no_name():
    guard = Guard(("*.184.215.14", "*.example.org"), (), public)
    with pytest.raises(BadInput, match="does not allow this host"):
        passes(guard, "https://93.184.215.14/")


def test_without_a_setting_nothing_is_allowed_and_the_reason_names_it():
    with pytest.raises(BadInput, match="until PLACEMENT_WEBHOOK_HOSTS allows a host"):
        Guard().check_url("https://hooks.example.org/")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("10.1.2.3", "10.1.0.0/16"),
        ("169.254.1.1", "169.254.0.0/16"),
        ("::1", "::1/128"),
        ("fd12::1", "fd12::/48"),
        ("fe80::1", "fe80::/10"),
    ],
)
def test_a_network_is_allowed_for_https_and_http(address, network):
    host = f"[{address}]" if ":" in address else address
    for scheme in ("https", "http"):
        assert passes(everything(network), f"{scheme}://{host}/") == (address,)


def test_http_is_for_allowed_networks_alone_whatever_the_name_says():
    guard = Guard(("hooks.example.org", PUBLIC), [ipaddress.ip_network("10.0.0.0/8")], public)
    for url in ("http://hooks.example.org/", f"http://{PUBLIC}/"):
        with pytest.raises(BadInput, match="https is expected outside PLACEMENT_WEBHOOK_NETWORKS"):
            passes(guard, url)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("169.254.169.254", "169.254.0.0/16"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("100.100.100.200", "0.0.0.0/0"),
        ("fd00:ec2::254", "fd00::/8"),
        ("0.0.0.0", "0.0.0.0/0"),
        ("::", "::/0"),
        ("ff02::1", "::/0"),
        ("224.0.0.1", "0.0.0.0/0"),
        ("255.255.255.255", "0.0.0.0/0"),
        ("127.0.0.1", "10.0.0.0/8"),
        ("11.0.0.1", "10.0.0.0/8"),
        # the address that is carried inside must be allowed, too
        ("::ffff:7f00:1", "::/0"),
        ("64:ff9b::a00:1", "64:ff9b::/96"),
        ("2002:a9fe:a9fe::1", "2002::/16"),
        ("64:ff9b:1::1", "::/0"),
        # a mapped address is no other name for an allowed one
        ("::ffff:7f00:1", "127.0.0.0/8"),
    ],
)
def test_a_network_allows_no_more_than_itself(address, network):
    async def private(host: str, port: int) -> tuple[str, ...]:
        return (address,)

    guard = Guard(("hooks.example.org",), [ipaddress.ip_network(network)], private)
    with pytest.raises(BadInput):
        passes(guard, "http://hooks.example.org/")


def test_an_ipv6_only_city_can_allow_its_translator():
    async def translated(host: str, port: int) -> tuple[str, ...]:
        return ("64:ff9b::5db8:d70e",)

    guard = Guard(("hooks.example.org",), [ipaddress.ip_network("64:ff9b::/96")], translated)
    assert passes(guard, "https://hooks.example.org/") == ("64:ff9b::5db8:d70e",)


def test_a_name_without_addresses_is_an_error_of_the_network():
    async def nothing(host: str, port: int) -> tuple[str, ...]:
        return ()

    with pytest.raises(OSError, match="no address"):
        passes(Guard(("hooks.example.org",), (), nothing), "https://hooks.example.org/")
