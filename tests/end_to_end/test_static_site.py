"""A static site: what is in its image, and how the server that whittle brings along answers real clients."""

import gzip
import hashlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import time
import unittest
from pathlib import Path

from support.case import WhittleTestCase
from support.parties import Container, Daemon, call, free_port

SECRET = "this must never be seen"
TEXT = "".join(f"<p>line {number} of a page that repeats itself</p>\n" for number in range(400))
NOISE = random.Random(7).randbytes(300_000)
SITE = {
    "index.html": TEXT,
    "about.html": "<h1>about</h1>",
    "404.html": "<h1>nothing here</h1>",
    "blog/index.html": "<h1>blog</h1>",
    "both.html": "<h1>page</h1>",
    "both/index.html": "<h1>folder</h1>",
    "assets/index-BXk3x2Qd.js": "console.log('x');\n" * 200,
    "assets/site.css": "p { color: green }\n" * 200,
    "noise.bin": NOISE,
    "empty.txt": "",
    "with blank & ä.txt": "blank",
    "small.txt": "small",
    ".well-known/security.txt": "Contact: mailto:x@example.com",
    ".env": SECRET,
    ".git/config": SECRET,
    "Dockerfile": f"# {SECRET}",
    "whittle.toml": 'name = "site"\n',
}


