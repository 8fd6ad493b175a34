"""What whittle writes, read by programs that nobody here wrote; what they hold, read by whittle."""

import json
import shutil
import time

from support.case import ROOT, WhittleTestCase
from support.layouts import Layout
from support.parties import (
    PASSWORD,
    USER,
    Certificate,
    Containerd,
    Podman,
    Registry,
    runc_run,
    skopeo,
    skopeo_copy,
)
from support.trees import c_tree

OUTPUT = "hello from C, 0 arguments, note of hello\n"
MEGABYTE = 1 << 20


class PartyTest(WhittleTestCase):
    shared_cache = True

    def setUp(self):
        super().setUp()
        self.tree = self.write_tree("tree", c_tree())

    def store_source(self, built, store=None):
        """The image in the store, as skopeo names it."""
        return f"oci:{store or self.store}:{Layout(store or self.store).name_of(built.digest)}"

    def assert_same_in(self, folder, built, name=None):
        layout = Layout(folder)
        self.assertEqual(layout.entry(name)["digest"], built.digest)
        self.assertEqual(layout.problems(), [])


class Layouts(PartyTest):
    def test_zstd_and_tar_read_every_layer(self):
        built = self.build(self.tree)
        self.assertEqual(self.layout().problems(), [])
        paths = built.image.paths()
        for path in ("bin/hello", "srv/note.txt", "srv/data/noise.bin", "srv/empty", "srv/ünïcode name.txt"):
            self.assertIn(path, paths)
        rootfs = built.image.unpack(self.temporary / "rootfs")
        for name in ("note.txt", "data/words.txt", "data/noise.bin", "empty", "ünïcode name.txt"):
            self.assertEqual((rootfs / "srv" / name).read_bytes(), (self.tree / "assets" / name).read_bytes(), name)

    def test_skopeo_inspects_and_copies_the_store(self):
        built = self.build(self.tree)
        source = self.store_source(built)
        inspected = json.loads(skopeo("inspect", source).stdout)
        self.assertEqual(inspected["Digest"], built.digest)
        self.assertEqual(inspected["Os"], "linux")
        folder = self.temporary / "folder"
        skopeo_copy(source, f"dir:{folder}")
        manifest = (folder / "manifest.json").read_bytes()
        self.assertEqual(manifest, self.layout().blob(built.digest))
        self.assert_store_valid()

    def test_a_layout_written_with_o_is_complete(self):
        folder = self.temporary / "out"
        built = self.build(self.tree, "-o", f"oci:{folder}")
        self.assert_same_in(folder, built)
        self.assert_store_valid(folder)
        self.whittle("check", f"oci:{folder}")

    def test_whittle_reads_what_skopeo_wrote(self):
        built = self.build(self.tree)
        copied = self.temporary / "copied"
        skopeo_copy(self.store_source(built), f"oci:{copied}:somewhere/else:2")
        self.whittle("check", f"oci:{copied}:somewhere/else:2")
        inspected = self.whittle("inspect", "--json", f"oci:{copied}:somewhere/else:2")
        self.assertIn(built.digest, inspected.stdout)
        result = self.whittle("run", f"oci:{copied}:somewhere/else:2")
        self.assertEqual(result.stdout, OUTPUT)


