"""Servers of npm's registry, as applications that depend on them: built, asked and ended."""

import json
import os
import unittest

from support import parties
from test_node import NodeCase

APPLICATIONS = {
    "express": ({"express": "5.1.0"}, "const app = require('express')(); app.get('/', (q, a) => a.send('express')); app.listen(PORT);", "express"),
    "koa": ({"koa": "2.16.1"}, "const K = require('koa'), app = new K(); app.use(c => { c.body = 'koa'; }); app.listen(PORT);", "koa"),
    "hapi": (
        {"@hapi/hapi": "21.4.0"},
        "const s = require('@hapi/hapi').server({ port: PORT, host: '0.0.0.0' });"
        "s.route({ method: 'GET', path: '/', handler: () => 'hapi' }); s.start();", "hapi"),
    "http-server": ({"http-server": "14.1.1"}, "require('http-server').createServer({ root: __dirname }).listen(PORT);", "<!doctype html>"),
    "json-server": (
        {"json-server": "0.17.4"},
        "const j = require('json-server'), s = j.create(); s.use(j.router({ posts: [{ id: 1 }] })); s.listen(PORT);", "{}"),
    "peer": ({"peer": "1.0.2"}, None, '{"name":"PeerJS Server"'),
}


class NodeApplications(NodeCase):
    def answers(self, name):
        dependencies, code, expected = APPLICATIONS[name]
        port = parties.free_port()
        start = "node a.js" if code else f"node node_modules/peer/dist/bin/peerjs.js --port {port}"
        manifest = {"name": name, "scripts": {"start": start}, "dependencies": dependencies}
        built = self.build(self.write_tree(name, {
            "package.json": json.dumps(manifest), "a.js": (code or "").replace("PORT", str(port))}))
        self.whittle("check", built.reference)
        container = self.container(built)
        path = "/db" if name == "json-server" else "/"
        answer = container.ask(f"http://127.0.0.1:{port}{path}")
        self.assertTrue(answer.startswith(expected) or name == "json-server" and "posts" in answer, answer[:200])
        self.assertLess(container.terminate()[0], 2)


def add_tests():
    for name in APPLICATIONS:
        def test(self, name=name):
            self.answers(name)

        setattr(NodeApplications, "test_" + name.replace("-", "_"), test)


if os.environ.get("WHITTLE_FULL"):
    add_tests()

if __name__ == "__main__":
    unittest.main()
