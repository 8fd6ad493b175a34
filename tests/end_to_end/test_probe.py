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


if __name__ == "__main__":
    unittest.main()
