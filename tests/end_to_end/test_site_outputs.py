"""What a set is for Kubernetes, Podman, KubeEdge and containerd, read by their own code; and engines that find their registry by it."""

import json
import tomllib

from support.case import WhittleTestCase
from support.gateways import Gateway, write_store
from support.layouts import Layout
from support.oracles import Refused, site_oracle
from support.parties import Containerd, Podman, Registry, call, skopeo
from support.trees import incompressible

NAME = "registry.example.org/edge/{}:1"
HARBOR = """registry:
  address: {address}
  namespace: edge
  syncPolicy: {policy}
  tlsVerify: {verify}
"""


class SiteTest(WhittleTestCase):
    def setUp(self):
        super().setUp()
        run = {"Entrypoint": ["/bin/app"], "ExposedPorts": {"8080/tcp": {}, "80/tcp": {}}, "User": "1000", "Volumes": {"/data": {}}}
        self.images, self.digests = write_store(
            self.temporary / "images",
            {NAME.format(name): {"bin/app": (incompressible(50_000, seed), 0o755)} for seed, name in enumerate(["sensor", "logger"])},
            run=run,
        )
        lines = ['set = "line7"', "epoch = 3"]
        for name in ("sensor", "logger"):
            reference = NAME.format(name)
            lines += ["[[image]]", f'name = "{name}"', f'from = "oci:{self.images.path}:{reference}"', f'reference = "{reference}"']
            lines += ["critical = true"] if name == "sensor" else []
        (self.temporary / "imageset.toml").write_text("\n".join(lines) + "\n")

    def site(self, *arguments):
        self.whittle("set", "lock", cwd=self.temporary)
        self.whittle("set", "site", "-o", self.temporary / "site", *arguments, cwd=self.temporary)
        return self.temporary / "site"


class Formats(SiteTest):
    def test_kubernetes_types_decode_the_manifests_strictly(self):
        site = self.site("--memory", "sensor=9500KB", "--cpu", "sensor=40")
        found = site_oracle("kubernetes", site / "kubernetes.yaml")
        kinds = [(one["kind"], one["name"]) for one in found]
        self.assertIn(("PriorityClass", "line7-critical"), kinds)
        self.assertIn(("Service", "logger"), kinds)
        [sensor] = [one for one in found if (one["kind"], one["name"]) == ("Deployment", "sensor")]
        self.assertEqual(sensor["image"], f"registry.example.org/edge/sensor@{self.digests[NAME.format('sensor')]}")
        self.assertEqual((sensor["memory"], sensor["cpu"]), (14 << 20, 60))
        self.assertEqual(sensor["port"], "tcp-80")
        broken = self.temporary / "broken.yaml"
        broken.write_text((site / "kubernetes.yaml").read_text().replace("replicas:", "replica:"))
        with self.assertRaises(Refused):
            site_oracle("kubernetes", broken)

    def test_quadlet_makes_services_of_the_units(self):
        site = self.site("--memory", "sensor=9500KB")
        services = site_oracle("quadlet", *sorted((site / "quadlet").iterdir()))
        pinned = f"registry.example.org/edge/sensor@{self.digests[NAME.format('sensor')]}"
        sensor = services["sensor.container"]
        for wanted in ("--read-only", "--cap-drop all", "no-new-privileges", "--user 1000", "--memory=14680064", "--publish 8080:8080"):
            self.assertIn(wanted, sensor)
        self.assertIn(f"{pinned}\n", sensor)
        self.assertIn("Requires=sensor-image.service", sensor)
        self.assertIn(f"image pull --policy=missing {pinned}", services["sensor.image"])
        # A gateway without a link would wait for the network at every start.
        self.assertNotIn("network-online", sensor + services["sensor.image"])

    def test_a_job_for_kubeedge_names_every_image_by_digest(self):
        lines = (self.site() / "image-pre-pull-job.yaml").read_text().splitlines()
        images = [line.strip("- ") for line in lines if "@sha256:" in line]
        self.assertEqual([image.rpartition("@")[2] for image in images], [self.digests[NAME.format(name)] for name in ("sensor", "logger")])

    def test_containerd_starts_with_the_trimmed_configuration(self):
        site = self.site("--pause", "registry.example.org/pause@sha256:" + "3" * 64)
        dumped = tomllib.loads(call("containerd", "--config", site / "containerd.toml", "config", "dump").stdout)
        cri = dumped["plugins"]["io.containerd.grpc.v1.cri"]
        self.assertEqual(cri["sandbox_image"], "registry.example.org/pause@sha256:" + "3" * 64)
        self.assertEqual(cri["registry"]["config_path"], "/etc/containerd/certs.d")
        plain = self.site() / "containerd.toml"
        with Trimmed(plain) as containerd:
            plugins = [line.split() for line in containerd.ctr("plugins", "ls").stdout.splitlines()[1:]]
            self.assertNotIn("cri", [plugin[1] for plugin in plugins])
            self.assertNotIn("zfs", [plugin[1] for plugin in plugins])
            archive = self.temporary / "image.tar"
            skopeo("copy", f"oci:{self.images.path}:{NAME.format('sensor')}", f"oci-archive:{archive}:x")
            containerd.ctr("images", "import", "--snapshotter", "native", archive)

    def test_settings_with_a_mistake_name_the_line(self):
        self.whittle("set", "lock", cwd=self.temporary)
        (self.temporary / "harbor.yaml").write_text("registry:\n  adress: a.example.org\n")
        result = self.whittle("set", "site", "--registry", "harbor.yaml", cwd=self.temporary, expect=2)
        self.assertIn("harbor.yaml:2", result.stderr)
        self.assertIn("did you mean `address`?", result.stderr)


