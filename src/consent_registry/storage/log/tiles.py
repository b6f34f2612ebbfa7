"""Statements for the tiles of the log's tree. Tiles are only added; a partial tile is a prefix of its wider
successor.
"""

from collections.abc import Mapping, Sequence

from consent_registry.domain.errors import RegistryError
from consent_registry.storage.database.database import Connection
from consent_registry.tlog.tile import Tile


class TileDiffers(RegistryError):
    """A tile in the database differs from the tile that the leaves give."""


async def add_tiles(connection: Connection, network_id: int, tiles: Mapping[Tile, bytes]) -> None:
    """Add tiles, and delete the partial tiles that they replace.

    Raises TileDiffers if a tile is stored with other bytes. The caller must then roll the transaction back.
    """
    columns = _columns(list(tiles))
    await connection.execute(
        """
        insert into registry.tiles (network_id, level, number, width, data)
        select $1, level, number, width, data
        from unnest($2::smallint[], $3::bigint[], $4::smallint[], $5::bytea[]) as tile (level, number, width, data)
        on conflict do nothing
        """,
        network_id,
        *columns,
        list(tiles.values()),
    )
    stored = await read_tiles(connection, network_id, list(tiles))
    for tile, data in tiles.items():
        if stored.get(tile) != data:
            raise TileDiffers(f"tile {tile.path()} of network {network_id} is not what the leaves make")
    await connection.fetchval(
        "select registry.drop_narrower_tiles($1, $2::smallint[], $3::bigint[])", network_id, columns[0], columns[1]
    )


async def read_tiles(connection: Connection, network_id: int, tiles: Sequence[Tile]) -> dict[Tile, bytes]:
    """The bytes of these tiles, each cut from the narrowest stored tile that is wide enough. Missing tiles are left
    out.
    """
    levels, numbers, widths = _columns(tiles)
    rows = await connection.fetch(
        """
        select given.level, given.number, given.width, substring(tile.data for 32 * given.width) as data
        from unnest($2::smallint[], $3::bigint[], $4::smallint[]) as given (level, number, width)
        cross join lateral (
            select t.data from registry.tiles t
            where t.network_id = $1 and t.level = given.level and t.number = given.number and t.width >= given.width
            order by t.width limit 1
        ) tile
        """,
        network_id,
        levels,
        numbers,
        widths,
    )
    return {Tile(row["level"], row["number"], row["width"]): row["data"] for row in rows}


def _columns(tiles: Sequence[Tile]) -> tuple[list[int], list[int], list[int]]:
    return [tile.level for tile in tiles], [tile.number for tile in tiles], [tile.width for tile in tiles]
