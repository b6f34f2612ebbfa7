"""The command line. Each verb is a module in `consent_registry.cli` and is imported when it is used."""

import sys

from cyclopts import App

from consent_registry import __version__
from consent_registry.cli.exit_codes import run

app = App(
    name="consent-registry",
    version=__version__,
    help="Purpose-bound consents for data exchange between named partners.",
)
for verb, summary in {
    "demo": "Serve the five demonstration networks on 127.0.0.1 until stopped. The data are kept.",
    "serve": "Serve the registry, configured by CONSENT_REGISTRY_… in the environment.",
    "seal": "Sign the logs: tiles and checkpoints of every network, until stopped.",
    "log": "The log as files: export it for web servers and auditors.",
    "roles": "Print the SQL that makes the roles and the empty schema. It can be run again.",
    "migrate": "Apply the missing migrations, with the migrator's login.",
    "keys": "Check or make the key files, rotate keys, drop old keys. It never shows a secret.",
    "network": "Set up a network from its document.",
    "policy": "A network's policies, including its quotas: show, set.",
    "credential": "Issue a client id and secret, which are shown once.",
    "hold": "Legal holds, which prevent erasure and retention: place, lift, list.",
    "retention": "Remove what is no longer needed as proof: preview, perform, periods.",
    "erasure": "Erase a person (Art. 17 DSGVO): preview, perform, replay after a restore, scrub.",
    "audit": "Compare the tables with the log, list findings, or export all events. Changes nothing.",
    "verify": "Check a log or a receipt offline, with your own keys. It needs no database and no settings.",
    "witness": "Run a witness of logs on your own machine. It needs no database and no settings.",
    "openapi": "Write the interface's description (OpenAPI 3.1) to standard output.",
}.items():
    app.command(f"consent_registry.cli.{verb}:{verb}", name=verb, help=summary)


def main() -> None:
    """Run a verb. `cli/exit_codes.py` defines the exit code and the line of a failure."""
    sys.exit(run(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
