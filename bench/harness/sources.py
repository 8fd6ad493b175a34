"""Fetches the sources of other people's programs and unpacks them into trees that whittle has never seen."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from harness.measure import Unavailable
from harness.peers import without_toolchain_switch

DEBIAN = "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main\n"


def tree_of(program, folder, cache):
    """A writable copy of the sources below `folder`, without version control around it."""
    fetch = {"debian": debian_source, "crate": crate, "go": go_module}[program.kind]
    fetch(program, folder, cache / "sources")
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | 0o200)
    return folder


def command(argv, what, **more):
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, **more)
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise Unavailable(f"{what} cannot be had: {said}")
    return done.stdout


def apt(cache, *arguments, **more):
    """apt-get with a source list and state of its own: nothing of the machine's configuration is changed."""
    apt_folder = cache / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (apt_folder / name).mkdir(parents=True, exist_ok=True)
    (apt_folder / "sources.list").write_text(DEBIAN)
    options = {
        "Dir::Etc::sourcelist": apt_folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": apt_folder / "lists",
        "Dir::Cache": apt_folder / "cache",
        "APT::Sandbox::User": "root",
    }
    settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return command(["apt-get", "-q", *settings, *arguments], "the sources of Debian", **more)


def debian_source(program, folder, cache):
    downloads = cache / "debian" / program.package
    if not list(downloads.glob("*.dsc")):
        downloads.mkdir(parents=True, exist_ok=True)
        if not list((cache / "apt/lists").glob("*Sources*")):
            apt(cache, "update")
        apt(cache, "source", "--download-only", program.package, cwd=downloads)
    description = next(downloads.glob("*.dsc"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    options = ["--no-copy", "--no-check", "--skip-patches", "-q"]
    command(["dpkg-source", *options, "-x", description, folder], program.name)
    shutil.rmtree(folder / "debian", ignore_errors=True)


def crate(program, folder, cache):
    """The package as `cargo fetch` unpacks it, with its own lock file."""
    project = cache / "crates" / program.package
    (project / "src").mkdir(parents=True, exist_ok=True)
    (project / "src/lib.rs").touch()
    (project / "Cargo.toml").write_text(
        '[package]\nname = "fetch"\nversion = "0.1.0"\nedition = "2021"\n[workspace]\n'
        f'[dependencies]\n{program.package} = "={program.version}"\n'
    )
    environment = {**os.environ, "CARGO_HOME": str(cache / "cargo")}
    command(["cargo", "fetch"], program.name, cwd=project, env=environment)
    metadata = json.loads(command(["cargo", "metadata", "--format-version=1", "--offline"], program.name, cwd=project, env=environment))
    package = next(one for one in metadata["packages"] if one["name"] == program.package)
    shutil.copytree(Path(package["manifest_path"]).parent, folder, symlinks=True)
    (folder / ".cargo-ok").unlink(missing_ok=True)


def go_module(program, folder, cache):
    environment = {**without_toolchain_switch(), "GOMODCACHE": str(cache / "modules")}
    said = command(["go", "mod", "download", "-json", f"{program.package}@{program.version}"], program.name, cwd="/", env=environment)
    shutil.copytree(json.loads(said)["Dir"], folder, symlinks=True)
