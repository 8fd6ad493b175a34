"""Small source trees that the end-to-end tests build, change and break."""

import random

C_MAIN = r"""
#include <stdio.h>
#include "greeting.h"
int main(int count, char** words) {
  FILE* note = fopen("/srv/note.txt", "r");
  char line[64] = "no note";
  if (note) fscanf(note, "%63[^\n]", line);
  printf("%s from C, %d arguments, %s\n", GREETING, count - 1, line);
  return 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(hello C)
add_executable(hello main.c)
"""

CONFIGURATION = """
name = "team/hello"
[image]
files = [{ source = "assets/", path = "/srv", mode = "0644" }]
"""


def incompressible(size, seed=0):
    return random.Random(seed).randbytes(size)


def text(size, seed=0):
    """Text that compresses about as well as source code, so that layers are more than one zstd block long."""
    source = random.Random(seed)
    words = [format(source.getrandbits(40), "x") for _ in range(4000)]
    lines = []
    total = 0
    while total < size:
        lines.append(" ".join(source.choices(words, k=12)))
        total += len(lines[-1]) + 1
    return "\n".join(lines)[:size]


def c_tree(greeting="hello", asset_size=300_000):
    """A CMake program with assets; two seconds from nothing, so that a test can build it many times."""
    return {
        "CMakeLists.txt": CMAKE,
        "main.c": C_MAIN,
        "greeting.h": f'#define GREETING "{greeting}"\n',
        "whittle.toml": CONFIGURATION,
        "assets/note.txt": f"note of {greeting}\n",
        "assets/data/words.txt": text(asset_size),
        "assets/data/noise.bin": incompressible(asset_size),
        "assets/empty": "",
        "assets/ünïcode name.txt": "name with a space and accents\n",
    }


def slow_tree(seconds):
    """A tree whose compilation starts `sleep`, with a number that no other process has on its command line."""
    command = f'\nadd_custom_command(OUTPUT slow.h COMMAND sleep "{seconds}" COMMAND cmake -E touch slow.h)\n'
    command += "add_custom_target(slow DEPENDS slow.h)\nadd_dependencies(hello slow)\n"
    return {**c_tree(), "CMakeLists.txt": CMAKE + command}


GO_MAIN = r"""package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	fmt.Printf("hello from Go, %d arguments, %s\n", len(os.Args)-1, filepath.Base(os.Args[0]))
}
"""


def go_tree():
    return {"go.mod": "module example.org/hello\n\ngo 1.19\n", "main.go": GO_MAIN, "README.md": "# hello\n"}
