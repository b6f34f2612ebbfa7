"""For which partners a transaction reads: its caller alone, but for the acts named here
(docs/design/data-and-trust.md).
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src/consent_registry"
NARROW = {"()", "[actor.partner_id]", "[partner_id]", "[ADMINISTRATION]"}
"""Partners a transaction may begin with anywhere: none, its caller, the network's administration."""
WIDER = {
    "operations/decisions/batch.py answer_batch": (
        "Each question's facts are joined with the asking sender; it decides for all."
    ),
}
"""Functions that begin a transaction for several partners, and why."""
WIDENING = {
    "operations/consents/withdrawal_scope.py _scope_by_code": (
        "The client withdraws all of a consent, at whatever partner."
    ),
    "operations/consents/withdrawal_scope.py _scope_of_everything": (
        "The client withdraws all that anybody in the network recorded."
    ),
    "operations/consents/late_papers.py withdraw_across_link": (
        "What the client withdrew under one reference is withdrawn under the others, whoever recorded it."
    ),
    "operations/consents/text_invalidations.py invalidate_text": (
        "A void text voids every consent on it, whoever recorded it."
    ),
    "operations/erasure/holds.py _client_id": "The operator names a client by any partner's reference.",
    "operations/keys/key_uses.py count_key_uses": "The operator counts what is sealed, of every partner.",
    "operations/keys/reencryption.py _reencrypt_table": "The operator re-encrypts what every partner encrypted.",
}
"""Functions that widen the partners of a running transaction, and why. A new one is looked at, and named here."""


SETTING = re.compile(r"registry\.partners(?= =|$|')")


def modules() -> dict[str, str]:
    """Return the text of every module below the package, by its path in it."""
    return {str(path.relative_to(SOURCE)): path.read_text() for path in sorted(SOURCE.rglob("*.py"))}


def functions(text: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield each node of a module with the function it is in, `module` outside any; the outermost one counts."""
    for top in ast.parse(text).body:
        body = top.body if isinstance(top, ast.ClassDef) else [top]
        for each in body:
            name = each.name if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) else "module"
            for node in ast.walk(each):
                if not isinstance(node, ast.Import | ast.ImportFrom | ast.alias):
                    yield name, node


def widening(texts: Mapping[str, str]) -> set[str]:
    """Return the functions that use `widen_partners` in any way, called or handed on."""
    return {
        f"{path} {name}"
        for path, text in texts.items()
        for name, node in functions(text)
        if "widen_partners" in {getattr(node, "id", None), getattr(node, "attr", None)}
    }


def wider(texts: Mapping[str, str]) -> set[str]:
    """Return the functions that begin a transaction for other partners than `NARROW`."""
    found = set()
    for path, text in texts.items():
        for name, node in functions(text):
            if not isinstance(node, ast.Call) or path == "storage/database/database.py":
                continue
            called = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
            if called == "begin_sql" or (called == "transaction" and len(node.args) > 1):
                partners = node.args[-1] if called == "transaction" else node
                if ast.unparse(partners) not in NARROW:
                    found.add(f"{path} {name}")
    return found


def settings(texts: Mapping[str, str]) -> set[str]:
    """Return the modules whose texts name the setting that row-level security reads partners from."""
    return {
        path
        for path, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SETTING.search(node.value)
    }


def test_an_act_that_reads_for_others_is_on_the_list() -> None:
    """A function that widens a transaction's partners, or begins one for several, is named above with the reason."""
    assert widening(modules()) == set(WIDENING)
    assert wider(modules()) == set(WIDER)


def test_partners_are_set_in_one_place() -> None:
    """No module but the one that begins transactions writes the setting."""
    assert settings(modules()) == {"storage/database/database.py"}


def test_a_new_one_would_be_found() -> None:
    """Control: called, handed on, by another way of import, or as a transaction of its own."""
    called = "async def act(c):\n    await widen_partners(c, [1])"
    handed = "from x import widen_partners\nDO = {'it': widen_partners}"
    by_module = "async def act(c):\n    await database.widen_partners(c, [1])"
    of_its_own = "async def act(c):\n    async with transaction(pool, 1, [actor.partner_id, 7]) as c: pass"
    bare = "async def act(c):\n    await c.execute(\"set local registry.partners = '{1}'\")"
    assert widening({"a": called, "b": handed, "c": by_module, "d": "x = 1"}) == {"a act", "b module", "c act"}
    assert wider({"a": of_its_own}) == {"a act"}
    assert settings({"a": bare, "b": of_its_own}) == {"a"}
