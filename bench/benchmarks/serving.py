"""The file server of static sites beside nginx: the time of many requests, and memory while they run."""

import random
import re
import socket
import statistics
import subprocess

from harness.measure import Unavailable
from harness.rows import Row
from support.layouts import Layout
from support.parties import Daemon, MissingParty, free_port, program

REQUESTS, CLIENTS = 20_000, 32
FILES = {"small": 1_000, "page": 30_000, "large": 1_000_000}

NGINX = """daemon off; worker_processes 1; user root; pid nginx.pid; error_log stderr;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  server {{ listen 127.0.0.1:{port}; root {root}; }} }}
"""


class Server(Daemon):
    def __init__(self, name, root, binary=None):
        super().__init__()
        self.name, self.root, self.binary, self.port = name, root, binary, free_port()

    def start(self):
        if self.binary:
            self.spawn(self.binary, "--digests", self.root.parent / "etc/site.digests", self.root, env={"PORT": str(self.port)})
        else:
            (self.folder / "nginx.conf").write_text(NGINX.format(port=self.port, root=self.root))
            self.spawn("nginx", "-p", self.folder, "-c", self.folder / "nginx.conf")
        self.wait_until(self.answers)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def seconds(self, path, requests):
        said = subprocess.run(
            [program("ab"), "-q", "-k", "-n", str(requests), "-c", str(CLIENTS), f"http://127.0.0.1:{self.port}/{path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        if re.search(r"Non-2xx|Failed requests:\s+[1-9]", said):
            raise Unavailable(f"{self.name} did not answer:\n{said}")
        return float(re.search(r"Time taken for tests:\s+([\d.]+)", said)[1])

    def memory(self):
        """The most that was resident, of the process and its workers."""
        number = self.process.pid
        children = subprocess.run(["pgrep", "-P", str(number)], capture_output=True, text=True).stdout.split()
        total = 0
        for each in [str(number), *children]:
            with open(f"/proc/{each}/status") as status:
                total += int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) * 1024
        return total


def rows(bench):
    tree = bench.folder / "site"
    tree.mkdir()
    noise = random.Random(1)
    for name, size in FILES.items():
        (tree / f"{name}.bin").write_bytes(noise.randbytes(size))
    (tree / "index.html").write_text("<p>x</p>")
    digest = bench.run_whittle("build", tree).strip().partition("@")[2]
    root = Layout(bench.whittle_environment()["WHITTLE_STORE"]).image(digest).unpack(bench.folder / "root")
    try:
        program("nginx"), program("ab")
    except MissingParty as missing:
        raise Unavailable(str(missing)) from None
    with Server("whittle", root / "srv", root / "bin/static-server") as ours, Server("nginx", root / "srv") as theirs:
        for name, size in FILES.items():
            requests = REQUESTS if size < 100_000 else REQUESTS // 20
            samples = {ours: [], theirs: []}
            for turn in range(bench.rounds + 1):
                for server in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
                    samples[server].append(server.seconds(f"{name}.bin", requests))
            mine, nginx = (statistics.median(samples[server][1:]) for server in (ours, theirs))
            yield Row("serving", f"{requests} requests of {size} B, {CLIENTS} clients", "s", mine, "nginx, 1 worker", nginx)
        yield Row("serving", "memory after that", "B", ours.memory(), "nginx, 1 worker", theirs.memory())
