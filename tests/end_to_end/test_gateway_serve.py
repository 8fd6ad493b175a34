"""A gateway's own registry: what engines and tools of others pull from it, and what it does when they misbehave."""

import concurrent.futures
import email.parser
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time

from support.case import WhittleTestCase
from support.gateways import Gateway, add_referrer, write_index, write_store
from support.layouts import sha256_of
from support.oracles import oracle
from support.parties import Containerd, Podman, Registry, call, skopeo, skopeo_copy
from support.trees import incompressible, text

NAME = "registry.example.org/edge/sensor:1.4"
OTHER = "registry.example.org/edge/camera:2"
SPDX = "application/spdx+json"


class GatewayTest(WhittleTestCase):
    def setUp(self):
        super().setUp()
        files = {"bin/app": (incompressible(3_000_000, 7), 0o755), "etc/settings": (text(20_000).encode(), 0o644)}
        self.layout, self.digests = write_store(
            self.temporary / "gateway-store", {NAME: files, OTHER: {"bin/app": (incompressible(100_000, 8), 0o755)}}
        )
        self.digest = self.digests[NAME]

    def largest_blob(self, layout=None):
        return max((layout or self.layout).path.glob("blobs/sha256/*"), key=lambda path: path.stat().st_size)


class Clients(GatewayTest):
    def test_skopeo_copies_from_it_and_the_digest_stays(self):
        with Gateway(self.layout.path) as gateway:
            out = self.temporary / "copied"
            skopeo_copy(f"docker://{gateway.host}/edge/sensor:1.4", f"oci:{out}:x")
            self.assertEqual(json.loads((out / "index.json").read_text())["manifests"][0]["digest"], self.digest)
            tags = json.loads(skopeo("list-tags", "--tls-verify=false", f"docker://{gateway.host}/edge/sensor").stdout)
            self.assertEqual(tags["Tags"], ["1.4"])

    def test_go_containerregistry_reads_all_that_there_is(self):
        subject = {key: self.layout.entry(NAME)[key] for key in ("mediaType", "digest", "size")}
        bill = add_referrer(self.layout, subject, SPDX, b'{"spdxVersion":"SPDX-2.3"}')
        signature = add_referrer(self.layout, subject, "application/vnd.example.signature", b"signed")
        entries = self.layout.index()["manifests"]
        for tag in ("1", "1.3", "latest", "1.4-debug"):
            name = NAME.replace(":1.4", f":{tag}")
            entries.append({**subject, "annotations": {"org.opencontainers.image.ref.name": name}})
        write_index(self.layout.path, entries)
        with Gateway(self.layout.path) as gateway:
            found = oracle("crane", f"{gateway.host}/edge/sensor:1.4", "--insecure", "--artifact-type", SPDX)
            self.assertEqual(found["digest"], self.digest)
            self.assertEqual(found["tags"], ["1", "1.3", "1.4", "1.4-debug", "latest"])
            self.assertEqual(found["repositories"], ["edge/camera", "edge/sensor"])
            self.assertEqual(
                found["referrers"], {bill["digest"]: SPDX, signature["digest"]: "application/vnd.example.signature"}
            )
            self.assertEqual(found["filtered"], [bill["digest"]])
            self.assertEqual(found["missing"], "MANIFEST_UNKNOWN")

    def test_podman_pulls_by_name_and_through_a_mirror(self):
        with Gateway(self.layout.path) as gateway, Podman() as podman:
            podman("pull", "--tls-verify=false", f"{gateway.host}/edge/sensor@{self.digest}")
            settings = self.temporary / "registries.conf"
            settings.write_text(
                f'[[registry]]\nlocation = "registry.example.org"\n\n[[registry.mirror]]\nlocation = "{gateway.host}"\ninsecure = true\n'
            )
            podman("pull", OTHER, env={"CONTAINERS_REGISTRIES_CONF": str(settings)})
            digests = podman("images", "--digests", "--format", "{{.Digest}}").stdout.split()
            self.assertEqual(set(digests), set(self.digests.values()))

    def test_containerd_pulls_over_plain_http(self):
        with Gateway(self.layout.path) as gateway, Containerd() as containerd:
            name = f"{gateway.host}/edge/sensor:1.4"
            containerd.ctr("images", "pull", "--plain-http", "--snapshotter", "native", name)
            self.assertIn(self.digest, containerd.ctr("images", "ls").stdout)

    def test_containerd_takes_it_for_a_mirror(self):
        with Gateway(self.layout.path) as gateway, Containerd() as containerd:
            hosts = self.temporary / "hosts" / "registry.example.org"
            hosts.mkdir(parents=True)
            (hosts / "hosts.toml").write_text(
                f'server = "https://registry.example.org"\n\n[host."{gateway.url}"]\n  capabilities = ["pull", "resolve"]\n'
            )
            containerd.ctr("images", "pull", "--hosts-dir", hosts.parent, "--snapshotter", "native", NAME)
            self.assertIn(self.digest, containerd.ctr("images", "ls").stdout)
            # What another registry calls the same is not taken for it.
            (hosts.parent / "other.example.org").mkdir()
            (hosts.parent / "other.example.org/hosts.toml").write_text(f'server = "{gateway.url}"\n[host."{gateway.url}"]\n')
            refused = containerd.ctr(
                "images", "pull", "--hosts-dir", hosts.parent, "--snapshotter", "native",
                NAME.replace("registry.", "other."), check=False,
            )  # fmt: skip
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("not found", refused.stderr)

    def test_whittle_pulls_from_it(self):
        with Gateway(self.layout.path) as gateway:
            result = self.whittle("pull", f"{gateway.host}/edge/sensor:1.4")
            self.assertIn(self.digest, result.stdout)

    def test_podmans_partial_pull_asks_for_many_ranges_at_once(self):
        settings = {"whittle.toml": "[layers]\nform = \"chunked\"\n"}
        pages = {f"page{i}.html": text(9_000, i) for i in range(60)}
        built = self.build(self.write_tree("site", {"index.html": "x", **pages, **settings}), "-t", "registry.example.org/site:1")
        pages |= {f"page{i}.html": text(9_000, i + 700) for i in range(3, 60, 7)}
        again = self.build(self.write_tree("site", pages), "-t", "registry.example.org/site:2")
        self.assertNotEqual(built.digest, again.digest)
        with Gateway(self.store) as gateway:
            store = self.temporary / "storage"
            oracle("pull", "--src", f"docker://{gateway.host}/site:1", "--store", store, "--partial")
            found = oracle("pull", "--src", f"docker://{gateway.host}/site:2", "--store", store, "--partial")
            partial = [request for request in found["requests"] if request["status"] == 206]
            self.assertTrue(partial, found["requests"])
            self.assertTrue([request for request in partial if "," in request["range"]], partial)
            self.assertTrue([request for request in partial if request["type"].startswith("multipart/byteranges")], partial)

    def test_tls_is_spoken_with_the_given_certificate(self):
        with Gateway(self.layout.path, tls=True) as gateway:
            certificates = self.temporary / "certs"
            certificates.mkdir()
            (certificates / "ca.crt").write_bytes(gateway.certificate.certificate.read_bytes())
            out = self.temporary / "copied"
            skopeo("copy", "--preserve-digests", "--src-cert-dir", certificates, f"docker://{gateway.host}/edge/sensor:1.4", f"oci:{out}:x")
            self.assertEqual(json.loads((out / "index.json").read_text())["manifests"][0]["digest"], self.digest)
            blob = self.largest_blob()
            fetched = call("curl", "-sS", "--cacert", gateway.certificate.certificate, "-o", self.temporary / "blob", "-w", "%{http_version}",
                           f"{gateway.url}/v2/edge/sensor/blobs/sha256:{blob.name}")  # fmt: skip
            self.assertEqual(fetched.stdout, "1.1")
            self.assertEqual((self.temporary / "blob").read_bytes(), blob.read_bytes())
            self.assertNotEqual(call("curl", "-sS", f"{gateway.url}/v2/", check=False).returncode, 0)
            old = call("curl", "-sSk", "--tls-max", "1.1", f"{gateway.url}/v2/", check=False)
            self.assertNotEqual(old.returncode, 0)


