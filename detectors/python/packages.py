"""Fetches the packages of a requirements file as wheels, and keeps of them what a program needs."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

import bytecode
import elf
import modules
import packages_facts

PLACE = "/usr/lib/python3/site-packages"
# For those who compile against a package, or look at it with a type checker.
NOT_RUN = re.compile(r"\.(?:pyi|pyx|pxd|pxi|c|cc|cpp|h|hh|hpp|a|la|lib|f90|pyc|whl)$|^py\.typed$|^\.DS_Store$")
METADATA = re.compile(r"^(?:METADATA|entry_points\.txt|top_level\.txt|namespace_packages\.txt|LICEN[CS]E.*|COPYING.*|NOTICE.*|AUTHORS.*)$", re.I)
TESTS = {"test", "tests"}
INSTALLERS = {"pip": "pip", "setuptools": "setuptools", "wheel": "wheel"}
READS_SOURCES = re.compile(rb"\bgetsource(?:lines|file)?\b|\bfindsource\b|\bget_source\b")


def fetch(spec, folder):
    command = [sys.executable, "-s"] + sys.argv[2:] + ["install", "--target", folder, "--no-compile", "--no-input", "--no-warn-script-location"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--only-binary", ":all:", "--root-user-action", "ignore"]
    command += spec["options"] + ["-r", spec["requirements"]]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    sys.stdout.write(result.stdout)
    if result.returncode != 0:
        explain(result.stdout)
        sys.exit(result.returncode)


def explain(said):
    """pip's last lines say what it could not find; not that whittle takes wheels alone."""
    missing = re.findall(r"No matching distribution found for (\S+)", said)
    for name in sorted(set(missing)):
        release = "%d.%d" % sys.version_info[:2]
        print("error: no wheel of %s fits Python %s on this machine: whittle runs no build of packages" % (name, release))
        print("error: lock a version of it that has one, or build the wheel yourself and name its folder with `--find-links` in requirements.txt")


def distributions(root):
    """Name and dist-info folder of each package."""
    for name in sorted(os.listdir(root)):
        if name.endswith(".dist-info"):
            yield re.sub(r"[-_.]+", "-", name.split("-")[0]).lower(), os.path.join(root, name)