class StaticServer(Daemon):
    """The program out of an image, in the image's own files, on a port of its own."""

    name = "static-server"

    def __init__(self, root, *flags):
        super().__init__()
        self.root, self.flags, self.port = Path(root), flags, 0

    def start(self):
        self.spawn(
            self.root / "bin/static-server", "--digests", self.root / "etc/site.digests", *self.flags, self.root / "srv", env={"PORT": "0"}
        )
        self.wait_until(lambda: "on port" in self.log.read_text())
        self.port = int(re.search(r"on port (\d+)", self.log.read_text())[1])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, path, method="GET", **headers):
        """(status, headers, body); `_` in a header's name stands for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def send(self, data):
        """Everything that comes back until the server closes."""
        with self.connect() as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(65536), b""))


class SiteTestCase(WhittleTestCase):
    shared_cache = True

    def served(self, files=SITE, *flags, **options):
        built = self.build(self.write_tree("site", files), **options)
        root = built.image.unpack(self.temporary / "root")
        server = StaticServer(root, *flags)
        self.addCleanup(server.stop)
        server.start()
        return server


class Pages(SiteTestCase):
    def test_addresses_find_their_pages(self):
        server = self.served()
        for path, status, content in [
            ("/", 200, TEXT),
            ("/index.html", 200, TEXT),
            ("/about", 200, "<h1>about</h1>"),
            ("/about.html", 200, "<h1>about</h1>"),
            ("/blog/", 200, "<h1>blog</h1>"),
            ("/both", 200, "<h1>page</h1>"),
            ("/both/", 200, "<h1>folder</h1>"),
            ("/with%20blank%20&%20%c3%a4.txt", 200, "blank"),
            ("/empty.txt", 200, ""),
            ("/.well-known/security.txt", 200, SITE[".well-known/security.txt"]),
            ("/nothing", 404, "<h1>nothing here</h1>"),
            ("/assets/", 404, "<h1>nothing here</h1>"),
            ("/small.txt/", 404, "<h1>nothing here</h1>"),
            ("/.env", 404, "404 Not Found\n"),
            ("/.git/config", 404, "404 Not Found\n"),
            ("/Dockerfile", 404, "<h1>nothing here</h1>"),
            ("/whittle.toml", 404, "<h1>nothing here</h1>"),
        ]:
            with self.subTest(path):
                found, headers, body = server.ask(path)
                self.assertEqual((found, body.decode()), (status, content))
                self.assertEqual(headers["X-Content-Type-Options"] if "text/html" in headers["Content-Type"] else "nosniff", "nosniff")
                head_status, head_headers, head_body = server.ask(path, "HEAD")
                self.assertEqual((head_status, head_headers["Content-Length"], head_body), (status, str(len(content.encode())), b""))

    def test_folders_are_redirected_to_their_own_address_on_this_host(self):
        server = self.served()
        for path, location in [
            ("/blog", "/blog/"),
            ("/blog?a=b", "/blog/?a=b"),
            ("/about/", "/about"),
            ("//blog", "/blog/"),
            ("//example.com/..%2fblog", None),
            ("http://example.com/blog", "/blog/"),
        ]:
            with self.subTest(path):
                answer = server.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()).decode()
                if location is None:
                    self.assertRegex(answer, r"^HTTP/1.1 400 ")
                else:
                    self.assertRegex(answer, r"^HTTP/1.1 301 ")
                    self.assertIn(f"\r\nLocation: {location}\r\n", answer)

    def test_caches_are_told_what_may_be_kept(self):
        server = self.served()
        for path, expected in [
            ("/", "no-cache"),
            ("/assets/site.css", "no-cache"),
            ("/assets/index-BXk3x2Qd.js", "public, max-age=31536000, immutable"),
            ("/nothing", "no-cache"),
        ]:
            self.assertEqual(server.ask(path)[1]["Cache-Control"], expected, path)
        status, headers, body = server.ask("/about")
        tag = headers["ETag"]
        self.assertEqual(tag, '"%s"' % hashlib.sha256(body).hexdigest()[:32])
        self.assertNotIn("Last-Modified", headers)  # files of an image have no time
        status, headers, body = server.ask("/about", If_None_Match=f'"x", W/{tag}')
        self.assertEqual((status, body, headers["ETag"], headers["Cache-Control"]), (304, b"", tag, "no-cache"))
        self.assertEqual(server.ask("/about", If_Match='"x"')[0], 412)
        self.assertEqual(server.ask("/about", If_None_Match='"x"')[0], 200)

    def test_a_folder_that_is_mounted_is_known_by_its_times(self):
        server = self.served()
        page = server.root / "srv/about.html"
        page.write_text("<h1>newer</h1>")
        os.utime(page, (784111777, 784111777))
        status, headers, body = server.ask("/about")
        self.assertEqual((headers["Last-Modified"], body), ("Sun, 06 Nov 1994 08:49:37 GMT", b"<h1>newer</h1>"))
        self.assertNotEqual(headers["ETag"], '"%s"' % hashlib.sha256(b"<h1>about</h1>").hexdigest()[:32])
        self.assertEqual(server.ask("/about", If_Modified_Since=headers["Last-Modified"])[0], 304)
        self.assertEqual(server.ask("/about", If_None_Match=headers["ETag"])[0], 304)

    def test_the_smallest_form_that_a_client_takes_is_sent(self):
        server = self.served()
        plain = server.ask("/")[1]
        self.assertEqual((plain["Content-Encoding"], plain["Vary"]), (None, "Accept-Encoding"))
        for wanted, encoding in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "zstd"),
            ("gzip;q=1, zstd;q=0.5", "gzip"),
            ("gzip;q=0, *", "zstd"),
            ("identity, gzip;q=0.5", None),
            ("br", None),
            ("", None),
        ]:
            with self.subTest(wanted):
                status, headers, body = server.ask("/", Accept_Encoding=wanted)
                self.assertEqual((status, headers["Content-Encoding"], headers["Vary"]), (200, encoding, "Accept-Encoding"))
                if encoding == "gzip":
                    self.assertEqual(gzip.decompress(body).decode(), TEXT)
                elif encoding == "zstd":
                    self.assertEqual(subprocess.run(["zstd", "-d"], input=body, capture_output=True, check=True).stdout.decode(), TEXT)
                if encoding:
                    self.assertLess(len(body), len(TEXT) / 4)
                    self.assertNotEqual(headers["ETag"], plain["ETag"])
        self.assertNotIn("Vary", server.ask("/noise.bin")[1])
        # curl takes what was sent apart by itself.
        out = call("curl", "-s", "--fail", "--compressed", f"http://[::1]:{server.port}/").stdout
        self.assertEqual(out, TEXT)

    def test_a_single_page_answers_for_every_page_and_for_no_part(self):
        files = {"index.html": "<p>app</p>", "main.js": "1", "_redirects": "/*  /index.html  200\n", "whittle.toml": 'name = "app"\n'}
        built = self.build(self.write_tree("site", files))
        self.assertIn("--single-page", built.image.argv())
        server = StaticServer(built.image.unpack(self.temporary / "root"), "--single-page")
        self.addCleanup(server.stop)
        server.start()
        browser = "text/html,application/xhtml+xml,*/*;q=0.8"
        self.assertEqual(server.ask("/user/7", Accept=browser)[::2], (200, b"<p>app</p>"))
        self.assertEqual(server.ask("/user/j.doe", Accept=browser)[::2], (200, b"<p>app</p>"))
        self.assertEqual(server.ask("/user/7")[::2], (200, b"<p>app</p>"))
        self.assertEqual(server.ask("/old-chunk.js", Accept="*/*")[0], 404)
        self.assertEqual(server.ask("/old-chunk", Accept="*/*", Sec_Fetch_Mode="no-cors")[0], 404)
        self.assertEqual(server.ask("/main.js")[0], 200)


class Ranges(SiteTestCase):
    def nginx(self, folder):
        """Debian's nginx over the same files."""
        server = Daemon()
        self.addCleanup(server.stop)
        port = free_port()
        (server.folder / "nginx.conf").write_text(
            f"daemon off; master_process off; user root; pid {server.folder}/pid; error_log stderr;\n"
            f"events {{}}\nhttp {{ access_log off; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
        )
        server.spawn("nginx", "-p", server.folder, "-c", server.folder / "nginx.conf")

        def answers():
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                return False

        server.wait_until(answers)
        return port

    def test_single_ranges_are_what_nginx_makes_of_them(self):
        server = self.served()
        other = self.nginx(server.root / "srv")
        for value in ["0-0", "0-99", "5-", "-7", "-300000", "-999999", "299999-", "299999-400000", "300000-", "10-5", "x", "", "1-2-3", "-0"]:
            with self.subTest(value):
                mine = server.ask("/noise.bin", Range=f"bytes={value}")
                connection = http.client.HTTPConnection("127.0.0.1", other)
                connection.request("GET", "/noise.bin", headers={"Range": f"bytes={value}"})
                theirs = connection.getresponse()
                body = theirs.read()
                connection.close()
                if theirs.status == 416 and mine[0] == 200:
                    # What is no range at all may be ignored (RFC 9110, 14.2); nginx refuses it.
                    self.assertIn(value, ("10-5", "x", "", "1-2-3"))
                    continue
                self.assertEqual(mine[0], theirs.status)
                self.assertEqual(mine[1]["Content-Range"], theirs.headers["Content-Range"])
                if theirs.status < 300:
                    self.assertEqual(mine[2], body)

    def test_several_ranges_come_as_parts_that_nginx_would_send(self):
        server = self.served()
        status, headers, body = server.ask("/noise.bin", Range="bytes=0-9,100-299,-5")
        self.assertEqual(status, 206)
        boundary = re.fullmatch(r"multipart/byteranges; boundary=(\S+)", headers["Content-Type"])[1].encode()
        parts = body.split(b"\r\n--" + boundary)
        self.assertEqual((parts[0], parts[-1]), (b"", b"--\r\n"))
        found = [re.fullmatch(rb"\r\nContent-Type: (\S+)\r\nContent-Range: bytes (\S+)\r\n\r\n(.*)", part, re.DOTALL).groups() for part in parts[1:-1]]
        self.assertEqual(
            found,
            [
                (b"application/octet-stream", b"0-9/300000", NOISE[:10]),
                (b"application/octet-stream", b"100-299/300000", NOISE[100:300]),
                (b"application/octet-stream", b"299995-299999/300000", NOISE[-5:]),
            ],
        )
        self.assertEqual(int(headers["Content-Length"]), len(body))
        self.assertEqual(server.ask("/noise.bin", Range="bytes=0-,0-,0-,0-")[::2], (200, NOISE))

    def test_a_download_goes_on_only_with_the_same_content(self):
        server = self.served()
        tag = server.ask("/noise.bin")[1]["ETag"]
        self.assertEqual(server.ask("/noise.bin", Range="bytes=10-19", If_Range=tag)[::2], (206, NOISE[10:20]))
        self.assertEqual(server.ask("/noise.bin", Range="bytes=10-19", If_Range='"other"')[0], 200)
        target = self.temporary / "download"
        target.write_bytes(NOISE[:123_456])
        call("curl", "-s", "--fail", "-C", "-", "-o", target, f"http://127.0.0.1:{server.port}/noise.bin")
        self.assertEqual(target.read_bytes(), NOISE)


