"""Small mistakes, one at a time: every place of a module where one of them fits, as mutants with lasting names.

A name says where and what, never a line number: a list of explained survivors outlives what is written around them.
"""

import ast
import copy
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
# On sets `-` becomes `+`, which they do not know, so `&` is tried as well.
CALCULATIONS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add, ast.BitAnd),
    ast.Mult: (ast.FloorDiv,),
    ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
METHODS = {
    "intersection": "union",
    "union": "intersection",
    "update": "difference_update",
    "difference_update": "update",
}
# Codes, slugs, columns and the paths of members; sentences are for people.
WORD = re.compile(r"[A-Za-z0-9_.?-]*")
REMOVABLE = (ast.Return, ast.Raise, ast.Continue, ast.AugAssign, ast.Expr)


class Mutant(NamedTuple):
    """A module, as `domain.grants`, with one mistake in it."""

    name: str
    module: str
    right_tree: ast.Module
    statement: int
    right: ast.AST
    wrong: ast.AST

    def wrong_statement(self) -> ast.stmt:
        """The module's one statement with the mistake: the copy's memo says that the right place was copied already."""
        return copy.deepcopy(self.right_tree.body[self.statement], {id(self.right): self.wrong})

    def tree(self) -> ast.Module:
        """The module's code with the mistake."""
        body = list(self.right_tree.body)
        body[self.statement] = self.wrong_statement()
        return ast.Module(body, type_ignores=[])


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module, each with a name of its own."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    made = []
    for statement, right in enumerate(tree.body):
        for place, node, wrong in () if _is_said(right) else _mistakes(right, ""):
            name = f"{module} {place}: {_text(node)} → {_text(wrong)}"
            seen[name] += 1
            number = f" ({seen[name]})" if seen[name] > 1 else ""
            made.append(Mutant(name + number, module, tree, statement, node, wrong))
    return made


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:160]


def _mistakes(
    node: ast.AST, place: str, *, in_function: bool = False, in_call: bool = False
) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}".lstrip(".")
        in_function = in_function or isinstance(node, ast.FunctionDef)
    # Words of a table are mistaken where something is made from them; a key alone is seen wherever it is looked up.
    in_call = in_call or in_function or isinstance(node, ast.Call)
    for wrong in (*_wrong_forms(node, in_function=in_function, in_call=in_call), *_negated(node)):
        yield place or "module", node, wrong
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list"} or isinstance(node, ast.JoinedStr):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_said(child):
                yield from _mistakes(child, place, in_function=in_function, in_call=in_call)


def _is_said(node: ast.AST) -> bool:
    """Docstrings, and types that are written as values."""
    said = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return said or (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == "Literal")


def _wrong_forms(node: ast.AST, *, in_function: bool, in_call: bool) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant):
        yield from _wrong_constants(node, in_call=in_call)
    elif isinstance(node, ast.Call):
        yield from _wrong_calls(node)
    elif isinstance(node, ast.stmt):
        if in_function and isinstance(node, REMOVABLE):
            yield ast.Pass()
    else:
        yield from _wrong_expressions(node)


def _wrong_constants(node: ast.Constant, *, in_call: bool) -> Iterator[ast.AST]:
    match node.value:
        case bool() as value:
            yield ast.Constant(not value)
        case int() as value:
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))
        case str() as value if in_call and WORD.fullmatch(value):
            yield ast.Constant(f"not {value}")
        case bytes() as value if in_call:
            yield ast.Constant(b"not " + value)


def _wrong_calls(node: ast.Call) -> Iterator[ast.AST]:
    match node.func:
        case ast.Name(id=name) if name in NAMES:
            yield _with(node, "func", ast.Name(NAMES[name], ast.Load()))
        case ast.Attribute(attr=name) as method if name in METHODS:
            yield _with(node, "func", _with(method, "attr", METHODS[name]))


def _wrong_expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for number, op in enumerate(ops):
                yield _with(node, "ops", [*ops[:number], COMPARISONS[type(op)](), *ops[number + 1 :]])
        case ast.BoolOp(op=op, values=values):
            yield _with(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
            # One that is left stands alone: Python takes no `and` of one, and would refuse the mutant before any test.
            yield from (_with(node, "values", left) if len(left) > 1 else left[0] for left in _all_but_one(values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op):
            yield from (_with(node, "op", other()) for other in CALCULATIONS.get(type(op), ()))
        case ast.Set(elts=elements):
            for left in _all_but_one(elements):
                yield _with(node, "elts", left) if left else ast.Call(ast.Name("set", ast.Load()), [], [])


def _all_but_one(several: Sequence[ast.expr]) -> Iterator[list[ast.expr]]:
    return ([*several[:number], *several[number + 1 :]] for number in range(len(several)))


def _negated(node: ast.AST) -> Iterator[ast.AST]:
    """Conditions turned round, and the filters of a comprehension left out."""
    if isinstance(node, ast.If | ast.IfExp):
        yield _with(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension):
        yield from (_with(node, "ifs", left) for left in _all_but_one(node.ifs))


def _with(node: ast.AST, field: str, value: object) -> ast.AST:
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed
