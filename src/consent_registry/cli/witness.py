"""`consent-registry witness`: a complete witness (C2SP tlog-witness) for a partner's own machine."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from cyclopts import App

from consent_registry.cli.witness_server import FOLDER
from consent_registry.process.postgres.cluster import Cluster
from consent_registry.process.supervisor import Port, Service, supervise
from consent_registry.storage.files.witness_state import WitnessState
from consent_registry.tlog.note import COSIGNATURE, KEY_LENGTH, SignerKey, VerifierKey, check_name

witness = App(name="witness", help="Be a witness of logs: cosign checkpoints that continue what was seen before.")


@witness.command
def make(folder: Path, name: str) -> None:
    """Make a witness's folder with a new key, and print its public key, which others put into their policies.

    Parameters
    ----------
    folder
        Where the witness keeps its key, the logs it knows and what it has cosigned; never to be put back from a backup.
    name
        The witness's name, a URL without scheme, for example witness.kreis-herford.example.
    """
    check_name(name)
    key = SignerKey.of_seed(name, secrets.token_bytes(KEY_LENGTH), COSIGNATURE)
    WitnessState(folder).make(key)
    print(key.verifier)


@witness.command
def trust(folder: Path, vkey: str) -> None:
    """Cosign the checkpoints of one more log, or of one log with one more key; a running witness follows at once.

    Parameters
    ----------
    folder
        The witness's folder.
    vkey
        The log's verifier key, as its operator publishes it: NAME+ID+KEY.
    """
    state = WitnessState(folder)
    state.trust(VerifierKey.parse(vkey))
    print("\n".join(str(key) for keys in state.logs().values() for key in keys))


@witness.command
def serve(folder: Path, *, host: str = "127.0.0.1", port: Port = 8090) -> None:
    """Answer POST /add-checkpoint and GET /SHA256-OF-ORIGIN/checkpoint until stopped.

    Parameters
    ----------
    folder
        The witness's folder.
    host
        Address to bind; put a reverse proxy that speaks TLS in front of it.
    port
        Port to bind.
    """
    state, place = WitnessState(folder), str(folder.resolve())

    async def check(_cluster: Cluster | None) -> Mapping[str, str]:
        state.key()
        state.logs()
        return {FOLDER: place}

    supervise(Service(host=host, port=port, target="consent_registry.cli.witness_server:create_app"), None, check)