class Hostile(SiteTestCase):
    def test_nothing_leads_out_of_the_folder(self):
        server = self.served()
        (server.root / "outside").write_text(SECRET)
        for name, target in [("up", "../outside"), ("absolute", str(server.root / "outside")), ("folder", ".."), ("proc", "/proc/self/root")]:
            os.symlink(target, server.root / "srv" / name)
        for path in [
            "/../outside", "/..%2foutside", "/%2e%2e/outside", "/%2e%2e%2foutside", "/.%2e/outside", "/assets/../../outside",
            "/assets/..%5c..%5coutside", "/..\\outside", "/%c0%ae%c0%ae/outside", "/%252e%252e/outside", "//outside", "/./../outside",
            "/up", "/absolute", "/folder/outside", "/proc" + str(server.root / "outside"), "/index.html/../../outside", "/index.html%00.txt",
            "http://a/../outside", "file:///etc/passwd", "/assets//../..//outside", "/%", "/%0d%0aX:%20y", "?/../outside", "/\xff",
        ]:
            with self.subTest(path):
                answer = server.send(b"GET " + path.encode("latin-1") + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertRegex(answer, rb"^HTTP/1\.1 (400|404) ")
                self.assertNotIn(SECRET.encode(), answer)
                self.assertNotIn(b"\r\nX: y", answer)

    def test_requests_that_others_could_read_otherwise_end_the_connection(self):
        server = self.served()
        inner = b"GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\n"
        for head, status in [
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
            (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 40\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 413),
            (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 405),
            (b"GET / HTTP/1.1\nHost: a\n\n", 400),
            (b"GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n\r\n", 400),
            (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000, 431),
            (b"A" * 9000, 414),
        ]:
            with self.subTest(head[:60]):
                answer = server.send(head + inner)
                self.assertRegex(answer, rb"^HTTP/1\.1 %d " % status)
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, "what followed was answered too")
                self.assertIn(b"\r\nConnection: close\r\n", answer)

    def test_other_methods_are_refused_and_the_connection_goes_on(self):
        server = self.served()
        request = b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET /small.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        answer = server.send(request)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"405", b"405", b"200"])
        self.assertIn(b"\r\nAllow: GET, HEAD\r\n", answer)

    def test_requests_sent_ahead_and_byte_by_byte_are_answered_in_order(self):
        server = self.served()
        paths = ["/small.txt", "/about", "/nothing", "/noise.bin"] * 10
        data = b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode() for path in paths) + b"GET /blog/ HTTP/1.0\r\n\r\n"
        answer = server.send(data)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"200", b"200", b"404", b"200"] * 10 + [b"200"])
        self.assertTrue(answer.endswith(b"<h1>blog</h1>"))
        self.assertEqual(answer.count(NOISE), 10)
        with server.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"GET /small.txt HTTP/1.0\r\n\r\n":
                client.sendall(bytes([byte]))
            self.assertTrue(b"".join(iter(lambda: client.recv(65536), b"")).endswith(b"small"))

    def test_clients_that_only_hold_connections_keep_nobody_out(self):
        server = self.served()
        idle = [server.connect() for _ in range(400)]
        try:
            self.assertEqual(server.ask("/small.txt")[0], 200)
        finally:
            for client in idle:
                client.close()
        self.assertEqual(server.ask("/small.txt")[0], 200)
        self.assertLess(len(os.listdir(f"/proc/{server.process.pid}/fd")), 20)

    def test_who_never_ends_a_request_is_told_so_and_left(self):
        server = self.served({"index.html": "x", "whittle.toml": 'name = "site"\n'})
        with server.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            started = time.monotonic()
            answer = b"".join(iter(lambda: client.recv(65536), b""))
            self.assertRegex(answer, rb"^HTTP/1\.1 408 ")
            self.assertLess(time.monotonic() - started, 13)


