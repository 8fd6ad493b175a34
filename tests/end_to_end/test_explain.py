"""What whittle says of an image afterwards (`why`, `diff`), and one image for every program (`--all`)."""

import unittest

from support.case import WhittleTestCase

PROGRAM = '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv("SSL_CERT_FILE") ? "set" : "%s"); return 0; }\n'
CONFIGURATION = 'name = "team/tool"\n[image]\nfiles = [{ source = "conf/", path = "/etc/tool" }]\n'


class Explain(WhittleTestCase):
    shared_cache = True

    def tree(self, **more):
        return self.write_tree("tree", {"tool.c": PROGRAM % "one", "conf/a.conf": "a", "whittle.toml": CONFIGURATION, **more})

    def test_why_names_layer_origin_evidence_and_value(self):
        image = self.build(self.tree()).name
        program = self.whittle("why", image, "/bin/tool").stdout
        self.assertRegex(program, r"\A/bin/tool\n  layer   \d sha256:[0-9a-f]{64} \(program tool\)\n  from    step compile tool\n")
        self.assertIn("  value   program tool = tool (tool.c:3)\n", program)
        roots = self.whittle("why", "--json", image, "/etc/ssl/certs/ca-certificates.crt").json
        self.assertEqual(roots["slice"], "base")
        self.assertEqual(roots["reason"], "/bin/tool: SSL_CERT_FILE")
        self.assertEqual(roots["value"], "certificates = auto (default)")
        self.assertIn("  from    files, conf/a.conf\n", self.whittle("why", image, "etc/tool/a.conf").stdout)
        self.assertIn("  from    what lies below it\n", self.whittle("why", image, "/bin").stdout)

    def test_why_of_what_is_not_there_names_the_nearest(self):
        image = self.build(self.tree()).name
        result = self.whittle("why", image, "/bin/tol", expect=2)
        self.assertIn("error: the image `team/tool` has no `/bin/tol`\n", result.stderr)
        self.assertIn("hint: did you mean `/bin/tool`?\n", result.stderr)

    def test_an_image_from_elsewhere_has_layers_and_no_origins(self):
        image = self.build(self.tree())
        elsewhere = {"WHITTLE_CACHE": self.temporary / "empty-cache"}
        result = self.whittle("why", image.name, "/bin/tool", env=elsewhere)
        self.assertIn("(program tool)", result.stdout)
        self.assertNotIn("from", result.stdout)
        self.assertIn("was not built here", result.stderr)

    def test_a_library_of_a_closure_is_known_by_its_package(self):
        image = self.build(self.tree(), "--link", "closure").name
        library = self.whittle("why", image, "/lib/x86_64-linux-gnu/libc.so.6").stdout
        self.assertRegex(library, r"\n  from    package libc6 \S+\n  reason  needed by /bin/tool\n")
        self.assertIn("  value   link = closure (--link)\n", library)

    def test_diff_lists_files_and_what_would_be_fetched(self):
        self.build(self.tree(), "-t", "tool:1")
        self.build(self.tree(**{"tool.c": PROGRAM % "another", "conf/b.conf": "bb"}), "-t", "tool:2")
        result = self.whittle("diff", "tool:1", "tool:2")
        self.assertRegex(result.stdout, r"\A~ /bin/tool\b.*\n\+ /etc/tool/b.conf  \+2 B\n\Z")
        self.assertIn("2 files differ; 2 of 3 layers are new", result.stderr)
        same = self.whittle("diff", "--json", "tool:1", "tool:1").json
        self.assertEqual((same["same"], same["files"], same["newLayers"]), (True, [], 0))

    def test_all_makes_an_image_of_every_program(self):
        tree = self.write_tree("pair", {"send.c": PROGRAM % "sent", "recv.c": PROGRAM % "received"})
        result = self.whittle("build", "--all", tree)
        names = [line.split("@")[0] for line in result.stdout.splitlines()]
        self.assertEqual(names, ["pair-recv", "pair-send"])
        self.assertEqual(self.whittle("run", "pair-send").stdout, "sent\n")
        self.assertEqual(self.whittle("run", "pair-recv").stdout, "received\n")
        tagged = self.whittle("build", "--all", "--json", "-t", "team/pair:2", tree).json
        self.assertEqual([image["name"] for image in tagged["images"]], ["team/pair-recv:2", "team/pair-send:2"])
        refused = self.whittle("build", "--all", "-o", f"archive:{self.temporary}/a.tar", tree, expect=2)
        self.assertIn("`--all` makes 2 images", refused.stderr)


if __name__ == "__main__":
    unittest.main()
