"""What is known of the packages after they were fetched."""

import json
import os


def read(path):
    if not os.path.exists(path):
        return {"imports": {}, "texts": [], "scripts": {}, "distributions": []}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def launcher(target):
    """Python that does what an entry point says; processes that a program starts import it first (multiprocessing, "spawn")."""
    module, _, function = target.partition(":")
    if not function:
        return "import runpy\nif __name__ == '__main__':\n    runpy.run_module(%r, run_name='__main__', alter_sys=True)\n" % module
    return "import sys\nfrom %s import %s\nif __name__ == '__main__':\n    sys.exit(%s())\n" % (module, function.split(".")[0], function)


def reached(names, imports):
    """What `names` lead to by the imports of packages: all names on the way."""
    seen, queue = set(), list(names)
    while queue:
        name = queue.pop()
        while name:
            if name in seen:
                break
            seen.add(name)
            queue.extend(imports.get(name, ()))
            name = name.rpartition(".")[0]
    return seen
