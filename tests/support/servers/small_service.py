"""Runs the supervisor with a tiny application instead of the registry, so that a test can kill its processes.

`python -m tests.support.servers.small_service`
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from consent_registry.domain.errors import Unusable
from consent_registry.process.data_folder import hold
from consent_registry.process.postgres.cluster import Cluster, prepare
from consent_registry.process.server_start import Service
from consent_registry.process.supervisor import supervise


async def _environment(cluster: Cluster | None) -> Mapping[str, str]:
    assert cluster is not None
    return {"CONSENT_REGISTRY_DATABASE_URL": cluster.dsn(), "MARK": "from the preparation"}


def main(data: Path, port: int, workers: int, factory: str) -> None:
    """Serve until stopped, as `consent-registry demo` does."""
    service = Service("127.0.0.1", port, workers, f"tests.support.servers.small_app:{factory}")
    with hold(data):
        supervise(
            service,
            prepare(data, sync=False),
            _environment,
            record=data / "cluster.json",
            when_serving=partial(print, "serving", flush=True),
        )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    except Unusable as error:
        sys.exit(str(error))
