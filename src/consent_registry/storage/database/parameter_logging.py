"""Checks whether PostgreSQL writes parameter values of statements into its own log, where no erasure removes them."""

from consent_registry.storage.database.database import Connection

# Settings that make the server log statements, with the value that turns each off.
_STATEMENTS = {
    "log_statement": "none",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_transaction_sample_rate": "0",
}


async def find_parameter_logging(connection: Connection) -> list[str]:
    """The settings of this login that write parameter values into the server's log, each as `name = value`."""
    names = [*_STATEMENTS, "log_parameter_max_length", "log_parameter_max_length_on_error"]
    names += ["auto_explain.log_min_duration", "auto_explain.log_parameter_max_length"]
    names += ["pgaudit.log", "pgaudit.log_parameter"]
    rows = await connection.fetch("select name, setting from pg_settings where name = any ($1)", names)
    known = {row["name"]: row["setting"] for row in rows}
    found = []
    if known["log_parameter_max_length"] != "0":
        logging = [name for name, off in _STATEMENTS.items() if known.get(name, off) != off]
        limit = known["log_parameter_max_length"]
        found += [f"{name} = {known[name]} with log_parameter_max_length = {limit}" for name in logging]
    if known["log_parameter_max_length_on_error"] != "0":
        found.append(f"log_parameter_max_length_on_error = {known['log_parameter_max_length_on_error']}")
    if known.get("auto_explain.log_min_duration", "-1") != "-1":
        length = known.get("auto_explain.log_parameter_max_length", "-1")
        found += [f"auto_explain.log_parameter_max_length = {length}"] if length != "0" else []
    if known.get("pgaudit.log_parameter", "off") == "on" and known.get("pgaudit.log", "none") != "none":
        found.append("pgaudit.log_parameter = on")
    return found
