"""TLS with certificates that were given, for an app on a real engine."""
import shutil
import socket
import ssl

import pytest

from certs import PAST, certificate
from node import free_port
from other_app import Site, wait_for

pytestmark = pytest.mark.plain  # it is the Swarm that takes the time

HOST = "tls.example.org"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not there: tools/deps.sh test")
    made = Site(tmp_path_factory.mktemp("tls"))
    made.https = free_port()
    yield made
    made.close()


def make(site, name, **more):
    certificate(site.folder / name, f"DNS:{HOST}", **more)
    return {"certificate": f"../{name}/cert.pem", "key": f"../{name}/key.pem"}


def shown(site):
    """The certificate that the gateway shows, and what the app answers behind it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", site.https), timeout=10) as s, \
                context.wrap_socket(s, server_hostname=HOST) as tls:
            tls.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            said = b""
            while data := tls.recv(65536):
                said += data
            return ssl.DER_cert_to_PEM_cert(tls.getpeercert(True)), said.split(b"\r\n")[0]
    except (OSError, ssl.SSLError) as e:
        return None, str(e)


def wait_shown(site, name):
    pem = (site.folder / name / "cert.pem").read_text().split("-----BEGIN")[-1].strip()
    wait_for(f"{name} is shown", lambda: (lambda got: got[0] and pem in got[0] and b" 200 " in got[1])(shown(site)))


@pytest.mark.parametrize("how, why", [
    ("expired", "has expired"),
    ("strange", "does not fit its key"),
    ("text", "is no certificate in PEM form"),
    ("gone", "cannot be read: No such file"),
    ("name", "is not for the name 'other.example.org'"),
    ("key", "no private key in PEM form"),
])
def test_what_cannot_be_shown_is_refused(site, how, why):
    tls = make(site, how, **({"ends": PAST} if how == "expired" else {}))
    if how == "strange":
        tls["key"] = make(site, "strange-too")["key"]
    elif how in ("text", "key"):
        (site.folder / how / ("cert.pem" if how == "text" else "key.pem")).write_text("hello\n")
    elif how == "gone":
        tls["key"] = "nowhere.pem"
    hosts = ["other.example.org"] if how == "name" else [HOST]
    said = site.deploy(site.write("secure", hostnames=hosts, tls=tls), code=1)
    assert why in said and "deploy.yaml" in said and len(said.splitlines()) == 1, said
    assert site.engine.json("GET", "/secrets") == []


def test_a_certificate_wants_a_port(site):
    path = site.write("secure", hostnames=[HOST], tls=make(site, "first"))
    said = site.maya("deploy", "-f", path, "--http", str(site.port), code=1)
    assert "--https=443" in said
    assert site.engine.json("GET", "/secrets") == []


def test_a_first_one_that_is_not_ready_leaves_no_key(site):
    path = site.write("never", ready=False, hostnames=[HOST], tls=make(site, "first"),
                      health={"path": "/", "ready": "/ready", "within": 3})
    site.deploy(path, code=1)
    assert site.engine.json("GET", "/secrets") == []
    site.maya("app", "stop", "never", "-y", code=1)


def test_https_with_the_certificate_that_was_given(site):
    site.deploy(site.write("secure", hostnames=[HOST], tls=make(site, "first")))
    wait_shown(site, "first")
    wait_for("plain HTTP leads there", lambda: site.ask(HOST, "/a?b=c")[0] == 308)
    assert site.ask(HOST, "/a?b=c")[1]["Location"] == f"https://{HOST}:{site.https}/a?b=c"
    assert site.maya("app", "dashboard", "secure") == f"https://{HOST}:{site.https}\n"


def test_another_certificate_takes_its_place(site):
    tls = make(site, "second")
    assert "nothing changed" not in site.deploy(site.write("secure", hostnames=[HOST], tls=tls))
    wait_shown(site, "second")
    # Plain HTTP is served as well where the app wants it.
    site.deploy(site.write("secure", hostnames=[HOST], tls={**tls, "http": "serve"}))
    wait_for("HTTP too", lambda: site.ask(HOST)[0] == 200)
    site.deploy(site.write("secure", hostnames=[HOST], tls=tls))
    # The same paths with another certificate: no new version, and it is shown all the same.
    make(site, "second")
    assert "nothing changed" in site.deploy(site.write("secure", hostnames=[HOST], tls=tls))
    wait_shown(site, "second")
    assert len(site.engine.json("GET", "/secrets")) == 1  # those before are deleted


def test_no_key_is_to_be_seen(site):
    keys = [(p.read_text().splitlines()[5]) for p in site.folder.glob("second/key.pem")]
    for row in site.engine.json("GET", "/services") + site.engine.json("GET", "/configs"):
        assert not any(k in str(row) for k in keys)
    assert not any(k in site.state() for k in keys)


def test_dropped(site):
    site.deploy(site.write("secure", hostnames=[HOST]))
    wait_for("it is shown no more", lambda: shown(site)[0] is None)
    wait_for("HTTP goes on", lambda: site.ask(HOST)[0] == 200)


def test_a_version_that_is_taken_back_has_changed_nothing(site):
    site.deploy(site.write("secure", hostnames=[HOST], tls=make(site, "third")))
    wait_shown(site, "third")
    keeper = site.engine.json("GET", "/services/maya-keeper")["Spec"]
    secrets = site.engine.json("GET", "/secrets")
    bad = site.write("secure", ready=False, hostnames=[HOST], tls=make(site, "fourth"),
                     health={"path": "/", "ready": "/ready", "within": 3})
    assert "is taken back" in site.deploy(bad, code=1)
    assert site.engine.json("GET", "/services/maya-keeper")["Spec"] == keeper
    assert site.engine.json("GET", "/secrets") == secrets
    wait_shown(site, "third")


def test_one_that_waits_shows_its_own_once_it_is_promoted(site):
    path = site.write("secure", says="green", hostnames=[HOST], tls=make(site, "fifth"))
    site.deploy(path, "--strategy", "blue-green")
    wait_shown(site, "third")
    site.maya("app", "promote", "secure")
    wait_shown(site, "fifth")


def test_back_to_a_version_that_had_one(site):
    site.deploy(site.write("secure", hostnames=[HOST]))
    wait_for("it is shown no more", lambda: shown(site)[0] is None)
    site.maya("app", "rollback", "secure")
    wait_shown(site, "fifth")
    # It stays over a stop, for who starts it again.
    site.maya("app", "stop", "secure", "-y")
    site.maya("app", "rollback", "secure")
    wait_shown(site, "fifth")
    assert len(site.engine.json("GET", "/secrets")) == 1
