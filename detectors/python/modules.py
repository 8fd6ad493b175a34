"""What Python files import, by reading them."""

import ast
import os
import re

EXTENSION = re.compile(r"\.(?:cpython-[^.]+|abi3)?\.?so$|\.so$")
IMPORTERS = {"import_module", "__import__", "import_string"}
NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
DOTTED = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+(?=$|:)")
# Functions that a module of the standard library has for being run by itself.
SELF_TESTS = {"_test", "test", "main", "_main"}


def parsed(path):
    with open(path, "rb") as file:
        source = file.read()
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def asks(test, name):
    """Whether a condition is about `name`: TYPE_CHECKING, __name__."""
    return any(
        (isinstance(node, ast.Name) and node.id == name) or (isinstance(node, ast.Attribute) and node.attr == name)
        for node in ast.walk(test)
    )


class Imports(ast.NodeVisitor):
    """All names that a file imports, absolute; `from a import b` may mean the module a.b."""

    def __init__(self, module, is_package, is_product):
        self.package = module if is_package else module.rpartition(".")[0]
        self.is_product = is_product
        self.names = set()
        self.texts = set()  # that may name a module or an encoding

    def spoken_names(self):
        """What it imports, and what its texts may import: `uvicorn.loops.auto`."""
        return self.names | {text.split(":")[0] for text in self.texts if DOTTED.match(text)}

    def short_texts(self):
        """Those that may name an encoding."""
        return {text for text in self.texts if len(text) < 24}

    def visit_If(self, node):
        if asks(node.test, "TYPE_CHECKING") or (not self.is_product and asks(node.test, "__name__")):
            for child in node.orelse:
                self.visit(child)
            return
        self.generic_visit(node)

    def visit_FunctionDef(self, node):
        if self.is_product is None and node.name in SELF_TESTS:
            return
        self.generic_visit(node)

    def visit_Import(self, node):
        self.names.update(alias.name for alias in node.names)

    def visit_ImportFrom(self, node):
        base = node.module or ""
        if node.level:
            above = self.package.split(".")
            above = above[: len(above) - node.level + 1]
            base = ".".join(above + ([base] if base else []))
        self.names.add(base)
        self.names.update(base + "." + alias.name for alias in node.names if alias.name != "*")

    def visit_Call(self, node):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in IMPORTERS and node.args and isinstance(node.args[0], ast.Constant):
            if isinstance(node.args[0].value, str):
                self.names.add(node.args[0].value)
        self.generic_visit(node)

    def visit_Constant(self, node):
        if isinstance(node.value, str) and len(node.value) < 100:
            self.texts.add(node.value)


def imports_of(path, module, is_package, is_product):
    """`is_product`: True for the application, False for packages, None for the standard library."""
    tree = parsed(path)
    found = Imports(module, is_package, is_product)
    if tree is not None:
        found.visit(tree)
    return found


def names_in_extension(path):
    """Every text of a compiled module that could be the name of a module: it imports by such texts."""
    with open(path, "rb") as file:
        data = file.read()
    return {text.decode() for text in data.split(b"\0") if len(text) < 100 and NAME.fullmatch(text)}


def module_files(root, prefix="", without=()):
    """Name, path and kind of every module below a folder: `source`, `extension`; packages by their __init__."""
    for entry in sorted(os.scandir(root), key=lambda one: one.name):
        if entry.is_dir(follow_symlinks=False):
            if entry.name.isidentifier() and entry.name != "__pycache__" and entry.name not in without:
                yield from module_files(entry.path, prefix + entry.name + ".")
        elif entry.name.endswith(".py"):
            stem = entry.name[:-3]
            yield (prefix[:-1] if stem == "__init__" else prefix + stem), entry.path, "source"
        elif EXTENSION.search(entry.name):
            yield prefix + entry.name.split(".")[0], entry.path, "extension"


def with_parents(names):
    for name in names:
        while name:
            yield name
            name = name.rpartition(".")[0]
