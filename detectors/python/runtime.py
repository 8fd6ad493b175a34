"""The interpreter with the part of its standard library that is imported."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import sysconfig

import bytecode
import elf
import modules

PLACE = "/usr"
LIBRARY = os.path.realpath(sysconfig.get_path("stdlib"))
EXTENSIONS = os.path.join(os.path.realpath(sysconfig.get_path("platstdlib")), "lib-dynload")
# Where both lie below the prefix: "lib/python3.11".
INSTALLED = os.path.join(sys.platlibdir if hasattr(sys, "platlibdir") else "lib", "python%d.%d" % sys.version_info[:2])

# What starting, ending and failing loads.
ALWAYS = """encodings encodings.aliases encodings.utf_8 encodings.ascii encodings.latin_1 encodings.idna codecs io abc site os stat
posixpath genericpath _collections_abc _sitebuiltins runpy importlib.util importlib.machinery zipimport warnings linecache tokenize
traceback threading _weakrefset collections types copyreg _strptime locale functools keyword operator reprlib re weakref __future__
contextlib signal""".split()
# What compiled modules import, in interpreters that have them built in.
BY_COMPILED = {
    "_asyncio": "asyncio asyncio.events asyncio.base_futures asyncio.base_tasks asyncio.exceptions asyncio.coroutines traceback weakref",
    "_ctypes": "ctypes ctypes._endian",
    "_datetime": "_strptime",
    "_decimal": "numbers collections",
    "_elementtree": "copy xml.etree.ElementPath",
    "_json": "json json.decoder",
    "_pickle": "copyreg _compat_pickle",
    "_sqlite3": "sqlite3 sqlite3.dbapi2 sqlite3.dump",
    "_zoneinfo": "zoneinfo zoneinfo._common zoneinfo._tzpath",
    "time": "_strptime",
    "sysconfig": "_sysconfigdata",
}
# Imports of conveniences that no server reaches: help(), self tests, an interactive prompt.
NOT_FOLLOWED = {
    ("_sitebuiltins", "pydoc"), ("site", "readline"), ("site", "rlcompleter"), ("site", "_pyrepl"), ("site", "pydoc"),
    ("cmd", "readline"), ("code", "readline"), ("pickle", "doctest"), ("heapq", "doctest"), ("difflib", "doctest"),
    ("importlib.resources", "test"), ("unittest", "idlelib"),
}  # fmt: skip
# Written in Python for interpreters that lack the compiled form.
SLOW = {"_pydecimal": "_decimal", "_pydatetime": "_datetime", "_pyio": "_io"}
NOT_FOLLOWED |= {(user, slow) for slow, fast in SLOW.items() if importlib.util.find_spec(fast) for user in (fast, slow[3:], "io")}
# Large, and imported in passing: only what the application reaches by import statements brings them.
RARE = {"tkinter", "turtle", "lib2to3", "ensurepip", "venv", "pydoc_data", "_tkinter"}
NEVER = {"test", "idlelib", "turtledemo", "antigravity", "this", "__phello__", "_testcapi", "_testbuffer", "_testinternalcapi", "_testimportmultiple", "_xxtestfuzz"}
# Codecs for texts of East Asia: their tables are as large as a small standard library.
EASTERN = {
    "_codecs_cn": r"gb_?2312(_80)?|gbk|gb18030(_2000)?|(cp|ms)?936|hz(_gb)?(_2312)?|euc_?cn|chinese|iso_ir_58",
    "_codecs_hk": r"big5_?hkscs|hkscs",
    "_codecs_iso2022": r"iso_?2022_(jp|kr).*|csiso2022(jp|kr)",
    "_codecs_jp": r"s_?jis(_2004|x0213)?|shift_?jis(_2004|x0213)?|csshiftjis|euc_?(jp|jis_?2004|jisx0213)|u_?jis|(cp|ms)?932|mskanji",
    "_codecs_kr": r"euc_?kr|johab|(cp|ms)?949|uhc|korean|ks_?c_5601(_1987)?|ks_?x_1001|iso_ir_149",
    "_codecs_tw": r"big5(_tw)?|csbig5|(cp|ms)?950",
}
EASTERN_FILE = re.compile(r"^encodings\.(?:big5|cp932|cp949|cp950|euc_|gb|hz|iso2022|johab|shift_)")


class Library:
    """The standard library of this interpreter: its modules, what each imports, and their byte code, remembered in `cache`."""

    def __init__(self, cache):
        identity = json.dumps([sys.version, LIBRARY, os.stat(LIBRARY).st_mtime_ns, own_digest()])
        self.folder = os.path.join(cache, "library-" + hashlib.sha256(identity.encode()).hexdigest()[:32])
        os.makedirs(self.folder, exist_ok=True)
        self.modules = self.load() or self.read()

    def load(self):
        try:
            with open(os.path.join(self.folder, "modules.json"), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            return None

    def read(self):
        found = {}
        for module, path, kind in modules.module_files(LIBRARY, without=NEVER):
            imports = modules.imports_of(path, module, path.endswith("__init__.py"), None).names
            found[module] = {"path": path, "kind": kind, "imports": sorted(imports)}
        for module, path, kind in modules.module_files(EXTENSIONS) if os.path.isdir(EXTENSIONS) else ():
            if module not in NEVER and not module.startswith("_test"):
                found[module] = {"path": path, "kind": kind, "imports": sorted(modules.names_in_extension(path))}
        data = next((module for module in found if module.startswith("_sysconfigdata")), None)
        for module, names in BY_COMPILED.items():
            imports = [data if name == "_sysconfigdata" else name for name in names.split()]
            entry = found.setdefault(module, {"path": "", "kind": "built in", "imports": []})
            entry["imports"] = sorted(set(entry["imports"]) | {name for name in imports if name})
        known = set(found)
        for entry in found.values():
            entry["imports"] = sorted(known & set(modules.with_parents(entry["imports"])))
        temporary = os.path.join(self.folder, "modules.%d" % os.getpid())
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(found, file)
        os.replace(temporary, os.path.join(self.folder, "modules.json"))
        return found

    def closure(self, names, texts):
        """Everything that `names` lead to. A codec of East Asia needs a text that names it."""
        spoken = [text.lower().replace("-", "_") for text in texts]
        absent = {module for module, sign in EASTERN.items() if not any(re.fullmatch(sign, text) for text in spoken)}
        absent |= {module for module in self.modules if EASTERN_FILE.match(module) and absent & set(self.modules[module]["imports"])}
        wanted, open_names = set(), list(modules.with_parents(names)) + ALWAYS
        open_names += [module for module in self.modules if module.startswith("encodings.")]
        while open_names:
            name = open_names.pop()
            if name in wanted or name not in self.modules or name in absent:
                continue
            wanted.add(name)
            for other in modules.with_parents([name]):
                open_names.append(other)
            for other in self.modules[name]["imports"]:
                skipped = (name, other) in NOT_FOLLOWED or (name, other.split(".")[0]) in NOT_FOLLOWED
                if not skipped and (other.split(".")[0] not in RARE or name.split(".")[0] in RARE):
                    open_names.append(other)
        return wanted

    def everything(self):
        return {name for name in self.modules if ".tests" not in name}

    def byte_code(self, names):
        """Module → compiled file; what is not in the cache is compiled."""
        files = {}
        jobs = []
        for name in sorted(names):
            entry = self.modules[name]
            if entry["kind"] != "source":
                continue
            relative = os.path.relpath(entry["path"], LIBRARY)
            target = os.path.join(self.folder, "code", relative + "c")
            files[relative + "c"] = target
            if not os.path.exists(target):
                jobs.append((entry["path"], "%s/%s/%s" % (PLACE, INSTALLED, relative), target))
        broken = set(bytecode.compile_all([(source, shown, target + ".new") for source, shown, target in jobs]))
        for source, _, target in jobs:
            if source not in broken:
                os.replace(target + ".new", target)
        return {relative: target for relative, target in files.items() if os.path.exists(target)}


def own_digest():
    hasher = hashlib.sha256()
    folder = os.path.dirname(os.path.abspath(__file__))
    for name in ("bytecode.py", "modules.py", "runtime.py"):
        with open(os.path.join(folder, name), "rb") as file:
            hasher.update(file.read())
    return hasher.hexdigest()


def copy_stripped(source, target, run_path=None):
    with open(source, "rb") as file:
        data = file.read()
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(elf.stripped(data, run_path))
    os.chmod(target, 0o755)


def write_interpreter(root):
    """The program, and its own library where it has one."""
    program = os.path.realpath(sys.executable)
    copy_stripped(program, os.path.join(root, "bin", "python3"), b"$ORIGIN/../lib")
    name = sysconfig.get_config_var("INSTSONAME")
    library = os.path.join(sysconfig.get_config_var("LIBDIR") or "", name or "")
    with open(os.path.join(root, "bin", "python3"), "rb") as file:
        is_found_by_place = b"$ORIGIN/../lib" in file.read()
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and is_found_by_place and os.path.isfile(library):
        copy_stripped(library, os.path.join(root, "lib", name))


def write_library(root, library, names, is_full):
    place = os.path.join(root, INSTALLED)
    if is_full:
        for name in names:
            entry = library.modules[name]
            if entry["kind"] == "source":
                target = os.path.join(place, os.path.relpath(entry["path"], LIBRARY))
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(entry["path"], target)
    for relative, path in library.byte_code(names).items():
        target = os.path.join(place, bytecode.beside(relative[:-1]) if is_full else relative)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(path, target)
    for name in sorted(names):
        entry = library.modules[name]
        if entry["kind"] == "extension":
            folder = "lib-dynload" if os.path.dirname(entry["path"]) == EXTENSIONS else os.path.dirname(os.path.relpath(entry["path"], LIBRARY))
            copy_stripped(entry["path"], os.path.join(place, folder, os.path.basename(entry["path"])))
    # The interpreter looks for this folder to know where it is.
    os.makedirs(os.path.join(place, "lib-dynload"), exist_ok=True)
    if not os.listdir(os.path.join(place, "lib-dynload")):
        open(os.path.join(place, "lib-dynload", ".keep"), "w").close()
    if "lib2to3" in names:
        shutil.copyfile(os.path.join(LIBRARY, "lib2to3", "Grammar.txt"), os.path.join(place, "lib2to3", "Grammar.txt"))


# The first process of a container gets no signal that it has no handler for, SIGTERM included.
CUSTOM = """import _signal
import os
import site


def end(number, frame):
    raise SystemExit(128 + number)


site.addsitedir("/usr/lib/python3/site-packages")
if os.getpid() == 1 and _signal.getsignal(_signal.SIGTERM) == _signal.SIG_DFL:
    _signal.signal(_signal.SIGTERM, end)
"""


def write_runtime(root, library, names, is_full):
    shutil.rmtree(root, ignore_errors=True)
    write_interpreter(root)
    write_library(root, library, names, is_full)
    with open(os.path.join(root, INSTALLED, "sitecustomize.py"), "w", encoding="utf-8") as file:
        file.write(CUSTOM)
