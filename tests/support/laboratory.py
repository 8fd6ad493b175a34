"""The laboratory's registry (tests/lab) as a program beside the tests."""

import json
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from support.case import ROOT, whittle_program
from support.parties import MissingParty, basic_credentials

USER = "ci-bot"
PASSWORD = "correct horse/battery:staple"


def laboratory_program():
    """Built beside whittle, or in one of the usual build folders."""
    for folder in (whittle_program().parent, *(ROOT / "build" / preset for preset in ("ci", "dev", "lab", "bench"))):
        program = folder / "tests/lab/registry"
        if program.is_file():
            return program
    raise MissingParty("tests/lab/registry is not built; build the target lab_registry")


class Laboratory:
    """Serves while it is entered. `arguments` are the program's, as in tests/lab/README.md."""

    def __init__(self, *arguments):
        self.arguments = [str(argument) for argument in arguments]

    def __enter__(self):
        argv = [str(laboratory_program()), *self.arguments]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.host = self.process.stdout.readline().strip()
        if not self.host:
            raise RuntimeError(f"{' '.join(argv)} did not start")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def requests(self):
        """What came so far: dicts of method, path, query, status, received, sent and fault."""
        return json.load(self._ask("GET", "requests"))

    def digest(self, repository, tag):
        """Of what the tag names, or None."""
        types = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
        request = urllib.request.Request(f"http://{self.host}/v2/{repository}/manifests/{tag}", headers={"Accept": types})
        try:
            return urllib.request.urlopen(request, timeout=30).headers["Docker-Content-Digest"]
        except urllib.error.HTTPError:
            return None

    def problem(self):
        """What is behind a tag and not complete, or damaged; empty when all is well."""
        return self._ask("GET", "problem").read().decode()

    def clear(self):
        """No repository is left."""
        self._ask("DELETE", "repositories")

    def forget(self):
        self._ask("DELETE", "requests")

    def inject(self, *rules):
        self._ask("POST", "faults", "\n".join(rules).encode())

    def end_faults(self):
        self._ask("DELETE", "faults")

    def _ask(self, method, what, data=None):
        return urllib.request.urlopen(urllib.request.Request(f"http://{self.host}/lab/{what}", data=data, method=method), timeout=30)

    def docker_config(self, folder):
        """Credentials as `docker login` leaves them."""
        path = Path(folder) / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"auths": {self.host: {"auth": basic_credentials(USER, PASSWORD)}}}))
        return path
