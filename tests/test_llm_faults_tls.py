"""The same over TLS: a certificate nobody vouches for is refused, and a connection can be ended at any moment."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.asking import KEY, MESSAGES, SCHEMA, WAYS, Way, ask, failing, the_model
from tests.servers import HANG, delta, head, playing, streamed

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="makes its certificate with the openssl command")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new key and a certificate for this machine that only those trust who are told to."""
    folder = tmp_path_factory.mktemp("tls")
    call = [str(OPENSSL), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2",
            "-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")]  # fmt: skip
    subprocess.run(call, check=True, capture_output=True)
    return folder / "certificate.pem"


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


@pytest.mark.parametrize("way", WAYS)
def test_a_certificate_nobody_vouches_for_is_refused_before_the_key_is_sent(way: Way, tls: ssl.SSLContext) -> None:
    with playing([head(), streamed("{}")], tls=tls) as server:
        error = failing(server.url, way)
        assert error.message == f"The certificate of {server.host} cannot be trusted."
        assert "SSL_CERT_FILE" in error.cure
        assert KEY.encode() not in b"".join(server.requests)


@pytest.mark.parametrize("way", WAYS)
def test_plain_http_to_a_tls_port_is_one_line(way: Way, tls: ssl.SSLContext) -> None:
    with playing([head(), streamed("{}")], tls=tls) as server:
        error = failing(server.url.replace("https", "http"), way)
        assert error.message == f"{server.host} broke the connection off before its reply was whole."


@pytest.mark.parametrize("way", WAYS)
def test_a_trusted_endpoint_is_read(
    way: Way, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with playing([head(), streamed('{"claims"', ": []}")], tls=tls) as server:
        assert ask(the_model(server.url), way) == '{"claims": []}'


def test_a_stream_over_tls_is_ended_when_it_is_closed_or_silent(
    tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with playing([head(), delta("{"), HANG], tls=tls) as server:
        pieces = the_model(server.url).stream_json(MESSAGES, SCHEMA)
        assert next(pieces) == "{"
        pieces.close()
        assert server.left.wait(5)
    with playing([head(), delta("{"), HANG], tls=tls) as server:
        error = failing(server.url, "stream", between_bytes_seconds=0.3)
        assert error.message == f"{server.host} fell silent for 0.3 s in the middle of its reply."
        assert server.left.wait(5)
