"""docker-registry on loopback, and what is pushed to it before a benchmark begins."""

import time

from harness.images import write_layout
from harness.measure import Failed, Unavailable
from support.parties import MissingParty, PartyFailed, Registry, skopeo_copy


class EmptyBase:
    """A registry with one image without layers, for tools that must have a base."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        write_layout(self.folder, 0, "empty")
        try:
            self.registry = Registry().__enter__()
            self.reference = f"{self.registry.host}/empty:latest"
            skopeo_copy(f"oci:{self.folder}:empty", f"docker://{self.reference}")
        except MissingParty as missing:
            raise Unavailable(str(missing)) from None
        return self

    def __exit__(self, *_):
        self.registry.stop()


class Distribution3(Registry):
    """The next version of docker-registry, from the Go module proxy."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def spawn(self, *argv, env=None):
        super().spawn(self.path, *argv[1:], env={**(env or {}), "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"})


class CountingRegistry:
    """Tells how many requests each of several commands caused, by the registry's own access log."""

    def __init__(self, make=Registry):
        self.make = make

    def __enter__(self):
        try:
            self.registry = self.make().__enter__()
        except (MissingParty, PartyFailed) as failure:
            raise Unavailable(str(failure)) from None
        self.host = self.registry.host
        self.seen = 0
        return self

    def __exit__(self, *_):
        self.registry.stop()

    def requests_of(self, action):
        """The requests since the last call, once the log has come to rest."""
        try:
            action()
        except (MissingParty, PartyFailed) as failure:
            raise Failed(str(failure)) from None
        before = self.seen
        while True:
            time.sleep(0.2)
            now = self.registry.requests()
            if len(now) == self.seen:
                return now[before:]
            self.seen = len(now)
