"""Becomes a server of the tiny application, as `consent-registry serve` becomes the registry's.

`python -m tests.support.servers.small_production PORT WORKERS FACTORY`
"""

import sys
from collections.abc import Mapping

from consent_registry.domain.errors import Unusable
from consent_registry.process.server_start import Service, become_server


async def _check() -> Mapping[str, str]:
    return {"MARK": "from the check"}


async def _refuse() -> Mapping[str, str]:
    raise Unusable("the check refuses")


def main(port: int, workers: int, factory: str) -> None:
    """Serve until stopped; the factory `refused` is one that the check refuses."""
    service = Service("127.0.0.1", port, workers, f"tests.support.servers.small_app:{factory}")
    become_server(service, _refuse if factory == "refused" else _check)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    except Unusable as error:
        sys.exit(str(error))
