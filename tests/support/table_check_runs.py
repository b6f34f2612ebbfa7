"""`audit replay` as tests run it: inside the process, with the auditor's login."""

from consent_registry.operations.oversight.table_check import NetworkReport, auditing, check_tables
from consent_registry.tlog.report import Report
from tests.support.installation import Registry


async def replayed(registry: Registry, network: str = "small") -> NetworkReport:
    """Replay one network of a running registry."""
    async with auditing(registry.installation.dsn(registry.database, "auditor")) as connection:
        (audited,) = [report async for report in check_tables(connection, network)]
    return audited


async def require_equal(registry: Registry, network: str = "small") -> None:
    """Assert that the tables agree with the log, with the product's own check."""
    report = (await replayed(registry, network)).report
    assert found(report) == [], found(report)
    assert report.verdict == "holds", report


def found(report: Report) -> list[str]:
    """Return every finding in a line: its code and where it is, or what it says where no row is meant."""
    return [f"{finding.code} {finding.path or finding.detail}" for check in report.checks for finding in check.findings]
