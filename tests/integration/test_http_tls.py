"""HTTPS: who is trusted, by which name, and that everything else is refused."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from harness.fetchd import Config, Fetchd
from harness.upstream import CLOSE, HANG, RESET, Upstream, drip, ok, raw
from harness.wait import wait_until
from harness.wire import Client


def _openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@dataclass
class Authority:
    """A certificate authority in a directory of its own."""

    home: Path

    @property
    def cert(self) -> Path:
        return self.home / "ca.pem"

    def create(self, name: str) -> "Authority":
        """Its own key and certificate."""
        self.home.mkdir()
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-keyout", str(self.home / "ca.key"), "-out", str(self.cert),
            "-days", "2", "-subj", f"/CN={name}",
        )  # fmt: skip
        return self

    def server(self, names: str, days: str = "2") -> ssl.SSLContext:
        """A context whose certificate is for these names: "DNS:a,IP:127.0.0.1"."""
        key, request, cert, extra = (
            str(self.home / f"server.{end}") for end in ("key", "csr", "pem", "ext")
        )
        Path(extra).write_text(f"subjectAltName={names}\n")
        _openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", request, "-subj", "/CN=localhost",
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", request, "-CA", str(self.cert), "-CAkey",
            str(self.home / "ca.key"), "-CAcreateserial", "-out", cert, "-days", days,
            "-extfile", extra,
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The one that the tests trust."""
    return Authority(tmp_path_factory.mktemp("tls") / "ours").create("ours")


@pytest.fixture
def https(
    authority: Authority,
    start_upstream: Callable[..., Upstream],
    start_fetchd: Callable[..., Fetchd],
) -> Callable[..., tuple[Upstream, Client]]:
    """https(context, host=..., option=...): an upstream, and a client of fetchd."""

    def start(
        context: ssl.SSLContext, host: str = "localhost", **more: Any
    ) -> tuple[Upstream, Client]:
        up = start_upstream(tls=context)
        up.answer = lambda r: [ok({"t": r.target})]
        source = {
            "url": f"https://{host}:{up.port}/{{id}}", "fresh": "0",
            "ca_file": str(authority.cert), "connect_timeout": "1s", **more,
        }  # fmt: skip
        config = Config(sources={"stock": source}, top={"workers": 1})
        return up, start_fetchd(config).client()

    return start


Https = Callable[..., tuple[Upstream, Client]]


def trouble(client: Client) -> str:
    """What the `sources` line says of the last failure."""
    client.send(b"sources\r\n")
    return client.lines_until(b"END")[0].decode()


def test_a_certificate_for_the_name(authority: Authority, https: Https) -> None:
    """Trusted; connections are kept; the name is announced (SNI)."""
    context = authority.server("DNS:localhost")
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    up, client = https(context, connections=2)
    for _ in range(5):
        assert client.fetch(1, 2, 3, 4).items == 4
    assert up.connects == 2
    assert names == ["localhost"] * 2


def test_a_certificate_for_the_address(authority: Authority, https: Https) -> None:
    """No SNI for an address."""
    context = authority.server("IP:127.0.0.1")
    names: list[str | None] = []
    context.sni_callback = lambda sock, name, ctx: names.append(name)
    _, client = https(context, host="127.0.0.1")
    assert client.fetch(1).items == 1
    assert names == [None]


