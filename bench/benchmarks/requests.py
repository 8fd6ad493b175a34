"""How often a client talks to the registry, by the registry's own log: a round trip is what a slow line charges for."""

from collections import Counter

from harness.images import write_layout
from harness.registries import CountingRegistry
from harness.rows import Bar, Row
from support.parties import call, skopeo_copy

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
    ours = counts(bench, "whittle", layout)
    theirs = {}
    for peer in ("skopeo", "crane", "regctl"):
        with bench.part(f"requests {peer}"):
            theirs[peer] = counts(bench, peer, layout)
    for operation, (_, _, most) in OPERATIONS.items():
        peers = {peer: sum(counted[operation].values()) for peer, counted in theirs.items()}
        best = min(peers, key=peers.get, default="")
        yield Row(
            "requests",
            f"{operation}, {BLOBS} blobs",
            "requests",
            sum(ours[operation].values()),
            best,
            peers.get(best),
            Bar(most, of_ratio=False),
            note=", ".join(f"{peer} {count}" for peer, count in peers.items()),
            facts={"requests": {"whittle": ours[operation], **{peer: counted[operation] for peer, counted in theirs.items()}}},
        )


def counts(bench, client, layout):
    """{operation: {"METHOD status": count}} of one client, against a registry of its own."""
    with CountingRegistry() as registry:
        return {
            operation: Counter(
                f"{method} {status}"
                for method, _, status in registry.requests_of(lambda: CLIENTS[client](bench, layout, registry.host, repository, tag))
            )
            for operation, (repository, tag, _) in OPERATIONS.items()
        }


def whittle(bench, layout, host, repository, tag):
    bench.run_whittle("push", f"oci:{layout}:app", f"{host}/{repository}:{tag}")


def skopeo(_, layout, host, repository, tag):
    skopeo_copy(f"oci:{layout}:app", f"docker://{host}/{repository}:{tag}")


def crane(bench, layout, host, repository, tag):
    call(bench.peer("crane"), "push", "--insecure", layout, f"{host}/{repository}:{tag}")


def regctl(bench, layout, host, repository, tag):
    environment = {"REGCTL_CONFIG": str(bench.folder / "regctl.json")}
    target = f"{host}/{repository}:{tag}"
    call(bench.peer("regctl"), "--host", f"reg={host},tls=disabled", "image", "copy", f"ocidir://{layout}:app", target, env=environment)


CLIENTS = {"whittle": whittle, "skopeo": skopeo, "crane": crane, "regctl": regctl}
