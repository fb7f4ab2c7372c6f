"""Certificates of a test's own, and servers' sides of TLS that show them."""
import ssl
import subprocess

CA = """[ca]
default_ca = own
[own]
new_certs_dir = .
database = index.txt
serial = serial.txt
default_md = sha256
policy = any
x509_extensions = server
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[server]
subjectAltName = {name}
"""


def certificate(folder, name="IP:127.0.0.1", ends="20500101000000Z"):
    """Self-signed. Gives its file, which makes it trusted, and the server's context."""
    folder.mkdir(exist_ok=True)
    (folder / "ca.cnf").write_text(CA.format(name=name))
    (folder / "index.txt").write_text("")
    (folder / "serial.txt").write_text("01\n")

    def openssl(*args):
        subprocess.run(["openssl", *args], check=True, capture_output=True, cwd=folder)

    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out",
            "request.pem", "-subj", "/CN=a test", "-config", "ca.cnf")
    openssl("ca", "-batch", "-selfsign", "-notext", "-config", "ca.cnf", "-keyfile", "key.pem",
            "-in", "request.pem", "-out", "cert.pem", "-startdate", "20200101000000Z",
            "-enddate", ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return folder / "cert.pem", context


PAST = "20200102000000Z"
