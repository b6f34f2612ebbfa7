"""`consent-registry witness`: run a witness (C2SP tlog-witness) on a partner's own machine."""

from collections.abc import Mapping
from pathlib import Path

from cyclopts import App

from consent_registry.cli.witness_server import FOLDER
from consent_registry.operations.log.witness_service import make_witness, require_witness, trust_log
from consent_registry.process.server_start import Port, Service, become_server
from consent_registry.tlog.note import VerifierKey

witness = App(name="witness", help="Run a witness of logs: it cosigns checkpoints that continue earlier ones.")


@witness.command
def make(folder: Path, name: str) -> None:
    """Make a witness's folder with a new key, and print its public key for the policies of others.

    Parameters
    ----------
    folder
        The folder for the witness's key, its logs and its cosigned checkpoints. Never restore it from a backup.
    name
        The witness's name, a URL without scheme, for example witness.kreis-herford.example.
    """
    print(make_witness(folder, name))


@witness.command
def trust(folder: Path, vkey: str) -> None:
    """Add a log, or another key of a log, whose checkpoints the witness cosigns. A running witness follows at once.

    Parameters
    ----------
    folder
        The witness's folder.
    vkey
        The log's verifier key, as published by its operator: NAME+ID+KEY.
    """
    print("\n".join(str(key) for key in trust_log(folder, VerifierKey.parse(vkey))))


@witness.command
def serve(folder: Path, *, host: str = "127.0.0.1", port: Port = 8090) -> None:
    """Answer POST /add-checkpoint and GET /SHA256-OF-ORIGIN/checkpoint until stopped.

    Parameters
    ----------
    folder
        The witness's folder.
    host
        Address to bind. Put a reverse proxy with TLS in front of it.
    port
        Port to bind.
    """
    place = str(folder.resolve())

    async def check() -> Mapping[str, str]:
        require_witness(folder)
        return {FOLDER: place}

    become_server(Service(host=host, port=port, target="consent_registry.cli.witness_server:create_app"), check)
