"""What somebody would type instead of `whittle build`: the compiler commands of whittle's own plan, with the same flags, alone."""

import os
import re
import shlex
import shutil

from harness.measure import Contender
from support.case import remove_tree

# Steps that only ask a tool what there is; a person knows.
QUESTIONS = ("goList",)


def first_toolchain(plan):
    """The first whose compilers are here, as whittle takes them; nobody would fetch one for a single build."""
    toolchains = plan.get("toolchains") or [{}]
    is_here = lambda one: all(shutil.which(words.split()[0]) for words in (one["cc"], one["cxx"]) if words)
    return next((one for one in toolchains if "cc" in one and is_here(one)), toolchains[0])


class ByHand:
    """The plan's steps as one shell line in a work folder of their own."""

    def __init__(self, name, tree, plan, folder):
        self.name = name
        self.tree = tree
        self.folder = folder
        self.plan = plan
        self.steps = [step for step in plan["steps"] if step["report"] not in QUESTIONS]
        toolchain = first_toolchain(plan)
        self.flags = {"compile_flags": toolchain.get("compileFlags", []), "link_flags": toolchain.get("linkFlags", [])}
        self.words = {
            "work": str(folder / "work"),
            "source": str(folder / "work/src"),
            "keep": str(folder / "keep"),
            "jobs": str(len(os.sched_getaffinity(0))),
            "cc": toolchain.get("cc", ""),
            "cxx": toolchain.get("cxx", ""),
            **{flags: " ".join(words) for flags, words in self.flags.items()},
        }

    def clean(self):
        """No cache, no result; the sources are there."""
        remove_tree(self.folder)
        shutil.copytree(self.tree, self.folder / "work/src", symlinks=True)
        for step in self.steps:
            for path, text in step.get("files", {}).items():
                self.write(self.folder / "work" / path, text)
            for path in step.get("outputs", []):
                (self.folder / "work" / path).parent.mkdir(parents=True, exist_ok=True)

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.filled(text))

    def first_build(self):
        return Contender(self.name, ["sh", "-c", self.script()], prepare=self.clean)

    def again(self):
        return Contender(self.name, ["sh", "-c", self.script()])

    def script(self):
        return " && ".join(self.line(step) for step in self.steps)

    def line(self, step):
        argv = []
        for word in step["argv"]:
            flags = self.flags.get(word[2:-1]) if re.fullmatch(r"\$\{\w+\}", word) else None
            argv += flags if flags is not None else [self.filled(word)]
        environment = [f"{name}={self.filled(value)}" for name, value in step.get("env", {}).items()]
        folder = self.folder / "work" / step.get("folder", "src")
        return f"cd {shlex.quote(str(folder))} && " + shlex.join(["env", *environment, *argv])

    def filled(self, text):
        text = re.sub(r"\$\{(\w+)\}", lambda hit: self.words[hit[1]], text)
        text = re.sub(r"\$\{cache:([\w-]+)\}", lambda hit: str(self.folder / "cache" / hit[1]), text)
        return re.sub(r"\$\{tool:([^}]+)\}", lambda hit: hit[1], text)