class Trimmed(Containerd):
    """containerd as the configuration says, but in folders and at a socket of the test's own."""

    def __init__(self, configuration):
        super().__init__()
        self.configuration = configuration

    def start(self):
        own = self.folder / "config.toml"
        text = self.configuration.read_text().replace("/run/containerd/containerd.sock", str(self.socket))
        # Where this test runs, a process may not always ask to be spared.
        own.write_text(text.replace("oom_score = -999", "oom_score = 0"))
        self.spawn("containerd", "--config", own, "--root", self.folder / "root", "--state", self.folder / "state")
        self.wait_until(lambda: self.ctr("version", check=False).returncode == 0)


class Engines(SiteTest):
    """The registry of the settings is one on loopback, so that what is asked of it can be seen."""

    def settings(self, policy, address, gateway, verify="true"):
        (self.temporary / "harbor.yaml").write_text(HARBOR.format(address=address, policy=policy, verify=verify))
        return self.site("--registry", self.temporary / "harbor.yaml", "--gateway", gateway) / "registry"

    def store_of(self, address):
        """The same image under the name that the registry has for it."""
        entries = self.images.index()["manifests"]
        for entry in entries:
            reference = entry["annotations"]["org.opencontainers.image.ref.name"]
            entry["annotations"]["org.opencontainers.image.ref.name"] = reference.replace("registry.example.org", address)
        (self.images.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))
        return self.images.path

    def test_podman_and_skopeo_ask_the_gateway_and_nobody_else(self):
        for policy in ("full", "incremental"):
            registry = self.settings(policy, "harbor.example.org", "127.0.0.1:1")
            (self.temporary / "imageset.toml").touch()
            with Gateway(self.images.path) as gateway, Podman() as podman:
                conf = self.temporary / f"{policy}.conf"
                conf.write_text((registry / "registries.conf").read_text().replace("127.0.0.1:1/", f"{gateway.host}/"))
                name = "harbor.example.org/edge/sensor:1"
                out = self.temporary / policy
                skopeo("--registries-conf", conf, "copy", "--preserve-digests", f"docker://{name}", f"oci:{out}:x")
                self.assertEqual(Layout(out).entry()["digest"], self.digests[NAME.format("sensor")])
                podman("pull", name, env={"CONTAINERS_REGISTRIES_CONF": str(conf)})

    def test_containerd_asks_the_gateway_by_the_name_of_the_registry(self):
        with Gateway(self.store_of("harbor.example.org")) as gateway, Containerd() as containerd:
            (self.temporary / "imageset.toml").write_text('set = "x"\nepoch = 1\n[[image]]\nname = "sensor"\n'
                f'from = "oci:{self.images.path}:harbor.example.org/edge/sensor:1"\nreference = "harbor.example.org/edge/sensor:1"\n')  # fmt: skip
            for policy in ("full", "on-demand"):
                hosts = self.settings(policy, "harbor.example.org", gateway.host) / "certs.d"
                name = f"harbor.example.org/edge/{'sensor' if policy == 'full' else 'logger'}:1"
                containerd.ctr("images", "pull", "--hosts-dir", hosts, "--snapshotter", "native", name)
            digests = containerd.ctr("images", "ls").stdout
            for digest in self.digests.values():
                self.assertIn(digest, digests)

    def test_what_the_gateway_lacks_comes_from_the_registry_unless_the_policy_is_full(self):
        with Registry() as registry, Gateway(write_store(self.temporary / "none", {})[0].path) as gateway, Containerd() as containerd:
            name = f"{registry.host}/edge/sensor:1"
            self.whittle("copy", f"oci:{self.images.path}:{NAME.format('sensor')}", name)
            for policy, expected in (("full", False), ("incremental", True)):
                hosts = self.settings(policy, registry.host, gateway.host, verify="false") / "certs.d"
                toml = hosts / registry.host / "hosts.toml"
                # The settings mean https; this registry speaks http.
                toml.write_text(toml.read_text().replace(f"https://{registry.host}", f"http://{registry.host}"))
                pulled = containerd.ctr("images", "pull", "--hosts-dir", hosts, "--snapshotter", "native", name, check=False)
                self.assertEqual(pulled.returncode == 0, expected, pulled.stderr)