class Ending(SiteTestCase):
    def test_running_answers_are_finished_after_the_signal(self):
        server = self.served({**SITE, "large.bin": os.urandom(3 << 20)})
        idle = server.connect()
        client = server.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        received = len(client.recv(1 << 16))
        server.process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        head_and_body = received + sum(len(piece) for piece in iter(lambda: client.recv(1 << 20), b""))
        self.assertGreater(head_and_body, 3 << 20)
        self.assertEqual(idle.recv(1), b"")
        client.close()
        self.assertEqual(server.process.wait(5), 0)
        self.assertLess(time.monotonic() - started, 2)

    def test_a_client_that_does_not_read_cannot_keep_it_running(self):
        server = self.served({**SITE, "large.bin": os.urandom(1 << 20) * 12})
        with server.connect() as client:
            client.sendall(b"GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(1)
            server.process.send_signal(signal.SIGTERM)
            started = time.monotonic()
            self.assertEqual(server.process.wait(5), 0)
            self.assertLess(time.monotonic() - started, 2)

    def test_what_it_cannot_do_is_said(self):
        server = self.served()
        binary = server.root / "bin/static-server"
        run = lambda *words, **env: subprocess.run([binary, *map(str, words)], env=env, capture_output=True, text=True)
        self.assertEqual(run(self.temporary / "none").returncode, 1)
        self.assertIn("No such file", run(self.temporary / "none").stderr)
        self.assertEqual(run(server.root / "srv", PORT="x").stderr, "static-server: PORT must be a number up to 65535, not `x`\n")
        self.assertEqual(run("--unknown").returncode, 2)
        taken = run(server.root / "srv", PORT=str(server.port))
        self.assertEqual((taken.returncode, "Address" in taken.stderr), (1, True))


class Images(SiteTestCase):
    def test_it_runs_as_nobody_in_ten_megabytes_and_ends_when_told(self):
        built = self.build(self.write_tree("site", SITE))
        self.assertEqual(built.image.config["config"]["User"], "65532:65532")
        self.assertEqual(list(built.image.config["config"]["ExposedPorts"]), ["8080/tcp"])
        port = free_port()
        with Container(built.image, memory_limit_bytes=10 << 20, env=[f"PORT={port}"]) as container:
            container.wait_until(lambda: "on port" in container.log.read_text())
            for _ in range(20):
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connection.request("GET", "/noise.bin")
                self.assertEqual(connection.getresponse().read(), NOISE)
                connection.close()
            container.signal("TERM")
            self.assertEqual(container.process.wait(3), 0)

    def test_the_image_holds_the_site_and_nothing_of_its_making(self):
        built = self.build(self.write_tree("site", SITE))
        paths = built.image.paths()
        self.assertIn("srv/index.html.zst", paths)
        self.assertIn("srv/.well-known/security.txt", paths)
        self.assertNotIn("srv/small.txt.gz", paths)
        self.assertNotIn("srv/noise.bin.gz", paths)
        for hidden in ["srv/.env", "srv/.git", "srv/Dockerfile", "srv/whittle.toml"]:
            self.assertNotIn(hidden, paths)
        self.whittle("check", built.reference)
        self.assertEqual(len(built.image.layers), 4)
        why = self.whittle("why", built.reference, "/srv/index.html.zst").stdout
        self.assertIn("whittle, of /srv/index.html", why)
        self.assertIn("whittle, its file server", self.whittle("why", built.reference, "/bin/static-server").stdout)

    def test_a_change_of_a_page_leaves_the_server_as_it_is(self):
        tree = self.write_tree("site", SITE)
        before = self.build(tree).image
        (tree / "index.html").write_text(TEXT + "one line more\n")
        after = self.build(tree).image
        unchanged = {layer.digest for layer in before.layers} & {layer.digest for layer in after.layers}
        self.assertIn(before.layers[0].digest, unchanged)
        self.assertIn(before.layers[-1].digest, unchanged)
        self.assertEqual(len(unchanged), 2)

    def test_another_cache_gives_the_same_image(self):
        tree = self.write_tree("site", SITE)
        first = self.build(tree)
        elsewhere = {"XDG_CACHE_HOME": str(self.temporary / "cache"), "WHITTLE_STORE": str(self.temporary / "store"), "WHITTLE_THREADS": "1"}
        self.assertEqual(self.build(tree, env=elsewhere).digest, first.digest)

    def test_a_plan_for_another_server_is_refused(self):
        tree = self.write_tree("site", SITE)
        plan = self.whittle("plan", "--json", tree).json
        [server] = [output for output in plan["outputs"] if "shipped" in output]
        server["shipped"] = "sha256:" + "0" * 64
        file = self.temporary / "plan.json"
        file.write_text(json.dumps(plan))
        refused = self.whittle("build", tree, "--plan", file, expect=30)
        self.assertIn("error: this whittle does not bring the program of `/bin/static-server`\n", refused.stderr)

    def test_forms_that_the_project_brings_are_taken(self):
        files = {"index.html": TEXT, "index.html.gz": gzip.compress(b"its own"), "index.html.br": b"brotli", "whittle.toml": 'name = "site"\n'}
        server = self.served(files)
        self.assertEqual(gzip.decompress(server.ask("/", Accept_Encoding="gzip")[2]), b"its own")
        self.assertEqual(server.ask("/", Accept_Encoding="br")[1]["Content-Encoding"], "br")
        self.assertFalse((server.root / "srv/index.html.zst").exists())


if __name__ == "__main__":
    unittest.main()
