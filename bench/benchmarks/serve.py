"""A gateway's registry beside docker-registry, and nginx with the same blobs as plain files: time and memory."""

import json
import re
import ssl
import statistics
import subprocess
import urllib.error
import urllib.request

from harness.measure import Unavailable
from harness.rows import Row
from support.gateways import Gateway, write_store
from support.layouts import MANIFEST
from support.parties import Certificate, Daemon, MissingParty, Registry, free_port, program, skopeo_copy
from support.trees import incompressible

NAME = "registry.example.org/edge/sensor:1"
# What is asked for, how often, by how many clients at once.
LOADS = {"manifest": (1_000, 32), "1 MB layer": (500, 32), "1 MB layer, many clients": (500, 200), "50 MB layer": (20, 8)}

NGINX = """daemon off; worker_processes auto; user root; pid nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}{tls}; root {root}; }} }}
"""
TLS = "ssl; ssl_certificate {0.certificate}; ssl_certificate_key {0.key}"


class QuietRegistry(Registry):
    """Without an access log, which the others do not write either."""

    def _configuration(self):
        return {**super()._configuration(), "log": {"level": "error", "accesslog": {"disabled": True}}}


class Nginx(Daemon):
    name = "nginx"

    def __init__(self, root, certificate=None):
        super().__init__()
        self.root, self.certificate, self.port = root, certificate, free_port()

    def start(self):
        tls = " " + TLS.format(self.certificate) if self.certificate else ""
        (self.folder / "nginx.conf").write_text(NGINX.format(port=self.port, root=self.root, tls=tls))
        self.spawn("nginx", "-p", self.folder, "-c", self.folder / "nginx.conf")
        self.wait_until(lambda: connects(self.port))


def connects(port):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ssl.SSLError) as problem:
        return "refused" not in str(problem)
    return True


def seconds(scheme, port, path, requests, clients):
    accept = ["-H", f"Accept: {MANIFEST}"]  # without it docker-registry has no OCI manifests
    argv = [program("ab"), "-q", "-k", *accept, "-n", str(requests), "-c", str(clients), f"{scheme}://127.0.0.1:{port}{path}"]
    said = subprocess.run(argv, capture_output=True, text=True).stdout
    if "Time taken" not in said or re.search(r"Non-2xx|Failed requests:\s+[1-9]", said):
        raise Unavailable(f"port {port} did not answer {path}:\n{said}")
    return float(re.search(r"Time taken for tests:\s+([\d.]+)", said)[1])


def memory(daemon):
    """The most that was resident, of the process and its workers."""
    number = daemon.process.pid
    children = subprocess.run(["pgrep", "-P", str(number)], capture_output=True, text=True).stdout.split()
    total = 0
    for each in [str(number), *children]:
        with open(f"/proc/{each}/status") as status:
            total += int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) * 1024
    return total


def write_plain_files(layout, digest, root):
    """What nginx answers the same paths with."""
    blobs, manifests = root / "v2/edge/sensor/blobs", root / "v2/edge/sensor/manifests"
    blobs.mkdir(parents=True)
    manifests.mkdir()
    for blob in (layout.path / "blobs/sha256").iterdir():
        (blobs / f"sha256:{blob.name}").hardlink_to(blob)
    (manifests / "1").write_bytes(layout.blob(digest))


def alternating(bench, contenders, measure):
    """{name: median}, in turns, after a run that is not counted."""
    samples = {name: [] for name in contenders}
    for turn in range(bench.rounds + 1):
        for name in contenders if turn % 2 == 0 else list(reversed(contenders)):
            samples[name].append(measure(contenders[name]))
    return {name: statistics.median(values[1:]) for name, values in samples.items()}


def rows(bench):
    try:
        program("nginx"), program("ab"), program("docker-registry"), program("skopeo")
    except MissingParty as missing:
        raise Unavailable(str(missing)) from None
    layout, digests = write_store(bench.folder / "store", {
        NAME: {"bin/app": (incompressible(1_000_000), 0o755)},
        "registry.example.org/edge/large:1": {"bin/app": (incompressible(50_000_000, 1), 0o755)},
    })  # fmt: skip
    layers = {name.split("/")[2]: json.loads(layout.blob(digest))["layers"][0]["digest"] for name, digest in digests.items()}
    write_plain_files(layout, digests[NAME], bench.folder / "plain")
    paths = {
        "manifest": "/v2/edge/sensor/manifests/1",
        "1 MB layer": f"/v2/edge/sensor/blobs/{layers['sensor:1']}",
        "1 MB layer, many clients": f"/v2/edge/sensor/blobs/{layers['sensor:1']}",
        "50 MB layer": f"/v2/edge/sensor/blobs/{layers['large:1']}",
    }
    with Gateway(layout.path) as gateway, QuietRegistry() as registry, Nginx(bench.folder / "plain") as nginx:
        for name in digests:
            skopeo_copy(f"docker://{gateway.host}/{name.split('/', 1)[1]}", f"docker://{registry.host}/edge/sensor:{name.split('/')[2].replace(':', '')}")
        skopeo_copy(f"docker://{gateway.host}/edge/sensor:1", f"docker://{registry.host}/edge/sensor:1")
        ports = {"whittle": gateway.port, "docker-registry": int(registry.host.split(":")[1]), "nginx, 1 worker a core": nginx.port}
        for load, (requests, clients) in LOADS.items():
            medians = alternating(bench, ports, lambda port: seconds("http", port, paths[load], requests, clients))
            for peer in list(ports)[1:]:
                yield Row("serve", f"{requests} × {load}, {clients} clients", "s", medians["whittle"], peer, medians[peer])
        for peer, daemon in zip(list(ports)[1:], (registry, nginx), strict=True):
            yield Row("serve", "memory after that", "B", memory(gateway), peer, memory(daemon))
    with Gateway(layout.path, tls=True) as gateway, Nginx(bench.folder / "plain", Certificate(bench.folder, "nginx")) as nginx:
        ports = {"whittle": gateway.port, "nginx, 1 worker a core": nginx.port}
        requests, clients = LOADS["1 MB layer, many clients"]
        medians = alternating(bench, ports, lambda port: seconds("https", port, paths["1 MB layer"], requests, clients))
        peer = "nginx, 1 worker a core"
        yield Row("serve", f"{requests} × 1 MB layer with TLS, {clients} clients", "s", medians["whittle"], peer, medians[peer])
        yield Row("serve", "memory after that, with TLS", "B", memory(gateway), peer, memory(nginx))
