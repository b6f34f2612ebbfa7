"""The command line: one verb per file in `consent_registry.cli`, imported when it is used."""

import sys

from cyclopts import App

from consent_registry import __version__
from consent_registry.cli.running import run

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
    "policy": "A network's policies, its quotas among them: show, set.",
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
    """Run one verb; the exit code and the one line of a failure are as `cli/running.py` says."""
    sys.exit(run(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
