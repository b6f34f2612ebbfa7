"""The command line: one verb per file in `consent_registry.cli`, imported when it is used."""

import sys

from cyclopts import App

from consent_registry import __version__
from consent_registry.audit.refusal import AuditRefusal
from consent_registry.domain.errors import RegistryError
from consent_registry.settings import UnsafeSetting

app = App(
    name="consent-registry",
    version=__version__,
    help="Purpose-bound consents for data exchange between named partners.",
)
for verb, summary in {
    "demo": "Serve the five demonstration networks on 127.0.0.1 until stopped; what it knows is kept.",
    "serve": "Serve the registry, configured by CONSENT_REGISTRY_… in the environment.",
    "seal": "Sign the logs: tiles and checkpoints of every network, until stopped.",
    "log": "The log as files: export it for web servers and auditors.",
    "roles": "Print the SQL that makes the roles and the empty schema; can be run again.",
    "migrate": "Apply the migrations that are missing, as the migrator's login.",
    "keys": "Check or make the key files, rotate keys, drop old ones; never shows a secret.",
    "network": "Set up a network from its document.",
    "credential": "Issue a client id and secret; shown this once.",
    "hold": "Legal holds, which stand against erasure and retention: place, lift, list.",
    "retention": "Let go what is no longer needed as proof: preview, perform, periods.",
    "erasure": "Erase a person (Art. 17 DSGVO): preview, perform, replay after a restore, scrub.",
    "audit": "Hold the tables against the log, or take all events along, as the auditor; changes nothing.",
    "verify": "Check a log or a receipt offline, with keys of one's own: needs no database and no settings.",
    "witness": "Be a witness of logs, on a machine of your own: needs no database and no settings.",
    "openapi": "Write the interface's description (OpenAPI 3.1) to standard output.",
}.items():
    app.command(f"consent_registry.cli.{verb}:{verb}", name=verb, help=summary)


def main() -> None:
    """Run one verb; what an operator can mend is one line on standard error and exit code 1."""
    try:
        app()
    except (RegistryError, UnsafeSetting, AuditRefusal, OSError) as error:
        sys.exit(f"consent-registry: {error}{_faults(error)}")
    except Exception as error:
        from asyncpg import InterfaceError, PostgresError  # not for `--help`

        if not isinstance(error, InterfaceError | PostgresError):
            raise
        sys.exit(f"consent-registry: the database cannot be used: {str(error).splitlines()[0]}")


def _faults(error: Exception) -> str:
    """Every fault with its place and the rule it breaks, in one line."""
    told = [
        f" {fault.pointer}: {fault.detail.rstrip('.')}" + ("" if fault.rule is None else f" ({fault.rule})")
        for fault in (error.faults if isinstance(error, RegistryError) else ())
    ]
    return ";".join(told)


if __name__ == "__main__":
    main()