@pytest.mark.parametrize(
    "names, host",
    [
        ("DNS:other.example", "localhost"),
        ("DNS:localhost.example", "localhost"),
        ("DNS:localhost", "127.0.0.1"),
        ("IP:127.0.0.2", "127.0.0.1"),
        ("DNS:127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_certificate_for_somebody_else(
    authority: Authority, https: Https, names: str, host: str
) -> None:
    """Nothing is asked of a host that cannot show its name."""
    up, client = https(authority.server(names), host=host)
    assert client.fetch(1).shorts == ["FAIL upstream"]
    assert "mismatch" in trouble(client)
    assert not up.requests


def test_a_certificate_by_somebody_else(tmp_path: Path, https: Https) -> None:
    """Of the same name, signed by an authority that nobody trusts."""
    other = Authority(tmp_path / "theirs").create("ours")
    up, client = https(other.server("DNS:localhost"))
    assert client.fetch(1).shorts == ["FAIL upstream"]
    assert "certificate" in trouble(client)
    assert not up.requests


def test_an_expired_certificate(authority: Authority, https: Https) -> None:
    """Ended yesterday."""
    up, client = https(authority.server("DNS:localhost", days="-1"))
    assert client.fetch(1).shorts == ["FAIL upstream"]
    assert "expired" in trouble(client)
    assert not up.requests


def test_the_systems_authorities_are_the_default(
    authority: Authority, https: Https
) -> None:
    """Which ours is not among."""
    _, client = https(authority.server("DNS:localhost"), ca_file="")
    assert client.fetch(1).shorts == ["FAIL upstream"]


def test_verification_can_be_given_up(tmp_path: Path, https: Https) -> None:
    """By a word of the operator, and only so."""
    other = Authority(tmp_path / "theirs").create("theirs")
    _, client = https(other.server("DNS:other"), verify="no")
    assert client.fetch(1).items == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_are_refused(authority: Authority, https: Https) -> None:
    """Nothing before TLS 1.2; 1.2 itself is fine."""
    context = authority.server("DNS:localhost")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    _, client = https(context)
    assert client.fetch(1).shorts == ["FAIL upstream"]
    context = authority.server("DNS:localhost")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    _, client = https(context)
    assert client.fetch(1, 2, 3).items == 3


def test_faults_over_tls(authority: Authority, https: Https) -> None:
    """The same as without: hangs, resets, a byte at a time, a cut body."""
    up, client = https(authority.server("DNS:localhost"), breaker_failures=1000, retries=0)
    for steps, code in (
        ([HANG], "FAIL timeout"),
        ([b"HTTP/1.1 200 OK\r\nContent-Le", HANG], "FAIL timeout"),
        ([RESET], "FAIL upstream"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", RESET], "FAIL upstream"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", CLOSE], "FAIL upstream"),
        (drip(raw(b'{"a":1}'), 0.0005), "ITEM"),
        ([raw(b'{"a":"' + b"x" * 300000 + b'"}')], "ITEM"),
        ([raw(b"{}", headers=["Connection: close"]), CLOSE], "ITEM"),
    ):
        up.answer = lambda r, steps=steps: steps
        answer = client.fetch(1, 2, 3, options=b"deadline=300")
        assert answer.shorts == [code] * 3, steps
    up.answer = lambda r: [ok({})]
    assert client.fetch(*range(50)).items == 50


def test_no_tls_at_all(
    authority: Authority,
    start_upstream: Callable[..., Upstream],
    start_fetchd: Callable[..., Fetchd],
) -> None:
    """A plain server where TLS is expected, and the other way round."""
    plain, tls = start_upstream(), start_upstream(tls=authority.server("DNS:localhost"))
    config = Config(
        sources={
            "a": {"url": f"https://localhost:{plain.port}/{{id}}", "fresh": "0"},
            "b": {"url": f"http://localhost:{tls.port}/{{id}}", "fresh": "0"},
        },
        top={"workers": 1},
    )
    client = start_fetchd(config).client()
    answer = client.fetch("a:1", "b:1", options=b"deadline=2000")
    assert answer.shorts == ["FAIL upstream"] * 2


def test_a_ca_file_that_is_none_refuses_the_start(
    start_fetchd: Callable[..., Fetchd], tmp_path: Path
) -> None:
    """With one sentence."""
    (tmp_path / "ca.pem").write_text("nothing\n")
    source = {"url": "https://localhost/{id}", "ca_file": str(tmp_path / "ca.pem")}
    server = start_fetchd(Config(sources={"stock": source}), ready=False)
    server.expected_exit = None
    server.allowed_errors.append("ca_file cannot be read")
    wait_until(server.exited, 10, "the end")
    assert server.exit_code not in (0, None)
    assert "ca_file cannot be read" in server.log()
