"""`--probe` runs a program in its own root for a moment and says what its file could not tell."""

import subprocess
import unittest

from support.case import WhittleTestCase

HELLO = '#include <stdio.h>\nint main(void) { return puts("hi") < 0; }\n'
SERVER = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"
ONE_ARGUMENT = "int main(int count, char** arguments) { (void)arguments; return count == 2 ? 0 : 4; }\n"
DOCKERFILE = 'FROM scratch\nCOPY counting /\nENTRYPOINT ["/counting"]\nCMD ["one"]\n'
CRASH = "#include <stdlib.h>\nint main(void) { abort(); }\n"
NEEDS_HOME = '#include <stdlib.h>\nint main(void) { return getenv("HOME") ? 0 : 3; }\n'
NEEDS_FILE = """#include <stdio.h>
int main(void) {
  const char* path = "/usr/share/tool/table";
  if (fopen(path, "r")) return 0;
  fprintf(stderr, "tool: cannot open '%s': No such file or directory\\n", path);
  return 1;
}
"""


def complains(path, words="No such file or directory"):
    """A program that ends with status 1 and these words unless `path` can be opened."""
    return f"""#include <stdio.h>
int main(void) {{
  if (fopen("{path}", "r")) return puts("well") < 0;
  fprintf(stderr, "tool: {path}: {words}\\n");
  return 1;
}}
"""


WRITES_STATE = """#include <stdio.h>
int main(void) {
  const char* path = "/var/lib/tool/state.db";
  FILE* file = fopen(path, "w");
  if (!file) {
    fprintf(stderr, "tool: cannot open %s: No such file or directory\\n", path);
    return 1;
  }
  return puts("well") < 0;
}
"""
WRITES_HOME = """#include <stdio.h>
#include <stdlib.h>
int main(void) {
  char path[4096];
  const char* home = getenv("HOME");
  snprintf(path, sizeof path, "%s/.tool", home ? home : "/nowhere");
  return fopen(path, "w") ? puts("well") < 0 : 3;
}
"""


class Probe(WhittleTestCase):
    shared_cache = True

    def program(self, source):
        tree = self.write_tree("program", {"tool.c": source})
        subprocess.run(["gcc", "-static", "-o", "tool", "tool.c"], cwd=tree, check=True)
        return tree / "tool"

    def findings(self, source, expect=0):
        program = self.whittle("check", "--probe", "--json", self.program(source), expect=expect).json["programs"][0]
        return {finding["code"]: finding["text"] for finding in program["findings"] if finding["code"].startswith("probe")}

    def test_what_a_program_does_is_told(self):
        self.assertEqual(self.findings(HELLO), {"probe": "when it is run, it ends with status 0"})
        self.assertEqual(self.findings(SERVER), {"probe": "when it is run, it still runs after 2 s"})

    def test_a_program_that_crashes_does_not_run_on_scratch(self):
        self.assertEqual(self.findings(CRASH, expect=55), {"probe": "when it is run, it is ended by signal 6"})

    def test_what_is_missing_is_named(self):
        found = self.findings(NEEDS_HOME)
        self.assertEqual(found["probe-bare"], "without /dev and HOME it ends with status 3")
        found = self.findings(NEEDS_FILE)
        self.assertEqual(found["probe-file"], "says that /usr/share/tool/table is not there")

    def test_an_image_is_probed_before_it_is_delivered(self):
        tree = self.write_tree("crash", {"crash.c": CRASH})
        layout = self.temporary / "out"
        result = self.whittle("build", "--probe", "-o", f"oci:{layout}", tree, expect=55)
        self.assertIn("error: the program of `crash:latest` does not run in its image\n", result.stderr)
        self.assertFalse(layout.exists())
        self.build(self.write_tree("hello", {"hello.c": HELLO}), "--probe")
        check = self.whittle("check", "--probe", "hello")
        self.assertIn("fact:    when it is run, it ends with status 0\n", check.stdout)

    def test_a_program_gets_the_arguments_of_its_image_once(self):
        tree = self.write_tree("counting", {"counting.c": ONE_ARGUMENT, "Dockerfile": DOCKERFILE})
        self.build(tree)
        self.assertIn("it ends with status 0\n", self.whittle("check", "--probe", "counting").stdout)

    def probed(self, name, source, *arguments):
        return self.whittle("build", "--probe", *arguments, self.write_tree(name, {f"{name}.c": source}))

    def why(self, name, path):
        return self.whittle("why", "--json", name, path).json

    def test_what_a_program_misses_and_whittle_has_is_added_and_explained(self):
        result = self.probed("names", complains("/etc/services"))
        self.assertIn("added /etc/services and /etc/protocols: when it was run it said", result.stderr)
        self.assertNotIn("is not there", result.stderr)
        why = self.why("names", "/etc/services")
        self.assertEqual(why["origin"], "whittle, services")
        self.assertEqual(why["reason"], "when it was run it said `tool: /etc/services: No such file or directory`")

    def test_certificates_come_where_they_are_looked_for(self):
        path = "/etc/pki/tls/certs/ca-bundle.crt"
        result = self.probed("roots", complains(path))
        self.assertIn("added the CA roots", result.stderr)
        self.assertIn("`certificates = \"always\"` under `[image]` does the same", result.stderr)
        self.assertIn("ca-bundle.crt", self.why("roots", path)["reason"])

    def test_a_folder_for_what_a_program_writes_belongs_to_its_user(self):
        result = self.probed("state", WRITES_STATE)
        self.assertIn("added the folder `/var/lib/tool`: when it was run it said", result.stderr)
        self.assertIn("when it is run, it ends with status 0", result.stderr)
        self.assertEqual(self.why("state", "/var/lib/tool")["origin"], "whittle, folder")

    def test_home_is_set_for_a_program_that_writes_there(self):
        result = self.probed("homely", WRITES_HOME)
        self.assertIn("set HOME to /tmp: it does not run where it cannot write to HOME", result.stderr)
        image = self.whittle("inspect", "--json", "homely").json
        self.assertIn("HOME=/tmp", str(image))

    def test_the_same_inputs_give_the_same_image_each_time(self):
        tree = self.write_tree("same", {"same.c": complains("/etc/protocols")})
        first = self.whittle("build", "--probe", tree)
        again = self.whittle("build", "--probe", tree)
        self.assertEqual(first.stdout, again.stdout)
        self.assertIn("nothing had changed", again.stderr)
        plain = self.whittle("build", tree)
        self.assertNotEqual(first.stdout, plain.stdout)
        self.assertEqual(self.whittle("build", "--probe", tree, env={"WHITTLE_CACHE": self.temporary / "other"}).stdout, first.stdout)

    def test_what_does_not_help_is_not_added(self):
        never = '#include <stdio.h>\nint main(void) { fputs("tool: unknown port\\n", stderr); return 1; }\n'
        result = self.probed("never", never)
        self.assertNotIn("added", result.stderr)
        self.whittle("why", "never", "/etc/services", expect=2)
        forbidden = self.write_tree("forbidden", {"forbidden.c": complains("/etc/ssl/cert.pem"), "whittle.toml": '[image]\ncertificates = "never"\n'})
        self.assertNotIn("added", self.whittle("build", "--probe", forbidden).stderr)


if __name__ == "__main__":
    unittest.main()
