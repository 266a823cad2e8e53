# SPDX-License-Identifier: BSD-2-Clause
"""All that the module offers says what it is: modules, classes, functions, methods, and the members of tuples and enums."""

import ast
import pathlib
import unittest

import crossvm

FOLDER = pathlib.Path(crossvm.__file__).parent
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_setter(node):
    """Its property has the docstring."""
    return any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)


def members(owner):
    """Names that a class gives values or types in its body, each with the statement behind it."""
    for node, following in zip(owner.body, owner.body[1:] + [None]):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        for target in targets:
            yield target.id, following


def is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


class Collector(ast.NodeVisitor):
    """What has to be described in one file, and what of it is not."""

    def __init__(self, name):
        self.path = [name]
        self.seen, self.bare = [], []

    def describe(self, name, described):
        where = ".".join([*self.path, name])
        self.seen.append(where)
        if not described:
            self.bare.append(where)

    def visit_ClassDef(self, node):
        if node.name.startswith("_") or node.name.endswith(("_t", "_info")):  # structures of C
            return
        self.describe(node.name, ast.get_docstring(node))
        self.path.append(node.name)
        for name, following in members(node):
            if not name.startswith("_"):
                self.describe(name, is_text(following))
        self.generic_visit(node)
        self.path.pop()

    def visit_FunctionDef(self, node):
        if not node.name.startswith("_") and not is_setter(node):
            self.describe(node.name, ast.get_docstring(node))

    visit_AsyncFunctionDef = visit_FunctionDef


class DocstringTest(unittest.TestCase):
    def test_all(self):
        seen = set()
        for path in sorted(FOLDER.glob("*.py")):
            tree = ast.parse(path.read_text())
            collector = Collector(path.stem)
            self.assertTrue(ast.get_docstring(tree), path.name)
            collector.visit(tree)
            self.assertEqual(collector.bare, [])
            seen |= set(collector.seen)
        for kind in ("_end.End.emit", "_end.End.number", "_end.EndInfo.name", "_channel.ChannelState.OPENING", "_end.ends"):
            self.assertIn(kind, seen)

    def test_public(self):
        """Names of the module as `pydoc crossvm` shows them: constants are described in their file."""
        for name in crossvm.__all__:
            with self.subTest(name):
                if not isinstance(getattr(crossvm, name), (int, str)):
                    self.assertTrue(getattr(crossvm, name).__doc__)


if __name__ == "__main__":
    unittest.main()
