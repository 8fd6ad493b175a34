"""Byte code that depends on the source, the interpreter and the place in the image alone.

marshal marks what is referred to more than once, by reference counts that depend on whatever else the process has seen. Each
file is therefore compiled in a fork of one and the same state.
"""

import importlib.util
import os
import sys
from importlib._bootstrap_external import _code_to_hash_pyc


def compiled(source, shown):
    code = compile(source, shown, "exec", dont_inherit=True, optimize=0)
    return bytes(_code_to_hash_pyc(code, importlib.util.source_hash(source), False))


def beside(path):
    """Where the byte code of a source lies that stays: `a/__pycache__/b.cpython-311.pyc`."""
    head, tail = os.path.split(path)
    return os.path.join(head, "__pycache__", tail[:-3] + "." + sys.implementation.cache_tag + ".pyc")


def compile_one(source_path, shown, target):
    with open(source_path, "rb") as file:
        source = file.read()
    try:
        data = compiled(source, shown)
    except (SyntaxError, ValueError):
        return 3
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data)
    return 0


def compile_all(jobs, workers=None):
    """`jobs` are (source, path in the image, target). Returns the sources that are no Python of this version."""
    workers = workers or os.cpu_count() or 1
    running, broken = {}, []

    def wait():
        pid, status = os.wait()
        source = running.pop(pid)
        if os.WEXITSTATUS(status) == 3:
            broken.append(source)
        elif status != 0:
            sys.exit("cannot compile " + source)

    for source, shown, target in jobs:
        if len(running) >= workers:
            wait()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = compile_one(source, shown, target)
            finally:
                os._exit(status)
        running[pid] = source
    while running:
        wait()
    return broken
