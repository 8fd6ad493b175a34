"""How often a client talks to the registry, by the registry's own log: a round trip is what a slow line charges for."""

from collections import Counter

from harness import clients
from harness.images import write_layout
from harness.measure import Failed
from harness.registries import CountingRegistry, Distribution3
from harness.rows import Bar, Row
from support.parties import Registry

LAYERS = 10
BLOBS = LAYERS + 1

# Operation → the repository and tag that it pushes to, and the most requests that are allowed.
OPERATIONS = {
    "first push": ("team/app", "1", 2 * BLOBS + 2),
    "no-op push": ("team/app", "1", 1),
    "new tag": ("team/app", "2", 2),
    "other repository": ("team/other", "1", BLOBS + 3),
}


def rows(bench):
    layout = bench.folder / "image"
    write_layout(layout, LAYERS, "app")
    found = [client for client in clients.all_clients(bench) if client.name != "skopeo --retry-times 3"]
    yield from rows_against(bench, found, layout, "docker-registry 2.8", Registry)
    with bench.part("requests to distribution 3"):
        path = bench.peer("registry")
        yield from rows_against(bench, found, layout, "distribution 3", lambda: Distribution3(path))


def rows_against(bench, found, layout, registry, make):
    counted = {}
    for client in found:
        with bench.part(f"requests {client.name}, {registry}"):
            counted[client.name] = counts(bench.folder / registry.replace(" ", "-"), client, layout, make)
    ours = counted.pop("whittle", None)
    if ours is None:
        return
    for operation, (_, _, most) in OPERATIONS.items():
        peers = {peer: sum(by_operation[operation].values()) for peer, by_operation in counted.items()}
        best = min(peers, key=peers.get, default="")
        yield Row(
            "requests",
            f"{operation}, {BLOBS} blobs, {registry}",
            "requests",
            sum(ours[operation].values()),
            best,
            peers.get(best),
            Bar(most, of_ratio=False),
            note=", ".join(f"{peer} {count}" for peer, count in peers.items()),
            facts={"requests": {"whittle": ours[operation], **{peer: by[operation] for peer, by in counted.items()}}},
        )


def counts(folder, client, layout, make):
    """{operation: {"METHOD status": count}} of one client, against a registry of its own."""
    with CountingRegistry(make) as registry:

        def push(repository, tag):
            outcome = clients.run(client, client.push(layout, f"{registry.host}/{repository}:{tag}"), folder / client.name, 120)
            if outcome.exit != 0:
                raise Failed(f"$ {' '.join(outcome.argv)}\nexit {outcome.exit}\n{outcome.said}")

        return {
            operation: Counter(f"{method} {status}" for method, _, status in registry.requests_of(lambda: push(repository, tag)))
            for operation, (repository, tag, _) in OPERATIONS.items()
        }
