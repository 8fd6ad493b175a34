"""Puts the application and its runtime together."""

import json
import os
import re
import shutil
import stat
import sys

import bytecode
import modules
import packages_facts
import runtime

# What a working copy holds beside the product.
HIDDEN_FOLDERS = {"__pycache__", "node_modules", "venv", "env", "virtualenv", "htmlcov", "build", "dist", "site-packages"}
MANIFESTS = re.compile(
    r"^(?:requirements.*\.(?:txt|in)|(?:poetry|pdm|uv)\.lock|pylock.*\.toml|Pipfile(?:\.lock)?|Procfile|Makefile|tox\.ini|setup\.(?:py|cfg)|"
    r"MANIFEST\.in|noxfile\.py|conftest\.py|whittle\.toml|Dockerfile.*|.*\.Dockerfile|docker-compose.*|compose\.ya?ml|runtime\.txt|"
    r"LICENSE.*|README.*|CHANGELOG.*|CONTRIBUTING.*|mkdocs\.yml)$"
)


class Ignored:
    """Docker's patterns: the last one that covers a path decides."""

    def __init__(self, lines):
        self.rules = []
        for line in lines:
            takes_back = line.startswith("!")
            pattern = line[1:] if takes_back else line
            self.rules.append((re.compile(self.expression(pattern.strip().strip("/"))), takes_back))

    @staticmethod
    def expression(pattern):
        out, i = "", 0
        while i < len(pattern):
            c = pattern[i]
            if pattern.startswith("**", i):
                i += 2
                if pattern.startswith("/", i):
                    out, i = out + "(?:.*/)?", i + 1
                else:
                    out += ".*"
                continue
            if c == "*":
                out += "[^/]*"
            elif c == "?":
                out += "[^/]"
            elif c == "[" and "]" in pattern[i + 2 :]:
                end = pattern.index("]", i + 2)
                out += "[" + pattern[i + 1 : end].replace("\\", "\\\\") + "]"
                i = end
            elif c == "\\" and i + 1 < len(pattern):
                i += 1
                out += re.escape(pattern[i])
            else:
                out += re.escape(c)
            i += 1
        return "^" + out + "(?:/|$)"

    def covers(self, path):
        found = False
        for expression, takes_back in self.rules:
            if found == takes_back and expression.match(path):
                found = not takes_back
        return found


class Application:
    def __init__(self, spec, ignored):
        self.spec = spec
        self.context = spec["context"]
        self.ignored = Ignored([line for line in ignored.split("\n") if line])

    def files(self, folder):
        """Paths of the product's files below `folder`, relative to it."""
        found = []
        for place, below, names in os.walk(os.path.join(self.context, folder)):
            relative = os.path.relpath(place, os.path.join(self.context, folder))
            relative = "" if relative == "." else relative + "/"
            below[:] = sorted(name for name in below if not self.is_hidden(place, relative, name))
            for name in names + [one for one in below if os.path.islink(os.path.join(place, one))]:
                if self.is_wanted(folder, relative, name):
                    found.append(relative + name)
        return sorted(found)

    def is_hidden(self, place, relative, name):
        path = os.path.join(place, name)
        if name.startswith(".") or name.endswith(".egg-info"):
            return True
        if name in HIDDEN_FOLDERS and (name not in ("env", "build", "dist") or not relative):
            return not os.path.exists(os.path.join(path, "__init__.py"))
        if os.path.exists(os.path.join(path, "pyvenv.cfg")):
            return True
        return not relative and name in ("tests", "test", "docs", "examples", "benchmarks")

    def is_wanted(self, folder, relative, name):
        if name.startswith(".") or name.endswith((".pyc", ".pyo", ".pyi")):
            return False
        if not relative and MANIFESTS.match(name):
            return False
        path = os.path.normpath(os.path.join(folder, relative + name))
        is_mapped = any(path == place or path.startswith(place + "/") for place in self.spec["mapped"])
        return not is_mapped and not self.ignored.covers(path)

    def copy(self, folder, target):
        jobs = []
        for path in self.files(folder):
            source, copy = os.path.join(self.context, folder, path), os.path.join(target, path)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            if os.path.islink(source):
                inside = os.path.realpath(source).startswith(os.path.realpath(self.context) + os.sep)
                if inside and os.path.isfile(source):
                    shutil.copyfile(source, copy)
                continue
            if not os.path.isfile(source):
                continue
            shutil.copyfile(source, copy)
            os.chmod(copy, 0o755 if os.stat(source).st_mode & stat.S_IXUSR else 0o644)
            if path.endswith(".py"):
                jobs.append(path)
        return jobs


def compile_product(root, shown, paths):
    jobs = [(os.path.join(root, path), shown + "/" + path, bytecode.beside(os.path.join(root, path))) for path in paths]
    for source in bytecode.compile_all(jobs):
        print("warning: %s is no Python of this version" % os.path.relpath(source, root))


def product_imports(root, paths):
    """All names that the application imports or speaks of, and its texts."""
    names, texts = set(), set()
    for path in paths:
        module = path[:-3].replace("/", ".")
        is_package = module.endswith("__init__")
        module = module.rpartition(".")[0] if is_package else module
        found = modules.imports_of(os.path.join(root, path), module, is_package, True)
        names |= found.spoken_names()
        texts |= found.short_texts()
    return names, texts


def write_project(root, spec):
    """What `importlib.metadata` says of the project, and its scripts."""
    project = spec["project"]
    if project["name"]:
        stem = re.sub(r"[-_.]+", "_", project["name"])
        info = os.path.join(root, "%s-%s.dist-info" % (stem, project["version"]))
        packages_facts.write(
            os.path.join(info, "METADATA"),
            "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (project["name"], project["version"]),
        )
        if spec["scripts"]:
            lines = ["%s = %s" % item for item in sorted(spec["scripts"].items())]
            packages_facts.write(os.path.join(info, "entry_points.txt"), "[console_scripts]\n" + "\n".join(lines) + "\n")
    for name, target in spec["scripts"].items():
        packages_facts.write(os.path.join(root, "bin", name), packages_facts.launcher(target))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    facts = packages_facts.read(spec["facts"])
    with open(os.path.join(os.path.dirname(sys.argv[1]), "ignored"), encoding="utf-8") as file:
        application = Application(spec, file.read())
    shutil.rmtree(spec["application"], ignore_errors=True)
    paths = application.copy(spec["folder"], spec["application"])
    names, texts = product_imports(spec["application"], paths)
    names |= {target.split(":")[0] for target in spec["scripts"].values()} | set(spec["started"])
    compile_product(spec["application"], spec["place"], paths)
    shutil.rmtree(spec["project_folder"], ignore_errors=True)
    for folder in spec["members"]:
        own = application.copy(folder, spec["project_folder"])
        more, more_texts = product_imports(spec["project_folder"], own)
        names, texts = names | more, texts | more_texts
        compile_product(spec["project_folder"], "/usr/lib/python3/application", own)
    write_project(spec["project_folder"], spec)
    library = runtime.Library(os.environ["PYTHON_LIBRARIES"])
    if spec["full"]:
        wanted = library.everything()
    else:
        reached = packages_facts.reached(names, facts["imports"])
        passed = {name for found in facts["imports"].values() for name in found if name.split(".")[0] not in runtime.RARE}
        wanted = library.closure(reached | passed, texts | set(facts["texts"]))
    runtime.write_runtime(spec["runtime"], library, wanted, spec["full"])


main()