class Answers(GatewayTest):
    def test_documents_and_their_types(self):
        with Gateway(self.layout.path) as gateway:
            base = gateway.get("/v2/")
            self.assertEqual((base.status, base.headers["Content-Type"], base.read()), (200, "application/json", b"{}"))
            self.assertEqual(base.headers["Docker-Distribution-Api-Version"], "registry/2.0")
            manifest = gateway.get("/v2/edge/sensor/manifests/1.4")
            self.assertEqual(manifest.headers["Docker-Content-Digest"], self.digest)
            self.assertEqual(manifest.headers["Content-Type"], "application/vnd.oci.image.manifest.v1+json")
            self.assertEqual(sha256_of(manifest.read()), self.digest)
            self.assertEqual(manifest.headers["Cache-Control"], "no-cache")
            tag = manifest.headers["ETag"]
            head = gateway.get("/v2/edge/sensor/manifests/1.4", method="HEAD")
            self.assertEqual((head.headers["Content-Length"], head.read()), (manifest.headers["Content-Length"], b""))
            self.assertEqual(gateway.get("/v2/edge/sensor/manifests/1.4", **{"If-None-Match": tag}).status, 304)
            for path, status, code in [
                ("/v2/edge/sensor/manifests/2", 404, "MANIFEST_UNKNOWN"),
                ("/v2/edge/none/manifests/2", 404, "NAME_UNKNOWN"),
                ("/v2/edge/none/tags/list", 404, "NAME_UNKNOWN"),
                (f"/v2/edge/sensor/blobs/sha256:{'0' * 64}", 404, "BLOB_UNKNOWN"),
                ("/v2/edge/sensor/blobs/sha256:../../index.json", 400, "DIGEST_INVALID"),
                ("/v2/EDGE/manifests/2", 400, "NAME_INVALID"),
                ("/v2/edge/sensor/tags/list?n=x", 400, "PAGINATION_NUMBER_INVALID"),
                ("/index.json", 404, "UNSUPPORTED"),
            ]:
                answer = gateway.get(path)
                self.assertEqual((answer.status, answer.headers["Content-Type"]), (status, "application/json"), path)
                self.assertEqual(json.loads(answer.read())["errors"][0]["code"], code, path)
            push = gateway.get("/v2/edge/sensor/blobs/uploads/", method="POST")
            self.assertEqual((push.status, push.headers["Allow"]), (405, "GET, HEAD"))

    def test_curl_gets_one_range_several_and_none(self):
        blob = self.largest_blob()
        content = blob.read_bytes()
        with Gateway(self.layout.path) as gateway:
            url = f"{gateway.url}/v2/edge/sensor/blobs/sha256:{blob.name}"

            def curl(*arguments):
                out, head = self.temporary / "out", self.temporary / "head"
                call("curl", "-sS", "-o", out, "-D", head, *arguments, url)
                return head.read_text(), out.read_bytes()

            head, body = curl("-r", "100-199")
            self.assertIn("206 Partial Content", head)
            self.assertIn(f"Content-Range: bytes 100-199/{len(content)}", head)
            self.assertEqual(body, content[100:200])
            head, body = curl("-r", "-5")
            self.assertEqual(body, content[-5:])
            head, body = curl("-r", f"{len(content)}-")
            self.assertIn("416", head.splitlines()[0])
            ranges = [(i * 5_000, i * 5_000 + 99) for i in range(200)]
            head, body = curl("-r", ",".join(f"{first}-{last}" for first, last in ranges))
            self.assertIn("206", head.splitlines()[0])
            content_type = re.search(r"Content-Type: (multipart/byteranges.*)", head)[1]
            parts = email.parser.BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
            self.assertEqual(len(parts.get_payload()), 200)
            boundary = re.search(r"boundary=(\S+)", content_type)[1].encode()
            pieces = body.split(b"\r\n--" + boundary)[1:-1]
            for piece, (first, last) in zip(pieces, ranges, strict=True):
                part_head, _, part_body = piece.partition(b"\r\n\r\n")
                self.assertIn(f"bytes {first}-{last}/{len(content)}".encode(), part_head)
                self.assertEqual(part_body, content[first : last + 1])
            # Resuming, as an interrupted download does.
            partial = self.temporary / "resumed"
            partial.write_bytes(content[:1_000_000])
            call("curl", "-sS", "-C", "-", "-o", partial, url)
            self.assertEqual(partial.read_bytes(), content)

    def test_a_new_index_is_served_at_once_and_old_digests_still_are(self):
        with Gateway(self.layout.path) as gateway:
            entries = self.layout.index()["manifests"]
            old = entries[0]["digest"]
            moved = {**entries[1], "annotations": entries[0]["annotations"]}
            write_index(self.layout.path, [moved])
            self.assertEqual(gateway.get("/v2/edge/sensor/manifests/1.4").headers["Docker-Content-Digest"], moved["digest"])
            self.assertEqual(gateway.get("/v2/edge/camera/manifests/2").status, 404)
            self.assertEqual(gateway.get(f"/v2/edge/sensor/manifests/{old}").status, 200)
            (self.layout.path / "index.json").write_text("{ torn")
            self.assertEqual(gateway.get("/v2/edge/sensor/manifests/1.4").status, 200)

    def test_nothing_outside_the_store_is_served(self):
        secret = self.temporary / "secret"
        secret.write_text("not for anybody")
        hexadecimal = hashlib.sha256(b"link").hexdigest()
        (self.layout.path / "blobs/sha256" / hexadecimal).symlink_to(secret)
        with Gateway(self.layout.path) as gateway:
            self.assertEqual(gateway.get(f"/v2/edge/sensor/blobs/sha256:{hexadecimal}").status, 404)
            for path in ("/../secret", "/v2/../../secret", "/v2/edge/sensor/blobs/..%2f..%2f..%2fsecret", "/v2/%2e%2e/%2e%2e/blobs/x"):
                with socket.create_connection(("127.0.0.1", gateway.port), timeout=10) as client:
                    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                    answer = b"".join(iter(lambda: client.recv(65536), b""))
                self.assertRegex(answer.split(b"\r\n")[0], rb"HTTP/1.1 (400|404)")
                self.assertNotIn(b"not for anybody", answer)

    def test_metrics_are_openmetrics(self):
        with Gateway(self.layout.path) as gateway:
            gateway.get("/v2/edge/sensor/manifests/1.4").read()
            gateway.get("/v2/edge/none/manifests/1.4").read()
            answer = gateway.get("/metrics")
            self.assertEqual(answer.headers["Content-Type"], "application/openmetrics-text; version=1.0.0; charset=utf-8")
            text = answer.read().decode()
            self.assertIn('whittle_gateway_requests_total{kind="manifest",status="2xx"} 1\n', text)
            self.assertIn('whittle_gateway_requests_total{kind="manifest",status="4xx"} 1\n', text)
            self.assertIn("whittle_gateway_repositories 2\n", text)
            check_openmetrics(self, text)


def check_openmetrics(test, text):
    """The rules of OpenMetrics 1.0 that a scraper refuses to live without."""
    test.assertTrue(text.endswith("# EOF\n"))
    test.assertNotIn("\n\n", text)
    families = {}
    for line in text.splitlines()[:-1]:
        if line.startswith("# "):
            _, keyword, name, value = line.split(" ", 3)
            test.assertNotIn(keyword, families.setdefault(name, {}))
            families[name][keyword] = value
            if keyword == "UNIT":
                test.assertTrue(name.endswith("_" + value), line)
            continue
        sample = re.fullmatch(r"([a-z_]+)(\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\})? (\d+)", line)
        test.assertIsNotNone(sample, line)
        family = list(families)[-1]
        expected = {"counter": family + "_total", "gauge": family}[families[family]["TYPE"]]
        test.assertEqual(sample[1], expected)


class Load(GatewayTest):
    def test_two_hundred_clients_at_once_all_get_the_right_bytes(self):
        blob = self.largest_blob()
        with Gateway(self.layout.path) as gateway:
            path = f"/v2/edge/sensor/blobs/sha256:{blob.name}"
            barrier = threading.Barrier(200)

            def fetch(_):
                barrier.wait(60)
                client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=120)
                client.request("GET", path)
                hasher = hashlib.sha256()
                answer = client.getresponse()
                while piece := answer.read(65536):
                    hasher.update(piece)
                client.close()
                return hasher.hexdigest()

            with concurrent.futures.ThreadPoolExecutor(200) as pool:
                digests = list(pool.map(fetch, range(200)))
            self.assertEqual(set(digests), {blob.name})
            self.assertLess(gateway.memory(), 32_000_000)
            self.assertEqual(gateway.metric("dropped_total"), 0)

    def test_more_clients_than_are_taken_wait_for_their_turn(self):
        with Gateway(self.layout.path, "--connections", "4") as gateway:
            path = "/v2/edge/sensor/manifests/1.4"

            def fetch(_):
                client = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
                client.request("GET", path)
                return client.getresponse().read()

            with concurrent.futures.ThreadPoolExecutor(40) as pool:
                answers = set(pool.map(fetch, range(40)))
            self.assertEqual({sha256_of(answer) for answer in answers}, {self.digest})

    def test_hostile_heads_are_refused_and_others_are_still_served(self):
        heads = [
            b"GARBAGE\r\n\r\n",
            b"GET / HTTP/3.0\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\n\r\n",
            b"GET /v2/ HTTP/1.1\nHost: x\n\n",
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET /v2/" + b"a" * 40_000,
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            os.urandom(4096),
        ]
        with Gateway(self.layout.path) as gateway:
            for head in heads:
                with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
                    client.sendall(head)
                    client.shutdown(socket.SHUT_WR)
                    answer = b"".join(iter(lambda: client.recv(65536), b""))
                    self.assertRegex(answer, rb"^(HTTP/1.1 (400|505|414) |$)", head[:60])
            self.assertEqual(gateway.get("/v2/").status, 200)

    def test_an_ending_gateway_finishes_what_it_has_begun(self):
        # More than the system keeps in its own buffers.
        layout, _ = write_store(self.temporary / "large", {NAME: {"bin/app": (incompressible(40_000_000), 0o755)}})
        blob = self.largest_blob(layout)
        with Gateway(layout.path) as gateway:
            client = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
            client.sendall(f"GET /v2/edge/sensor/blobs/sha256:{blob.name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            received = client.recv(1000)
            idle = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
            time.sleep(0.2)
            gateway.process.send_signal(signal.SIGTERM)
            self.assertEqual(idle.recv(1), b"")
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
            received += b"".join(iter(lambda: client.recv(65536), b""))
            self.assertEqual(received.partition(b"\r\n\r\n")[2], blob.read_bytes())
            self.assertEqual(gateway.process.wait(5), 0)


class Upstream(GatewayTest):
    def setUp(self):
        super().setUp()
        self.empty, _ = write_store(self.temporary / "empty", {})
        self.cache = self.temporary / "cache"

    def pushed(self, registry):
        self.whittle("copy", f"oci:{self.layout.path}:{NAME}", f"{registry.host}/edge/sensor:1.4")
        return f"{registry.host}/edge/sensor:1.4"

    def gateway(self, store, registry, *arguments):
        return Gateway(store.path, "--upstream", registry.host, "--cache", self.cache, *arguments)

    def test_what_is_missing_is_fetched_once_kept_and_served_without_a_link(self):
        with Registry() as registry:
            self.pushed(registry)
            with self.gateway(self.empty, registry) as gateway:
                out = self.temporary / "copied"
                skopeo_copy(f"docker://{gateway.host}/edge/sensor:1.4", f"oci:{out}:x")
                self.assertEqual(json.loads((out / "index.json").read_text())["manifests"][0]["digest"], self.digest)
                blobs = [path for _, path, status in registry.requests() if "/blobs/" in path and status == 200]
                registry.stop_process()
                skopeo_copy(f"docker://{gateway.host}/edge/sensor:1.4", f"oci:{self.temporary / 'again'}:x")
                answer = gateway.get("/v2/edge/other/manifests/1")
                self.assertEqual(answer.status, 503)
                self.assertEqual(json.loads(answer.read())["errors"][0]["code"], "UNAVAILABLE")
            self.assertTrue(blobs)
        self.assertEqual(list((self.empty.path / "blobs/sha256").glob("*")) if (self.empty.path / "blobs").exists() else [], [])
        self.assertEqual(self.empty.index()["manifests"], [])
        # A gateway that is started again without a link has it too.
        with Gateway(self.cache) as gateway:
            self.assertEqual(gateway.get(f"/v2/edge/sensor/manifests/{self.digest}").status, 200)

    def test_many_clients_share_one_fetch(self):
        with Registry() as registry:
            self.pushed(registry)
            blob = self.largest_blob()
            with self.gateway(self.empty, registry) as gateway:
                gateway.get("/v2/edge/sensor/manifests/1.4").read()
                with concurrent.futures.ThreadPoolExecutor(20) as pool:
                    answers = list(pool.map(lambda _: gateway.get(f"/v2/edge/sensor/blobs/sha256:{blob.name}").read(), range(20)))
                self.assertEqual({hashlib.sha256(answer).hexdigest() for answer in answers}, {blob.name})
                fetched = [one for one in registry.requests() if one[0] == "GET" and blob.name in one[1]]
                self.assertEqual(len(fetched), 1, fetched)

    def test_other_registries_are_not_called_whoever_asks(self):
        with Registry() as registry, Registry() as other:
            self.pushed(registry)
            with self.gateway(self.empty, registry) as gateway:
                self.assertEqual(gateway.get(f"/v2/edge/sensor/manifests/1.4?ns={other.host}").status, 404)
                self.assertEqual(gateway.get(f"/v2/edge/sensor/manifests/1.4?ns={registry.host}").status, 200)
                self.assertEqual(other.requests(), [])

    def test_images_are_fetched_ahead_in_the_given_order(self):
        with Registry() as registry:
            self.pushed(registry)
            self.whittle("copy", f"oci:{self.layout.path}:{OTHER}", f"{registry.host}/edge/camera:2")
            order = ["--prefetch", f"{registry.host}/edge/camera:2", "--prefetch", f"{registry.host}/edge/sensor:1.4"]
            with self.gateway(self.empty, registry, *order) as gateway:
                deadline = time.monotonic() + 30
                while gateway.metric("prefetch_left") > 0 and time.monotonic() < deadline:
                    time.sleep(0.1)
                asked = [path for method, path, _ in registry.requests() if method == "GET"]
                camera = max(i for i, path in enumerate(asked) if "camera" in path)
                sensor = min(i for i, path in enumerate(asked) if "sensor" in path)
                self.assertLess(camera, sensor, asked)
                registry.stop_process()
                out = self.temporary / "copied"
                skopeo_copy(f"docker://{gateway.host}/edge/sensor:1.4", f"oci:{out}:x")

    def test_a_damaged_blob_never_arrives_whole(self):
        with Registry() as registry:
            self.pushed(registry)
            blob = self.largest_blob()
            [data] = registry.folder.glob(f"data/docker/registry/v2/blobs/sha256/*/{blob.name}/data")
            content = bytearray(data.read_bytes())
            content[1_000_000] ^= 1
            data.write_bytes(content)
            with self.gateway(self.empty, registry) as gateway:
                gateway.get("/v2/edge/sensor/manifests/1.4").read()
                answer = gateway.get(f"/v2/edge/sensor/blobs/sha256:{blob.name}")
                if answer.status == 200:
                    with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                        answer.read()
                else:
                    self.assertEqual(answer.status, 503)
            self.assertFalse((self.cache / "blobs/sha256" / blob.name).exists())


class Refusals(GatewayTest):
    def serve(self, *arguments, expect):
        return self.whittle("gateway", "serve", *arguments, expect=expect, timeout=30)

    def test_what_cannot_begin_says_why(self):
        store = ["--store", self.layout.path]
        self.assertIn("no address to listen on", self.serve(*store, "--listen", "nowhere", expect=2).stderr)
        self.assertIn("not an OCI image layout", self.serve("--store", self.temporary, expect=2).stderr)
        self.assertIn("need each other", self.serve(*store, "--tls-cert", "x", expect=2).stderr)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assertIn("cannot listen", self.serve(*store, "--listen", address, expect=75).stderr)
        garbage = self.temporary / "garbage.pem"
        garbage.write_text("no certificate")
        tls = ["--tls-cert", garbage, "--tls-key", garbage, "--listen", "127.0.0.1:0"]
        self.assertIn("cannot be used", self.serve(*store, *tls, expect=70).stderr)
        self.assertIn("needs an `--upstream`", self.serve(*store, "--prefetch", "a:1", expect=2).stderr)