class Runtimes(PartyTest):
    def test_runc_runs_it_with_ten_megabytes(self):
        built = self.build(self.tree)
        result = runc_run(built.image, memory_limit_bytes=10 * MEGABYTE)
        self.assertEqual((result.returncode, result.stdout), (0, OUTPUT), result.stderr)

    def test_runc_runs_the_sensor_with_ten_megabytes(self):
        sensors = [file.parent for file in (ROOT / "examples").glob("*sensor*/expect.json")]
        self.assertTrue(sensors, "examples/ has no sensor")
        for sensor in sensors:
            with self.subTest(sensor.name):
                expect = json.loads((sensor / "expect.json").read_text())
                tree = self.temporary / sensor.name
                shutil.copytree(sensor, tree, symlinks=True)
                run = expect["run"]
                built = self.build(tree)
                result = runc_run(built.image, *run.get("args", []), memory_limit_bytes=10 * MEGABYTE)
                self.assertEqual(result.returncode, run.get("exit", 0), result)
                self.assertRegex(result.stdout, run["stdout"])

    def test_an_ordinary_user_builds_and_runs_it(self):
        """No root anywhere: namespaces of the user's own are all that is asked for."""
        prefix = self.become_nobody()
        cache = {"XDG_CACHE_HOME": self.home / "cache"}
        built = self.build(self.tree, prefix=prefix, env=cache)
        self.assertEqual(self.whittle("run", built.reference, prefix=prefix, env=cache).stdout, OUTPUT)
        self.assertEqual(self.layout().problems(), [])

    def test_podman_pulls_and_runs_it(self):
        with Registry() as registry, Podman() as podman:
            reference = f"{registry.host}/team/hello"
            built = self.build(self.tree, "-t", f"{reference}:1", "--push")
            podman("pull", "--tls-verify=false", f"{reference}@{built.digest}")
            result = podman("run", "--rm", f"{reference}@{built.digest}")
            self.assertEqual(result.stdout, OUTPUT)
        self.assert_store_valid()

    def test_podman_runs_it_from_the_store(self):
        built = self.build(self.tree)
        with Podman() as podman:
            image = podman("pull", self.store_source(built)).stdout.strip()
            self.assertEqual(podman("run", "--rm", image).stdout, OUTPUT)
        self.assert_store_valid()

    def test_containerd_imports_and_runs_an_archive(self):
        archive = self.temporary / "image.tar"
        built = self.build(self.tree, "-t", "example.org/team/hello:1", "-o", f"archive:{archive}")
        with Containerd() as containerd:
            containerd.ctr("images", "import", "--snapshotter", "native", archive)
            images = [line.split() for line in containerd.ctr("images", "ls").stdout.splitlines()]
            names = [image[0] for image in images if built.digest in image]
            self.assertTrue(names, images)
            self.assertEqual(containerd.run(names[0], "/bin/hello").stdout, OUTPUT)
        self.assert_store_valid()

    def test_skopeo_and_whittle_read_an_archive(self):
        archive = self.temporary / "image.tar"
        built = self.build(self.tree, "-t", "example.org/team/hello:1", "-o", f"archive:{archive}")
        out = self.temporary / "out"
        skopeo_copy(f"oci-archive:{archive}", f"oci:{out}:x")
        self.assert_same_in(out, built)
        self.whittle("check", f"archive:{archive}")
        self.assertEqual(self.whittle("run", f"archive:{archive}").stdout, OUTPUT)


class Registries(PartyTest):
    def push_and_pull(self, registry, **pulling):
        """Pushed by whittle; pulled by skopeo, and by whittle into another store; all three agree."""
        name = f"{registry.host}/team/hello:1"
        built = self.build(self.tree, "-t", name)
        pushed = self.whittle("push", name)
        self.assertEqual(pushed.stdout.split("@")[1].strip(), built.digest)
        back = self.temporary / "back"
        skopeo_copy(f"docker://{name}", f"oci:{back}:back", **pulling)
        self.assert_same_in(back, built)
        other_store = self.temporary / "other-store"
        self.whittle("pull", name, env={"WHITTLE_STORE": other_store})
        self.assertEqual(Layout(other_store).image(built.digest).digest, built.digest)
        self.assert_store_valid(other_store)
        self.assert_store_valid()
        return built

    def test_anonymous(self):
        with Registry() as registry:
            built = self.push_and_pull(registry)
            result = self.whittle("run", f"{registry.host}/team/hello@{built.digest}", env={"WHITTLE_STORE": self.temporary / "third"})
            self.assertEqual(result.stdout, OUTPUT)

    def test_basic_credentials(self):
        with Registry(auth="basic") as registry:
            authfile = registry.docker_config(self.docker_config)
            self.push_and_pull(registry, authfile=authfile)

    def test_token_credentials(self):
        with Registry(auth="token") as registry:
            authfile = registry.docker_config(self.docker_config)
            self.push_and_pull(registry, authfile=authfile)
            granted = [request for request in registry.tokens.requests if request["status"] == 200]
            self.assertTrue(granted)
            self.assertTrue(all(request["authorization"] for request in granted))

    def test_credentials_in_podmans_file(self):
        with Registry(auth="basic") as registry:
            written = registry.docker_config(self.temporary / "podman")
            runtime = self.temporary / "runtime"
            (runtime / "containers").mkdir(parents=True)
            shutil.copy(written, runtime / "containers/auth.json")
            name = f"{registry.host}/team/hello:1"
            self.build(self.tree, "-t", name)
            self.whittle("push", name, env={"XDG_RUNTIME_DIR": runtime})

    def test_wrong_or_no_credentials_are_65(self):
        for auth in ("basic", "token"):
            with self.subTest(auth), Registry(auth=auth) as registry:
                name = f"{registry.host}/team/hello:1"
                self.build(self.tree, "-t", name)
                for password in (None, PASSWORD + "!"):
                    if password:
                        registry.docker_config(self.docker_config, USER, password)
                    refused = self.whittle("push", name, expect=65)
                    self.assertIn(registry.host, refused.stderr)
                    self.assertNotIn(PASSWORD, refused.stderr)
                    self.assertEqual(refused.stdout, "")
                    self.whittle("pull", name, expect=65, env={"WHITTLE_STORE": self.temporary / "other"})
                (self.docker_config / "config.json").unlink()
        self.assert_store_valid()

    def test_login_writes_what_docker_and_skopeo_read(self):
        with Registry(auth="basic") as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            login = ("login", registry.host, "--username", USER, "--password-stdin")
            self.whittle(*login, stdin="wrong\n", expect=65)
            self.whittle("push", name, expect=65)
            told = self.whittle(*login, stdin=PASSWORD + "\n")
            self.assertNotIn(PASSWORD, told.stdout + told.stderr)
            self.assertIn("readable to you alone", told.stderr)
            self.whittle("push", name)
            authfile = self.docker_config / "config.json"
            self.assertEqual(oct(authfile.stat().st_mode & 0o777), "0o600", "others can read the password")
            seen = skopeo("inspect", "--tls-verify=false", "--authfile", authfile, f"docker://{name}", "--format", "{{.Digest}}")
            self.assertEqual(seen.stdout.strip(), built.digest)
            self.whittle("logout", registry.host)
            self.assertNotIn(registry.host, authfile.read_text())
            self.whittle("push", name, expect=65)

    def test_login_through_a_credential_helper_keeps_the_password_out_of_the_file(self):
        with Registry(auth="basic") as registry:
            helper = self.temporary / "bin/docker-credential-kept"
            helper.parent.mkdir()
            helper.write_text(
                f"#!/bin/sh\ncase $1 in\nstore) cat > {self.temporary}/kept;;\nerase) rm {self.temporary}/kept;;\n"
                f"get) cat {self.temporary}/kept 2>/dev/null || {{ echo credentials not found in native keychain; exit 1; }};;\nesac\n"
            )
            helper.chmod(0o755)
            path = {"PATH": f"{helper.parent}:/usr/bin:/bin"}
            authfile = self.docker_config / "config.json"
            authfile.parent.mkdir(parents=True, exist_ok=True)
            authfile.write_text('{"credsStore": "kept", "psFormat": "x"}')
            self.build(self.tree, "-t", f"{registry.host}/team/hello:1")
            login = ("login", registry.host, "--username", USER, "--password-stdin")
            self.whittle(*login, stdin=PASSWORD, env=path)
            self.assertNotIn("auth\"", authfile.read_text())
            self.assertIn("psFormat", authfile.read_text())
            self.whittle("push", f"{registry.host}/team/hello:1", env=path)
            self.whittle("logout", registry.host, env=path)
            self.assertFalse((self.temporary / "kept").exists())

    def test_tls_with_our_own_authority(self):
        with Registry(tls=True) as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            refused = self.whittle("push", name, expect=None)
            self.assertNotEqual(refused.code, 0, "an unknown authority was accepted")
            self.assertRegex(refused.stderr, "certificate")
            other = {"SSL_CERT_FILE": str(Certificate(self.temporary, "other").certificate)}
            refused = self.whittle("push", name, expect=None, env=other)
            self.assertNotEqual(refused.code, 0, "another authority's certificate was accepted")
            self.whittle("push", name, env={"SSL_CERT_FILE": str(registry.certificate.certificate)})
            digest = registry.get("/v2/team/hello/manifests/1").headers["Docker-Content-Digest"]
            self.assertEqual(digest, built.digest)

    def test_certs_d_names_an_authority_for_one_host(self):
        with Registry(tls=True) as registry:
            name = f"{registry.host}/team/hello:1"
            self.build(self.tree, "-t", name)
            folder = self.home / ".config/containers/certs.d" / registry.host
            folder.mkdir(parents=True)
            shutil.copy(Certificate(self.temporary, "other").certificate, folder / "ca.crt")
            refused = self.whittle("push", name, expect=None)
            self.assertNotEqual(refused.code, 0, "another authority's certificate was accepted")
            shutil.copy(registry.certificate.certificate, folder / "ca.crt")
            self.whittle("push", name)

    def test_a_client_certificate_goes_to_the_registry_that_asks_for_one(self):
        with Registry(tls=True) as registry:
            name = f"{registry.host}/team/hello:1"
            client = Certificate(self.temporary, "client")
            registry.restart_asking_for(client)
            self.build(self.tree, "-t", name)
            folder = self.home / ".config/containers/certs.d" / registry.host
            folder.mkdir(parents=True)
            shutil.copy(registry.certificate.certificate, folder / "ca.crt")
            self.assertNotEqual(self.whittle("push", name, expect=None, timeout=180).code, 0, "no certificate was asked for")
            shutil.copy(client.certificate, folder / "client.cert")
            shutil.copy(client.key, folder / "client.key")
            self.whittle("push", name)

    def test_registries_conf_moves_mirrors_and_blocks(self):
        with Registry() as upstream, Registry() as mirror:
            name = f"{upstream.host}/team/hello:1"
            built = self.build(self.tree, "-t", name, "--push")
            self.whittle("push", name, f"{mirror.host}/cache/team/hello:1")
            conf = self.home / ".config/containers/registries.conf"
            conf.parent.mkdir(parents=True)
            conf.write_text(f'[[registry]]\nprefix = "images.example"\nlocation = "{upstream.host}"\n[[registry.mirror]]\nlocation = "{mirror.host}/cache"\n')
            seen = len(upstream.requests())
            pulled = self.whittle("pull", "images.example/team/hello:1", env={"WHITTLE_STORE": self.temporary / "other"})
            self.assertEqual(pulled.stdout.strip(), f"images.example/team/hello@{built.digest}")
            self.assertEqual(len(upstream.requests()), seen)
            self.whittle("copy", name, "images.example/team/moved:2")
            self.assertEqual(upstream.get("/v2/team/moved/manifests/2").headers["Docker-Content-Digest"], built.digest)
            conf.write_text('[[registry]]\nlocation = "images.example"\nblocked = true\n')
            self.assertIn("is blocked", self.whittle("pull", "images.example/team/hello:1", expect=69).stderr)

    def test_a_registry_that_refuses_writes_is_66(self):
        with Registry(readonly=True) as registry:
            name = f"{registry.host}/team/hello:1"
            self.build(self.tree, "-t", name)
            self.whittle("push", name, expect=66)

    def test_a_missing_image_is_30(self):
        with Registry() as registry:
            result = self.whittle("pull", f"{registry.host}/team/nothing:1", expect=30)
            self.assertIn("team/nothing:1", result.stderr)

    def test_tags(self):
        with Registry() as registry:
            for tag in ("1", "2"):
                self.build(self.tree, "-t", f"{registry.host}/team/hello:{tag}", "--push")
            self.assertEqual(sorted(self.whittle("tags", f"{registry.host}/team/hello").stdout.split()), ["1", "2"])
            self.whittle("tags", f"{registry.host}/team/nothing", expect=30)

    def test_copy_from_registry_to_registry_and_to_a_layout(self):
        with Registry() as source, Registry(auth="basic") as destination:
            built = self.build(self.tree, "-t", f"{source.host}/team/hello:1", "--push")
            authfile = destination.docker_config(self.docker_config)
            other_store = {"WHITTLE_STORE": self.temporary / "other"}
            self.whittle("copy", f"{source.host}/team/hello:1", f"{destination.host}/mirror/hello:1", env=other_store)
            back = self.temporary / "back"
            skopeo_copy(f"docker://{destination.host}/mirror/hello:1", f"oci:{back}:back", authfile=authfile)
            self.assert_same_in(back, built)
            out = self.temporary / "out"
            self.whittle("copy", f"{source.host}/team/hello:1", f"oci:{out}:1", env=other_store)
            self.assert_same_in(out, built)
            archive = self.temporary / "copy.tar"
            self.whittle("copy", f"oci:{out}:1", f"archive:{archive}", env=other_store)
            self.whittle("copy", f"archive:{archive}", f"{source.host}/third/hello:3", env=other_store)
            digest = source.get("/v2/third/hello/manifests/3").headers["Docker-Content-Digest"]
            self.assertEqual(digest, built.digest)

    def test_a_mirror_asks_once_for_an_unchanged_tag(self):
        with Registry() as source, Registry() as destination:
            name = f"{source.host}/team/hello"
            self.build(self.tree, "-t", f"{name}:1.0", "--push")
            tags = ("1.9", "1.10", "2.0-rc1", "2.0")
            self.whittle("push", f"{name}:1.0", *(f"{name}:{tag}" for tag in tags))
            mirror = f"{destination.host}/mirror/hello"
            self.whittle("copy", name, mirror, "--all-tags")
            self.assertEqual(sorted(self.whittle("tags", mirror).stdout.split()), sorted(("1.0", *tags)))
            before = len(source.requests()), len(destination.requests())
            self.whittle("copy", name, mirror, "--all-tags")
            again = [request[0] for request in source.requests()[before[0] :]], [request[0] for request in destination.requests()[before[1] :]]
            self.assertEqual(again, (["GET", *["HEAD"] * 5], ["HEAD"] * 5))
            layout = self.temporary / "layout"
            self.whittle("copy", name, f"oci:{layout}", "--all-tags", "--tag", "1.*")
            self.assertEqual(sorted(Layout(layout).names()), ["1.0", "1.10", "1.9"])
            self.whittle("copy", name, f"oci:{layout}", "--all-tags", "--newest", "2", "--prune")
            self.assertEqual(sorted(Layout(layout).names()), ["2.0", "2.0-rc1"])
            self.assert_store_valid(layout)

    def test_a_dry_run_sends_nothing(self):
        with Registry() as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            listed = self.whittle("push", "--dry-run", name).stdout
            self.assertIn(built.digest, listed)
            self.assertEqual({request[0] for request in registry.requests()}, {"HEAD"})
            self.whittle("push", name)
            self.assertEqual(self.whittle("push", "--dry-run", name).stdout, "")

    def test_a_limited_push_takes_its_time(self):
        with Registry() as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            size = sum(layer["size"] for layer in built.image.manifest["layers"])
            start = time.monotonic()
            self.whittle("push", "--limit-rate", str(max(1024, size // 2)), name)
            self.assertGreater(time.monotonic() - start, 1.5)
            self.whittle("push", "--limit-rate", "nothing", name, expect=2)

    def test_referrers_where_the_registry_has_no_list_of_them(self):
        with Registry() as registry, Registry() as other:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name, "--push")
            bill = self.temporary / "bill.json"
            attached = []
            for text in ("{}", '{"a":1}'):
                bill.write_text(text)
                attached.append(self.whittle("referrers", name, "--attach", bill, "--type", "application/spdx+json").stdout.split("@")[1].strip())
            listed = json.loads(self.whittle("referrers", name, "--json").stdout)
            self.assertEqual([one["digest"] for one in listed["referrers"]], attached)
            self.assertEqual(listed["subject"], built.digest)
            self.whittle("copy", "--referrers", name, f"{other.host}/mirror/hello:1")
            there = self.whittle("referrers", f"{other.host}/mirror/hello:1", "--type", "application/spdx+json").stdout
            self.assertEqual([line.split()[0] for line in there.splitlines()], attached)
            self.whittle("referrers", name, "--delete", attached[0])
            self.assertEqual(self.whittle("referrers", name).stdout.split()[0], attached[1])
            self.whittle("referrers", name, "--delete", attached[0], expect=30)

    def test_few_requests(self):
        with Registry() as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            blobs = len(built.image.layers) + 1
            self.whittle("push", name)
            first = registry.requests()
            self.assertLessEqual(len(first), 2 * blobs + 2, first)
            self.whittle("push", name)
            second = registry.requests()[len(first) :]
            self.assertEqual([request[0] for request in second], ["HEAD"], second)
            seen = len(registry.requests())
            self.whittle("push", name, f"{registry.host}/team/hello:2")
            self.assertEqual([request[0] for request in registry.requests()[seen:]], ["HEAD", "PUT"])
            seen = len(registry.requests())
            self.whittle("push", name, f"{registry.host}/other/hello:1")
            self.assertLessEqual(len(registry.requests()) - seen, blobs + 3)

    def test_a_registry_that_was_away_is_75_and_the_same_command_goes_on(self):
        with Registry() as registry:
            name = f"{registry.host}/team/hello:1"
            built = self.build(self.tree, "-t", name)
            port = int(registry.host.split(":")[1])
            registry.stop_process()
            self.whittle("push", name, expect=75, timeout=180)
            registry.listen(port)
            self.whittle("push", name)
            back = self.temporary / "back"
            skopeo_copy(f"docker://{name}", f"oci:{back}:back")
            self.assert_same_in(back, built)
