"""The command line: one verb per file in `consent_registry.cli`, imported when it is used."""

import sys

from cyclopts import App

from consent_registry.domain.errors import Unusable

app = App(name="consent-registry", help="Purpose-bound consents for data exchange between named partners.")
app.command("consent_registry.cli.demo:demo", name="demo")
app.command("consent_registry.cli.serve:serve", name="serve")


def main() -> None:
    """Run one verb; what an operator can mend is one line on standard error and exit code 1."""
    try:
        app()
    except Unusable as error:
        sys.exit(f"consent-registry: {error}")


if __name__ == "__main__":
    main()
