"""Makes the mutants of a module: every small mistake at every place where it fits.

A mutant's name has the function, the right and the wrong form, and a counter for several equal mistakes in a function.
It has neither line numbers nor names of variables, so that the list of explained survivors stays valid after renaming.
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
# Sets have no `+`, so `-` is replaced by `&` as well.
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
SIGNS = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.NotIn: "not in",
    ast.IsNot: "is not",
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
METHODS = {
    "intersection": "union",
    "union": "intersection",
    "update": "difference_update",
    "difference_update": "update",
}
# Strings that are codes, slugs, columns or paths of members. Sentences for people are not changed.
WORD = re.compile(r"[A-Za-z0-9_.?-]*")
REMOVABLE = (ast.Return, ast.Raise, ast.Continue, ast.AugAssign, ast.Expr)


class Mutant(NamedTuple):
    """A module, such as `domain.grants`, with one mistake in it."""

    name: str
    what: str
    module: str
    right_tree: ast.Module
    statement: int
    right: ast.AST
    wrong: ast.AST

    def wrong_statement(self) -> ast.stmt:
        """The statement that has the mistake. The memo of `deepcopy` replaces the right place by the wrong one."""
        return copy.deepcopy(self.right_tree.body[self.statement], {id(self.right): self.wrong})

    def tree(self) -> ast.Module:
        """The module's code with the mistake."""
        body = list(self.right_tree.body)
        body[self.statement] = self.wrong_statement()
        return ast.Module(body, type_ignores=[])


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module, each with another name."""
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    made = []
    for statement, right in enumerate(tree.body):
        for place, node, wrong in () if _is_said(right) else _mistakes(right, ""):
            name = f"{module} {place}: {mistake(node, wrong)}"
            seen[name] += 1
            number = f" ({seen[name]})" if seen[name] > 1 else ""
            what = f"{_text(node)} → {_text(wrong)}"
            made.append(Mutant(name + number, what, module, tree, statement, node, wrong))
    return made


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())[:160]


def mistake(right: ast.AST, wrong: ast.AST) -> str:
    """The right and the wrong form, without names of variables."""
    match right:
        case ast.Constant():
            return f"{_text(right)} → {_text(wrong)}"
        case ast.Return(value=ast.Constant()):
            return f"{_text(right)} left out"
        case ast.stmt() if isinstance(wrong, ast.Pass):
            return f"{type(right).__name__.lower()} left out"
        case ast.BoolOp(values=values):
            if isinstance(wrong, ast.BoolOp) and len(wrong.values) == len(values):
                return f"{_sign(right.op)} → {_sign(wrong.op)}"
            return _left_out("operand", values, wrong.values if isinstance(wrong, ast.BoolOp) else [wrong])
        case ast.Set(elts=elements):
            return _left_out("element", elements, wrong.elts if isinstance(wrong, ast.Set) else [])
        case ast.UnaryOp():
            return "not left out"
        case _:
            return _mistaken_part(right, wrong)


def _mistaken_part(right: ast.AST, wrong: ast.AST) -> str:
    """The part of an expression that differs: its operator, the called function or a condition."""
    match right, wrong:
        case ast.Compare(ops=signs), ast.Compare(ops=others):
            return next(f"{_sign(old)} → {_sign(new)}" for old, new in zip(signs, others, strict=True) if old != new)
        case ast.BinOp(op=sign), ast.BinOp(op=wrong_sign):
            return f"{_sign(sign)} → {_sign(wrong_sign)}"
        case ast.Call(func=called), ast.Call(func=wrongly_called):
            return f"{_called(called)} → {_called(wrongly_called)}"
        case ast.comprehension(ifs=conditions), ast.comprehension(ifs=kept):
            return _left_out("filter", conditions, kept)
        case _:
            return f"{type(right).__name__.lower()} turned round"


def _left_out(kind: str, every: Sequence[ast.AST], kept: Sequence[ast.AST]) -> str:
    number = next(number for number, part in enumerate(every, 1) if not any(part is kept_part for kept_part in kept))
    return f"{kind} {number} of {len(every)} left out"


def _sign(operator: ast.AST) -> str:
    return SIGNS.get(type(operator), type(operator).__name__.lower())


def _called(function: ast.AST) -> str:
    return function.attr if isinstance(function, ast.Attribute) else _text(function)


def _mistakes(
    node: ast.AST, place: str, *, in_function: bool = False, in_call: bool = False
) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}".lstrip(".")
        in_function = in_function or isinstance(node, ast.FunctionDef)
    # Words in a table are changed only inside a call: a wrong key alone is found wherever the key is looked up.
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
    """Whether the node is a docstring, or a type that is written as a value."""
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
            # A single remaining operand is taken without `and`: Python refuses an `and` with one operand.
            yield from (_with(node, "values", left) if len(left) > 1 else left[0] for left in _all_but_one(values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op):
            yield from (_with(node, "op", operator()) for operator in CALCULATIONS.get(type(op), ()))
        case ast.Set(elts=elements):
            for left in _all_but_one(elements):
                yield _with(node, "elts", left) if left else ast.Call(ast.Name("set", ast.Load()), [], [])


def _all_but_one(parts: Sequence[ast.expr]) -> Iterator[list[ast.expr]]:
    return ([*parts[:number], *parts[number + 1 :]] for number in range(len(parts)))


def _negated(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a condition with `not` before it, and a comprehension without each of its filters."""
    if isinstance(node, ast.If | ast.IfExp):
        yield _with(node, "test", ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.comprehension):
        yield from (_with(node, "ifs", left) for left in _all_but_one(node.ifs))


def _with(node: ast.AST, field: str, value: object) -> ast.AST:
    changed = copy.copy(node)
    setattr(changed, field, value)
    return changed
