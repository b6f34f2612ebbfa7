"""A past rewritten so that it fits together: event, leaf, row, tiles, and what was signed, as far as somebody has keys.

Replay says nothing of it, because everything in the database agrees. What others kept does not.
"""

import random
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

import asyncpg
import msgspec

from consent_registry.domain.events.all_kinds import NUMBERS
from consent_registry.domain.events.decisions import OUTCOMES
from consent_registry.tlog.checkpoint import Checkpoint, sign_checkpoint
from consent_registry.tlog.cosignature import cosign
from consent_registry.tlog.frontier import Frontier
from consent_registry.tlog.leaf import canonical, make_leaf
from consent_registry.tlog.merkle import leaf_hash
from consent_registry.tlog.note import SignedNote, SignerKey
from tests.campaigns.tampering.files import OLDER
from tests.campaigns.tampering.log import REFUSED, Bench

Facts = dict[str, Any]


class Reach(IntEnum):
    """How far the rewriting goes, each with all before it."""

    LEAF = 1
    TILES = 2
    SIGNED = 3
    WITNESSED = 4


# What must be named, by how far it went.
FOUND_BY: Mapping[Reach, frozenset[str]] = {
    Reach.LEAF: frozenset({"root"}),
    Reach.TILES: REFUSED,
    Reach.SIGNED: frozenset({"quorum"}),
    Reach.WITNESSED: frozenset({"kept_root"}),
}


def _permit(rng: random.Random, event: Facts) -> tuple[Facts, list[str]]:
    """Another answer was given than was."""
    outcome = rng.choice([(name, number) for name, number in OUTCOMES.items() if name != event["outcome"]])
    return event | {"outcome": outcome[0]}, [f"update registry.events set outcome = {outcome[1]} where event_id = $1"]


def _explained(rng: random.Random, event: Facts) -> tuple[Facts, list[str]]:
    """Somebody else explained the consent."""
    who = f"B-{rng.randrange(10_000)}"
    altered = event | {"information": event["information"] | {"explained_by": who}}
    return altered, [
        f"update registry.consents set explained_by = '{who}' where consent_id = $1",
        f"update registry.events set person = '{who}' where event_id = $1",
    ]


ALTERATIONS: Mapping[str, Callable[[random.Random, Facts], tuple[Facts, list[str]]]] = {
    "decision": _permit,
    "consent": _explained,
}


async def rewrite(rng: random.Random, at: Bench, sql: asyncpg.Connection, reach: Reach) -> str:
    """Rewrite some event that is under what was kept first; return what was done."""
    kept = Checkpoint.parse(SignedNote.parse(at.auditor.kept[-1][1]).text)
    rows = await sql.fetch(
        "select log_index, event, nonce, event_id from registry.events where network_id = $1 and kind = any ($2)"
        " and log_index < $3",
        *(at.number, [NUMBERS[kind] for kind in ALTERATIONS], kept.size),
    )
    row = rng.choice(rows)
    before = msgspec.json.decode(row["event"])
    event, statements = ALTERATIONS[before["kind"]](rng, before)
    body = canonical(event)
    place = (at.number, row["log_index"])
    await sql.execute("update registry.events set event = $3 where network_id = $1 and log_index = $2", *place, body)
    for statement in statements:
        await sql.execute(statement, row["event_id"])
    leaf = make_leaf(body, row["nonce"])
    await sql.execute("update registry.leaves set leaf = $3 where network_id = $1 and log_index = $2", *place, leaf)
    if reach >= Reach.TILES:
        await _seal_again(at, sql, reach)
    return f"{reach.name} {row['log_index']}: {statements} {body[-60:]!r}"


async def _seal_again(at: Bench, sql: asyncpg.Connection, reach: Reach) -> None:
    leaves = await at.register.desk.leaves(at.slug)
    frontier, tiles = Frontier().extend([leaf_hash(leaf) for leaf in leaves])
    await sql.execute("delete from registry.tiles where network_id = $1", at.number)
    await sql.executemany(
        "insert into registry.tiles (network_id, level, number, width, data) values ($1, $2, $3, $4, $5)",
        [(at.number, tile.level, tile.number, tile.width, data) for tile, data in tiles.items()],
    )
    if reach >= Reach.SIGNED:
        log = await at.register.desk.log(at.slug)
        signer = SignerKey(log.origin, at.register.desk.tools.keys.all(log.origin)[0])
        note = sign_checkpoint(Checkpoint(log.origin, frontier.size, frontier.root), (signer,))
        if reach == Reach.WITNESSED:
            note = SignedNote(note.text, (*note.signatures, cosign(note.text, at.register.witness, 1_900_000_000)))
        await sql.execute("delete from registry.checkpoints where network_id = $1", at.number)
        await sql.execute(
            "insert into registry.checkpoints values ($1, $2, now(), $3, $4)",
            *(at.number, frontier.size, frontier.root, note.format()),
        )


async def cut_off(at: Bench, sql: asyncpg.Connection, size: int) -> None:
    """Let the log end earlier, in every table of it, with its own checkpoint of that time."""
    for beyond in ("events where log_index >=", "leaves where log_index >=", "checkpoints where size >"):
        await sql.execute(f"delete from registry.{beyond} {size} and network_id = {at.number}")
    leaves = await at.register.desk.leaves(at.slug)
    _, tiles = Frontier().extend([leaf_hash(leaf) for leaf in leaves])
    await sql.execute("delete from registry.tiles where network_id = $1", at.number)
    await sql.executemany(
        "insert into registry.tiles (network_id, level, number, width, data) values ($1, $2, $3, $4, $5)",
        [(at.number, tile.level, tile.number, tile.width, data) for tile, data in tiles.items()],
    )


__all__ = ["FOUND_BY", "OLDER", "Reach", "cut_off", "rewrite"]
