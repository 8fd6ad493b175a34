"""Registry clients on a slow line and on a broken one, against the laboratory (tests/lab)."""

import concurrent.futures
import statistics
import time
from dataclasses import dataclass

from harness import clients
from harness.images import write_layout
from harness.measure import Failed, Unavailable
from harness.rows import Bar, Row
from support.case import ROOT, remove_tree
from support.laboratory import Laboratory
from support.layouts import Layout
from support.parties import MissingParty

LAYERS = 10
DELAY = 50  # milliseconds a request
LIMIT = {1: 50, 5: 220}  # seconds that a client has, by faults in a row
WORKERS = 8

OPERATIONS = {
    "first push": ("team/app", "1"),
    "no-op push": ("team/app", "1"),
    "new tag": ("team/app", "2"),
    "other repository": ("team/other", "1"),
    "pull": ("team/app", "1"),
}


def rows(bench):
    try:
        Laboratory().__enter__().__exit__()
    except MissingParty as missing:
        raise Unavailable(str(missing)) from None
    layout = bench.folder / "image"
    write_layout(layout, LAYERS, "app")
    found = clients.all_clients(bench)
    yield from seconds(bench, found, layout)
    yield from fault_rows(bench, found)


# --- a slow line


def seconds(bench, found, layout):
    samples = {client.name: {operation: [] for operation in OPERATIONS} for client in found}
    for number in range(3):
        for client in found if number % 2 == 0 else reversed(found):
            for operation, taken in timed(bench, client, layout, bench.folder / f"slow-{number}").items():
                samples[client.name][operation].append(taken)
    for operation in OPERATIONS:
        took = {name: statistics.median(by_operation[operation]) for name, by_operation in samples.items()}
        ours = took.pop("whittle")
        best = min(took, key=took.get, default="")
        yield Row(
            "registry",
            f"{operation}, {LAYERS + 1} blobs, {DELAY} ms a request",
            "s",
            ours,
            best,
            took.get(best),
            note=", ".join(f"{name} {value:.2f} s" for name, value in took.items()),
            facts={"samples": {name: by_operation[operation] for name, by_operation in samples.items()}},
        )


def timed(bench, client, layout, folder):
    """{operation: seconds}, one after the other with one home, against a laboratory of their own."""
    taken = {}
    home = folder / client.name.replace(" ", "-")
    with Laboratory("--delay", DELAY) as laboratory:
        for operation, (repository, tag) in OPERATIONS.items():
            name = f"{laboratory.host}/{repository}:{tag}"
            if operation == "pull":
                home = home / "pull"  # nothing is there yet
                argv = client.pull(name, home / "out")
            else:
                argv = client.push(layout, name)
            started = time.monotonic()
            outcome = clients.run(client, argv, home, 120)
            taken[operation] = time.monotonic() - started
            if outcome.exit != 0:
                raise Failed(f"$ {' '.join(outcome.argv)}\nexit {outcome.exit}\n{outcome.said}")
    return taken


# --- a broken line


@dataclass
class FaultKind:
    what: str
    operation: str
    rule: str

    @property
    def is_damage(self):
        return self.rule.startswith("corrupt")


def fault_kinds():
    kinds = []
    for line in (ROOT / "tests/lab/faults.txt").read_text().splitlines():
        if not line.startswith("#"):
            what, operation, rule = line.split("|", 2)
            kinds.append(FaultKind(what.strip(), operation.strip(), rule.strip()))
    return kinds


def fault_rows(bench, found):
    kinds = fault_kinds()
    verdicts = measured(bench, found, kinds)
    for times in LIMIT:
        failed = {client.name: [kind.what for kind in kinds if not verdicts[client.name, kind.what, times][0]] for client in found}
        ours = failed.pop("whittle")
        best = min(failed, key=lambda name: len(failed[name]), default="")
        yield Row(
            "registry",
            f"faults not outlived of {len(kinds)}, {'once' if times == 1 else f'{times} in a row'}",
            "faults",
            len(ours),
            best,
            len(failed[best]) if best else None,
            Bar(0, of_ratio=False),
            note=", ".join(f"{name} {len(missed)}" for name, missed in failed.items()),
            facts={"notOutlived": {"whittle": ours, **failed}},
        )
    for kind in kinds:
        words = {client.name: ", ".join(verdicts[client.name, kind.what, times][1] for times in LIMIT) for client in found}
        yield Row(
            "registry",
            f"{kind.operation}: {kind.what}",
            "faults",
            sum(not verdicts["whittle", kind.what, times][0] for times in LIMIT),
            note="; ".join(f"{name}: {verdict}" for name, verdict in words.items()),
            facts={"rule": kind.rule, "verdicts": words},
        )


def measured(bench, found, kinds):
    """{(client, fault, times): (is good, one word)}; most of the time is waiting, so several run at once."""
    layout = bench.folder / "small"
    write_layout(layout, 3, "app")
    results = {}
    for times in LIMIT:
        # Who hangs at one fault is not waited for again.
        hanging = {(name, what) for (name, what, _), (_, word) in results.items() if word == "hangs"}
        jobs = [(client, kind) for kind in kinds for client in found if (client.name, kind.what) not in hanging]
        jobs.sort(key=lambda job: "stall" not in job[1].rule)  # the longest first
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            words = pool.map(lambda number, job: judged(bench.folder / f"fault-{times}-{number}", layout, *job, times), range(len(jobs)), jobs)
            results |= {(client.name, kind.what, times): word for (client, kind), word in zip(jobs, words)}
        results |= {(name, what, times): (False, "hangs") for name, what in hanging}
    return results


def judged(folder, layout, client, kind, times):
    home = folder / "home"
    out = folder / "out"
    with Laboratory() as laboratory:
        name = f"{laboratory.host}/team/app:1"
        try:
            if kind.operation == "pull":
                preload(laboratory, layout, name, folder)
            laboratory.inject(f"{kind.rule} {times}")
            argv = client.push(layout, name) if kind.operation == "push" else client.pull(name, out)
            outcome = clients.run(client, argv, home, LIMIT[times])
            struck = sum(bool(request["fault"]) for request in laboratory.requests())
            return verdict(client, kind, times, outcome, struck, laboratory, layout, out if out.exists() else home / "store")
        finally:
            remove_tree(folder)


def preload(laboratory, layout, name, folder):
    """By skopeo, which does not care for what is to come."""
    carrier = clients.skopeo("skopeo", "skopeo")
    outcome = clients.run(carrier, carrier.push(layout, name), folder / "carrier", 60)
    if outcome.exit != 0:
        raise Failed(outcome.said)
    laboratory.forget()


def verdict(client, kind, times, outcome, struck, laboratory, layout, out):
    if outcome.exit is None:
        return False, "hangs"
    if outcome.exit != 0:
        # What is damaged every time cannot be had; once, it can.
        is_noticed = kind.is_damage and struck > 1
        return is_noticed, "noticed" if is_noticed else "fails"
    if struck == 0:
        return True, "does not ask"
    expected = Layout(layout).entry("app")["digest"]
    if kind.operation == "push":
        there = laboratory.digest("team/app", "1")
        return there == expected, "outlived" if there == expected else "wrong"
    digests = {entry["digest"] for entry in Layout(out).index()["manifests"]}
    is_good = expected in digests and not Layout(out).problems()
    return is_good, "outlived" if is_good else "takes the damage"
