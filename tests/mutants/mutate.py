"""Finds the places of a module at which a small fault can be put, and puts it there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.runner.imports import is_for_types

#: Changes a node of a syntax tree that was parsed for it alone, and returns the node that replaces it.
Change = Callable[[ast.AST], ast.AST]

#: Maps a comparison to the one that replaces it in a mutant: its nearest neighbor, or its opposite.
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip

#: Maps an arithmetic operator to the one that replaces it in a mutant.
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True, order=True)
class Mutant:
    """A fault at one place.

    Attributes:
        path: the module's file, relative to the root.
        place: the number of the node among those of the module.
        kind: the kind of the fault.
        function: the qualified name of the function or class around it; empty at the top of the module.
        line: the line in the file.
        before: the source of the place.
        after: the source in its stead.

    """

    path: Path
    place: int
    kind: str
    function: str
    line: int
    before: str
    after: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies the mutant when lines move: file, function, and the two sources."""
        return (str(self.path), self.function, self.before, self.after)

    def __str__(self) -> str:
        """Return one line that shows the fault."""
        return f"{self.path}:{self.line} {self.function or '(module)'}: {self.kind}: {self.before} -> {self.after}"


def runs(node: ast.AST) -> Iterator[ast.AST]:
    """Return the parts of a node that are carried out: not annotations, and not what only the type checker looks at."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.If) and is_for_types(child):
                yield from child.orelse
            elif isinstance(child, ast.AST):
                yield child


def nodes(tree: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Return each node that is carried out, with the qualified name of what it is in, always in the same order."""
    for child in runs(tree):
        inner = function
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{function}.{child.name}" if function else child.name
        yield child, inner
        yield from nodes(child, inner)


def changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    """Return the faults that can be put in the place of a node, each with its kind."""
    match node:
        case ast.Compare(ops=[comparison]):
            other = COMPARISONS[type(comparison)]()
            yield "comparison", lambda tree: replace(tree, ops=[other])
        case ast.BoolOp(op=boolean):
            opposite = ast.Or() if isinstance(boolean, ast.And) else ast.And()
            yield "boolean", lambda tree: replace(tree, op=opposite)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "boolean", lambda _: operand
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in ARITHMETIC:
            inverse = ARITHMETIC[type(operator)]()
            yield "arithmetic", lambda tree: replace(tree, op=inverse)
        case ast.Constant(value=bool(truth)):
            yield "constant", lambda _: ast.Constant(not truth)
        case ast.Constant(value=int(number)) | ast.Constant(value=float(number)):
            yield "constant", lambda _: ast.Constant(number + 1)
            yield "constant", lambda _: ast.Constant(number - 1)
        case ast.If(test=test) | ast.IfExp(test=test):
            yield "swapped branch", lambda tree: replace(tree, test=ast.UnaryOp(ast.Not(), test))
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "return value", lambda _: ast.Return(ast.Constant(None))
        case _:
            pass
    if is_removable(node):
        yield "removed statement", lambda _: ast.Pass()


def replace(node: ast.AST, **fields: object) -> ast.AST:
    """Return a copy of a node with other fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def is_removable(node: ast.AST) -> bool:
    """Return whether a module without this statement still has all its names: an effect, not a definition."""
    match node:
        case ast.Expr(value=value):
            return not isinstance(value, ast.Constant | ast.Yield | ast.YieldFrom)
        case ast.Assign(targets=targets):
            return all(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
        case ast.AugAssign() | ast.Delete() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case _:
            return False


def mutants_of(root: Path, path: Path) -> Iterator[Mutant]:
    """Return all mutants of a module."""
    for place, (node, function) in enumerate(nodes(ast.parse((root / path).read_bytes()))):
        for kind, change in changes(node):
            before, after = head(node), head(ast.fix_missing_locations(change(node)))
            yield Mutant(path, place, kind, function, getattr(node, "lineno", 0), before, after)


def head(node: ast.AST) -> str:
    """Return a node's source; of a statement with a body, the line that the body follows."""
    if isinstance(node, ast.If):
        return f"if {ast.unparse(node.test)}:"
    return " ".join(ast.unparse(node).split())


def mutated_source(root: Path, mutant: Mutant) -> str:
    """Return the source of a module with the fault in it.

    Raises:
        ValueError: the file has changed since the mutant was found.

    """
    tree = ast.parse((root / mutant.path).read_bytes())
    for place, (node, _) in enumerate(nodes(tree)):
        if place != mutant.place:
            continue
        for kind, change in changes(node):
            changed = ast.fix_missing_locations(change(node))
            if (kind, head(changed)) == (mutant.kind, mutant.after):
                return ast.unparse(Swap(node, changed).visit(tree))
    raise ValueError(f"{mutant.path} has no such place any more")


class Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old = old
        self.new = new

    def visit(self, node: ast.AST) -> ast.AST:
        """Return the new node for the old one, and every other as it is."""
        return self.new if node is self.old else self.generic_visit(node)
