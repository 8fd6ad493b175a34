"""What a disk may hold after a power cut: the writes of a program are recorded with the `strace` program and replayed in every order
that fsync allows.

A write is certain once its file was synced, an entry of a folder once the folder was, and everything once syncfs returned. What is
not certain may have reached the disk or not, each write and each entry for itself; only a rename is one thing. That is less than any
journaling file system promises.
"""

import itertools
import os
import random
import re
import subprocess
from pathlib import Path

from support.parties import program

CALLS = "openat,write,pwrite64,lseek,ftruncate,rename,unlink,unlinkat,mkdir,rmdir,fsync,fdatasync,syncfs,utimensat,close"
MOST_SUBSETS = 64


def record(argv, folder, environment):
    """The calls of the main thread as (name, arguments, result)."""
    log = Path(folder) / "writes.log"
    command = [program("strace"), "-qq", "-xx", "-s", "100000000", "-o", log, "-e", "trace=" + CALLS, *argv]
    subprocess.run([str(word) for word in command], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=600)
    calls = []
    for line in log.read_text().splitlines():
        match = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", line)
        if match and int(match[3]) >= 0:
            calls.append((match[1], match[2], int(match[3])))
    return calls


def texts(arguments):
    return [bytes.fromhex(text.replace("\\x", "")) for text in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', arguments)]


class File:
    """An inode: its certain content, and what was done to it since."""

    def __init__(self, content=b"", time=None):
        self.certain = (content, time)
        self.pending = []

    def result(self, chosen=None):
        content, time = bytearray(self.certain[0]), self.certain[1]
        for change in self.pending:
            if chosen is not None and id(change) not in chosen:
                continue
            kind, *rest = change
            if kind == "write":
                offset, data = rest
                content.extend(bytes(max(0, offset + len(data) - len(content))))
                content[offset : offset + len(data)] = data
            elif kind == "truncate":
                del content[rest[0] :]
                content.extend(bytes(rest[0] - len(content)))
            else:
                time = rest[0]
        return bytes(content), time


class Disk:
    """The files below `root`, as they are now and as they certainly are."""

    def __init__(self, root):
        self.root = Path(root)
        self.now = {}  # path relative to the root → File, or None for a folder
        for path in sorted(self.root.rglob("*")):
            self.now[str(path.relative_to(root))] = None if path.is_dir() else File(path.read_bytes(), path.stat().st_mtime_ns)
        self.certain = dict(self.now)
        self.entries = []  # changes of folders since they were synced: [(path, File, None or "gone")…] each
        self.open = {}  # descriptor → [File or path of a folder, offset]

    def name(self, path):
        path = os.path.normpath(os.fsdecode(path))
        return os.path.relpath(path, self.root) if path == str(self.root) or path.startswith(f"{self.root}/") else None

    def at(self, arguments):
        """The path of unlinkat and openat, which may be relative to a descriptor."""
        path = texts(arguments)[0]
        folder = arguments.split(",")[0]
        if folder.isdigit() and not path.startswith(b"/"):
            base = self.open.get(int(folder))
            return None if base is None or not isinstance(base[0], str) else os.path.normpath(os.path.join(base[0], os.fsdecode(path)))
        return self.name(path)

    def change(self, *parts):
        for path, file in parts:
            if file == "gone":
                self.now.pop(path, None)
            else:
                self.now[path] = file
        self.entries.append(parts)

    def apply(self, name, arguments, result):
        """Returns whether this call changed anything."""
        if name == "openat":
            path = self.at(arguments)
            self.open.pop(result, None)
            if path is None:
                return False
            if path == "." or (path in self.now and self.now[path] is None):
                self.open[result] = [path, 0]
                return False
            is_new = path not in self.now
            if is_new:
                self.change((path, File()))
            elif "O_TRUNC" in arguments:
                self.now[path].pending.append(("truncate", 0))
            self.open[result] = [self.now[path], 0]
            return is_new
        if name in ("rename", "unlink", "mkdir", "rmdir", "unlinkat"):
            paths = [self.at(arguments)] if name == "unlinkat" else [self.name(path) for path in texts(arguments)]
            if None in paths:
                return False
            if name == "rename":
                self.change((paths[0], "gone"), (paths[1], self.now[paths[0]]))
            else:
                self.change((paths[0], None if name == "mkdir" else "gone"))
            return True
        number = int(arguments.split(",")[0])
        opened = self.open.get(number)
        if opened is None:
            return False
        if name == "close":
            del self.open[number]
            return False
        file = opened[0]
        if name == "syncfs":
            self.entries = []
            self.certain = dict(self.now)
            for one in self.now.values():
                self.settle(one)
        elif name in ("fsync", "fdatasync"):
            if isinstance(file, str):
                self.sync_folder(file)
            else:
                self.settle(file)
        elif name == "lseek":
            opened[1] = result
            return False
        elif name == "write":
            file.pending.append(("write", opened[1], texts(arguments)[0][:result]))
            opened[1] += result
        elif name == "pwrite64":
            file.pending.append(("write", int(arguments.rpartition(",")[2]), texts(arguments)[0][:result]))
        elif name == "ftruncate":
            file.pending.append(("truncate", int(arguments.rpartition(",")[2])))
        elif name == "utimensat":
            times = re.findall(r"tv_sec=(\d+)[^,]*, tv_nsec=(\d+)", arguments)
            if not times:
                return False
            file.pending.append(("time", int(times[-1][0]) * 1_000_000_000 + int(times[-1][1])))
        return True

    @staticmethod
    def settle(file):
        if file is not None:
            file.certain = file.result()
            file.pending = []

    def sync_folder(self, folder):
        left = []
        for parts in self.entries:
            if all((os.path.dirname(path) or ".") != folder for path, _ in parts):
                left.append(parts)
                continue
            for path, file in parts:
                if file == "gone":
                    self.certain.pop(path, None)
                else:
                    self.certain[path] = file
        self.entries = left

    def uncertain(self):
        files = {id(file): file for file in [*self.now.values(), *self.certain.values()] if file is not None}
        for parts in self.entries:
            files.update((id(file), file) for _, file in parts if file not in (None, "gone"))
        return [*map(tuple, self.entries)], [change for file in files.values() for change in file.pending]

    def state(self, entries, changes):
        """{path: (content, time) or None for a folder} when just these reached the disk."""
        tree = dict(self.certain)
        for parts in self.entries:
            if id(parts) not in entries:
                continue
            for path, file in parts:
                if file == "gone":
                    tree.pop(path, None)
                else:
                    tree[path] = file
        found = {}
        for path, file in sorted(tree.items()):
            above = os.path.dirname(path)
            if above and tree.get(above, "none") is not None:
                continue  # its folder did not make it
            found[path] = None if file is None else file.result(changes)
        return found


def states(root, calls, seed=1):
    """Every state, each once, that a power cut at any moment of `calls` may leave below `root`; of very many that one moment
    allows, a sample drawn from `seed`."""
    disk, chance, seen = Disk(root), random.Random(seed), set()
    for call in calls:
        changed = disk.apply(*call)
        if not changed:
            continue
        entries, changes = disk.entries, disk.uncertain()[1]
        uncertain = [*entries, *changes]
        if 2 ** len(uncertain) <= MOST_SUBSETS:
            subsets = itertools.chain.from_iterable(itertools.combinations(uncertain, size) for size in range(len(uncertain) + 1))
        else:
            subsets = [uncertain, []] + [uncertain[:size] for size in range(len(uncertain))]
            subsets += [[one for one in uncertain if chance.random() < 0.5] for _ in range(MOST_SUBSETS // 2)]
        for subset in subsets:
            chosen = {id(one) for one in subset}
            state = disk.state(chosen, chosen)
            key = hash(tuple((path, value) for path, value in state.items()))
            if key not in seen:
                seen.add(key)
                yield state


def write_state(root, state):
    """Puts a state on a real disk; `root` is empty."""
    root = Path(root)
    for path, value in state.items():
        place = root / path
        if value is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        content, time = value
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        if time:
            os.utime(place, ns=(time, time))
