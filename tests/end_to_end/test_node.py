"""Applications of Node: built by each package manager, run as containers are, and what is refused."""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest
import urllib.request
from pathlib import Path

from support import parties
from support.case import ROOT, WhittleTestCase

SERVER = """const http = require('http');
http.createServer((request, answer) => answer.end('%s')).listen(%d);
"""
SHELLS_AND_MANAGERS = {"sh", "bash", "dash", "busybox", "npm", "npx", "pnpm", "yarn", "corepack", "apt", "apt-get", "dpkg"}


class Container:
    """An image under runc: read-only, as the user that it names, on the host's network."""

    def __init__(self, image, folder):
        self.folder, self.name = folder, f"whittle-node-{os.getpid()}-{folder.name}"
        folder.mkdir()
        image.unpack(folder / "rootfs")
        for path in (folder.parent, folder, folder / "rootfs"):
            path.chmod(0o755)
        parties.call("runc", "spec", cwd=folder)
        specification = json.loads((folder / "config.json").read_text())
        parties._apply_image(specification, image, (), None, self.name)
        namespaces = specification["linux"]["namespaces"]
        specification["linux"]["namespaces"] = [one for one in namespaces if one["type"] != "network"]
        specification["mounts"] = [mount for mount in specification["mounts"] if mount["destination"] != "/sys"]
        (folder / "config.json").write_text(json.dumps(specification))
        self.process = subprocess.Popen(
            [parties.program("runc"), "--root", folder / "state", "run", self.name],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(self, url, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return answer.read().decode()
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"no answer from {url}: {self.process.stdout.read() if self.process.poll() is not None else ''}")

    def terminate(self):
        """Seconds until SIGTERM has ended it, and how."""
        started = time.monotonic()
        parties.call("runc", "--root", self.folder / "state", "kill", self.name, "TERM")
        status = self.process.wait(timeout=20)
        return time.monotonic() - started, status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        parties.call("runc", "--root", self.folder / "state", "delete", "--force", self.name, check=False)
        self.process.stdout.close()


class NodeCase(WhittleTestCase):
    shared_cache = True

    def container(self, built):
        container = Container(built.image, self.temporary / f"container-{built.digest[-8:]}")
        self.addCleanup(container.close)
        return container

    def collector(self):
        tree = self.temporary / "collector"
        shutil.copytree(ROOT / "examples/node-collector", tree)
        return tree


class ImageTest(NodeCase):
    def test_it_holds_what_runs_and_ends_when_it_is_told_to(self):
        port = parties.free_port()
        tree = self.collector()
        (tree / "whittle.toml").write_text(f'[image]\nenv = {{ PORT = "{port}" }}\n')
        built = self.build(tree)
        self.whittle("check", built.reference)
        names = {name for layer in built.image.layers for name in layer.names()}
        self.assertFalse({Path(name).name for name in names} & SHELLS_AND_MANAGERS)
        self.assertIn("app/node_modules/fastify/fastify.js", names)
        self.assertFalse([name for name in names if name.endswith((".d.ts", ".map", ".md")) and "LICEN" not in name.upper()])
        container = self.container(built)
        self.assertEqual(container.ask(f"http://127.0.0.1:{port}/healthz"), "ok\n")
        seconds, status = container.terminate()
        self.assertLess(seconds, 2)
        self.assertEqual(status, 143)

    def test_a_change_of_code_leaves_runtime_and_packages_as_they_are(self):
        tree = self.collector()
        before = self.build(tree).image
        server = tree / "server.js"
        server.write_text(server.read_text().replace("'ok\\n'", "'fine\\n'"))
        after = self.build(tree).image
        old, new = [layer.digest for layer in before.layers], [layer.digest for layer in after.layers]
        self.assertEqual(len(old), len(new))
        self.assertEqual(len(set(old) - set(new)), 1, "only the application's layer")

    def test_a_handler_of_its_own_is_left_alone(self):
        port = parties.free_port()
        code = SERVER % ("here", port) + "process.on('SIGTERM', () => { console.log('closing'); process.exit(7); });\n"
        built = self.build(self.write_tree("app", {"package.json": '{"name": "app", "main": "a.js"}', "a.js": code}))
        container = self.container(built)
        self.assertEqual(container.ask(f"http://127.0.0.1:{port}/"), "here")
        self.assertEqual(container.terminate()[1], 7)


class PackageManagerTest(NodeCase):
    """The lock files lie beside the tests, as their package managers have written them."""

    def built_by(self, manager, files):
        tree = self.temporary / manager
        shutil.copytree(ROOT / "tests/end_to_end/node" / manager, tree)
        for name, text in files.items():
            (tree / name).write_text(text)
        return self.build(tree, "-t", "app")

    def test_all_of_them_give_the_same_application(self):
        # Berry would rewrite a manifest that is written otherwise.
        manifest = json.dumps({"name": "app", "main": "a.js", "dependencies": {"qs": "6.14.0"}}, indent=2) + "\n"
        files = {"a.js": "console.log(require('qs').stringify({ a: 1 }));\n", "package.json": manifest}
        digests = {}
        for manager in ("npm", "pnpm", "yarn", "berry", "bun"):
            with self.subTest(manager):
                built = self.built_by(manager, files)
                self.assertEqual(self.whittle("run", built.reference).stdout, "a=1\n")
                digests[manager] = built.digest
        # pnpm's folders are links into a store.
        self.assertEqual(len({digest for manager, digest in digests.items() if manager != "pnpm"}), 1, digests)


class RefusedTest(NodeCase):
    def test_a_version_that_no_registry_has(self):
        tree = self.write_tree("app", {"package.json": '{"main": "a.js"}', "a.js": "", ".nvmrc": "99.1.0\n"})
        refused = self.whittle("build", tree, expect=30)
        self.assertIn("cannot fetch node 99.1.0", refused.stderr)
        self.assertIn("the registry has no such version", refused.stderr)
        self.assertRegex(refused.stderr, r"hint: the nearest that there is: node \d+\.\d+\.\d+")

    def test_engines_that_nothing_satisfies(self):
        tree = self.write_tree("app", {"package.json": '{"main": "a.js",\n "engines": {"node": ">=99"}}', "a.js": ""})
        refused = self.whittle("build", tree, expect=30)
        self.assertRegex(refused.stderr, r"`node` is [\d.]+, and the project wants >=99\n  --> package.json:2")
        self.assertIn("could be fetched: 24.", refused.stderr)

    def test_an_install_script_that_fails_is_named(self):
        script = "require('http').get('http://127.0.0.1:9/binary').on('error', error => { console.error(error.code); process.exit(1); });"
        package = {"name": "fetcher", "version": "1.0.0", "scripts": {"postinstall": "node fetch.js"}}
        lock = {"name": "app", "lockfileVersion": 3, "packages": {
            "": {"dependencies": {"fetcher": "file:fetcher"}},
            "fetcher": {"version": "1.0.0", "hasInstallScript": True},
            "node_modules/fetcher": {"resolved": "fetcher", "link": True}}}
        tree = self.write_tree("app", {
            "package.json": '{"name": "app", "main": "a.js", "dependencies": {"fetcher": "file:fetcher"}}',
            "package-lock.json": json.dumps(lock), "a.js": "",
            "fetcher/package.json": json.dumps(package), "fetcher/fetch.js": script})
        refused = self.whittle("build", tree, expect=51)
        self.assertIn("build step `install packages` failed", refused.stderr)
        self.assertIn("fetcher", refused.stderr)
        self.assertIn("install scripts run without network", refused.stderr)

    def test_a_module_whose_library_is_missing_is_named(self):
        modules = self.temporary / "app/module"
        modules.mkdir(parents=True)
        for arguments in (["-Wl,-soname,liblost.so.7", "-o", modules / "liblost.so.7"],
                          ["-Wl,--no-as-needed", f"-L{modules}", "-l:liblost.so.7", "-o", modules / "lost.node"]):
            parties.call("gcc", "-shared", "-nostdlib", "-xc", "/dev/null", *arguments)
        (modules / "liblost.so.7").unlink()
        tree = self.write_tree("app", {"package.json": '{"name": "app", "main": "a.js"}', "a.js": ""})
        refused = self.whittle("build", tree, expect=55)
        self.assertIn("/app/module/lost.node: liblost.so.7", refused.stderr)


if __name__ == "__main__":
    unittest.main()