def entry_points(info):
    """`console_scripts` as name → module:function."""
    scripts, section = {}, ""
    try:
        with open(os.path.join(info, "entry_points.txt"), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        return scripts
    for line in lines:
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == "console_scripts" and "=" in line:
            name, target = (part.strip() for part in line.split("=", 1))
            scripts[name] = target.split("[")[0].strip()
    return scripts


def write_launchers(root):
    """Python files that anyone can start with the interpreter, in place of scripts that name this machine's."""
    folder = os.path.join(root, "bin")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            is_program = file.read(4) == b"\x7fELF"
        if not is_program:
            os.remove(path)
    for _, info in distributions(root):
        for name, target in entry_points(info).items():
            if re.fullmatch(r"[\w.-]+", name) and re.fullmatch(r"[\w.]+(:[\w.]+)?", target):
                packages_facts.write(os.path.join(folder, name), packages_facts.launcher(target))


def owner_of_tops(root):
    """Which top-level names belong to pip, setuptools and wheel."""
    tops = {}
    for name, info in distributions(root):
        if name in INSTALLERS:
            record = os.path.join(info, "RECORD")
            if os.path.exists(record):
                with open(record, encoding="utf-8") as file:
                    tops[name] = {line.split("/")[0].split(",")[0] for line in file if not line.startswith("..")}
    return tops


def drop_installers(root, imports):
    """Packages that install packages go, unless something imports them."""
    for name, tops in owner_of_tops(root).items():
        own = {top for top in tops if not top.endswith(".dist-info")}
        wanted = {found.split(".")[0] for module, names in imports.items() if module.split(".")[0] not in own for found in names}
        if own & wanted - {"__pycache__", "bin"}:
            continue
        for top in tops:
            path = os.path.join(root, top)
            shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.remove(path)


def is_tested_only(path, root, imports):
    """A folder of tests that no module outside of it imports."""
    module = os.path.relpath(path, root).replace(os.sep, ".")
    return not any(
        name == module or name.startswith(module + ".")
        for other, names in imports.items()
        if other != module and not other.startswith(module + ".") and ".tests." not in other + "."
        for name in names
    )


def trim_metadata(info):
    for name in os.listdir(info):
        path = os.path.join(info, name)
        if os.path.isfile(path) and not METADATA.match(name):
            os.remove(path)
    path = os.path.join(info, "METADATA")
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            head = file.read().split("\n\n")[0]
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(head + "\n")


def prune(root, imports, is_full):
    for _, info in distributions(root):
        trim_metadata(info)
    for folder, below, files in os.walk(root):
        below.sort()
        for name in list(below):
            path = os.path.join(folder, name)
            is_test = folder != root and name in TESTS and not is_full and is_tested_only(path, root, imports)
            if name == "__pycache__" or is_test:
                below.remove(name)
                shutil.rmtree(path)
        for name in files:
            if NOT_RUN.search(name) and not is_full:
                os.remove(os.path.join(folder, name))


def host_libraries():
    """Names of what the loader of this machine finds by itself."""
    folders = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"]
    for settings in ["/etc/ld.so.conf"] + sorted(glob.glob("/etc/ld.so.conf.d/*.conf")):
        try:
            with open(settings, encoding="utf-8") as file:
                folders += [line.strip() for line in file if line.startswith("/")]
        except OSError:
            pass
    return {name for folder in folders if os.path.isdir(folder) for name in os.listdir(folder) if ".so" in name}


def shared_objects(root):
    """ELF files with a dynamic section: path → libraries that it needs, and whether Python can import it."""
    found = {}
    for folder, _, names in sorted(os.walk(root)):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if ".so" in name and not os.path.islink(path):
                with open(path, "rb") as file:
                    data = file.read()
                if data[:4] == b"\x7fELF":
                    found[path] = (elf.Elf(data).needed(), b"PyInit_" in data)
    return found


def drop_plugins(root):
    """Libraries that only hardware of some vendor needs, and that cannot be loaded without their vendor's own."""
    objects, host = shared_objects(root), host_libraries()
    while True:
        brought = {os.path.basename(path) for path in objects} | host
        wanted = {name for needs, _ in objects.values() for name in needs}
        for path, (needs, is_module) in objects.items():
            missing = sorted(needs - brought)
            if missing and not is_module and os.path.basename(path) not in wanted:
                break
        else:
            return
        print("left out %s: it needs %s, which is not here" % (os.path.relpath(path, root), ", ".join(missing)))
        os.remove(path)
        del objects[path]


def read_imports(root):
    """Module → names that it imports, and its texts that may name encodings."""
    imports, texts = {}, {}
    for module, path, kind in modules.module_files(root):
        if kind == "extension":
            imports[module], texts[module] = sorted(modules.names_in_extension(path)), set()
        else:
            found = modules.imports_of(path, module, path.endswith("__init__.py"), False)
            imports[module], texts[module] = sorted(found.spoken_names()), found.short_texts()
    return imports, texts


def reading_sources(root):
    """Top-level names of packages that look at sources at run time."""
    tops = set()
    for module, path, kind in modules.module_files(root):
        if kind == "source":
            with open(path, "rb") as file:
                if READS_SOURCES.search(file.read()):
                    tops.add(module.split(".")[0])
    return tops


def compile_packages(root, is_full):
    keep = reading_sources(root)
    jobs, sources = [], []
    for module, path, kind in modules.module_files(root):
        if kind != "source":
            continue
        relative = os.path.relpath(path, root)
        stays = is_full or module.split(".")[0] in keep
        jobs.append((path, PLACE + "/" + relative, bytecode.beside(path) if stays else path + "c"))
        if not stays:
            sources.append(path)
    broken = set(bytecode.compile_all(jobs))
    for path in sources:
        if path not in broken:
            os.remove(path)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        spec = json.load(file)
    root = spec["packages"]
    shutil.rmtree(root, ignore_errors=True)
    fetch(spec, root)
    imports, texts = read_imports(root)
    drop_installers(root, imports)
    prune(root, imports, spec["full"])
    drop_plugins(root)
    write_launchers(root)
    left = {module for module, _, _ in modules.module_files(root)}
    scripts = {}
    for _, info in distributions(root):
        scripts.update(entry_points(info))
    names = [name for name, _ in distributions(root)]
    compile_packages(root, spec["full"])
    facts = {
        "imports": {module: names for module, names in imports.items() if module in left},
        "texts": sorted(set().union(*(texts.get(module, ()) for module in left))),
        "scripts": scripts,
        "distributions": names,
    }
    with open(spec["facts"], "w", encoding="utf-8") as file:
        json.dump(facts, file, sort_keys=True)


main()
