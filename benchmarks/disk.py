"""Measures the disk space of a decision: how much the log's tables and indexes grow for each new entry."""

from dataclasses import dataclass

import asyncpg

_SIZES = """
    with parts as (
        select 'events' as table_name, relid from pg_partition_tree('registry.events') where isleaf
        union all select 'leaves', 'registry.leaves'::regclass
    )
    select table_name as part, sum(pg_table_size(relid))::bigint as bytes from parts group by table_name
    union all
    select coalesce(parent.relname, own.relname), sum(pg_relation_size(own.oid))::bigint
    from parts
    join pg_index i on i.indrelid = parts.relid
    join pg_class own on own.oid = i.indexrelid
    left join pg_inherits h on h.inhrelid = own.oid
    left join pg_class parent on parent.oid = h.inhparent
    group by coalesce(parent.relname, own.relname)
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of each table (without its indexes) and each index of the log, and the number of its entries."""

    parts: dict[str, int]
    entries: int

    def growth(self, before: "Sizes") -> dict[str, float]:
        """The bytes of each part for each entry that was added since `before`."""
        made = max(1, self.entries - before.entries)
        return {part: (size - before.parts.get(part, 0)) / made for part, size in sorted(self.parts.items())}


async def read_sizes(dsn: str) -> Sizes:
    """The present sizes, read after a vacuum, so that the visibility maps are counted."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum registry.events")
        await connection.execute("vacuum registry.leaves")
        rows = await connection.fetch(_SIZES)
        entries = await connection.fetchval("select count(*) from registry.leaves")
    finally:
        await connection.close()
    return Sizes({row["part"]: row["bytes"] for row in rows}, entries)
