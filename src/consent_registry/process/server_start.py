"""How a server is started: what is served and where, what every start checks, and how `serve` becomes the server.

In production the init system starts the server again if it ends; in a demonstration the supervisor does.
"""

import asyncio
import os
import resource
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, NoReturn

from cyclopts import Parameter, validators

from consent_registry import __version__
from consent_registry.process.connections import require_open_files
from consent_registry.process.ports import refuse_taken_port
from consent_registry.process.standard_streams import survive_without_output
from consent_registry.settings import read_limits

Port = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=65535))]
Workers = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=64))]
# The argument after the service's own by which the server's log says that it serves, and that it has stopped.
ANNOUNCED = "announced"
APPLICATION = "consent_registry.app:create_app"
# Logins that may erase or change the schema. They are removed from the environment of server and sealer.
_POWERFUL_LOGINS = frozenset({"CONSENT_REGISTRY_ERASER_DATABASE_URL", "CONSENT_REGISTRY_MIGRATOR_DATABASE_URL"})


@dataclass(frozen=True, slots=True)
class Service:
    """The service to run: an ASGI factory "module:function", its address, and the number of worker processes."""

    host: str
    port: int
    workers: int = 1
    target: str = APPLICATION

    @property
    def base_url(self) -> str:
        """The address clients use."""
        return f"http://{self.host}:{self.port}"

    @property
    def facts(self) -> dict[str, str | int]:
        """The members of the first and the last line of the log."""
        return {"address": self.base_url, "version": __version__, "workers": self.workers}

    @property
    def command(self) -> list[str]:
        """The command line of the server's process."""
        # -P: the current folder must not provide modules, except a test's own target.
        safe_path = ("-P",) if self.target.startswith("consent_registry.") else ()
        arguments = (self.target, self.host, str(self.port), str(self.workers))
        return [sys.executable, *safe_path, "-m", "consent_registry.process.server", *arguments]


def require_room(service: Service) -> None:
    """Raise CannotServe if the port is taken, and raise this process's limit of open files to what the server needs.

    Raises UnsafeSetting if that is forbidden.
    """
    open_files = resource.RLIMIT_NOFILE
    require_open_files(read_limits(os.environ), resource.getrlimit(open_files), partial(resource.setrlimit, open_files))
    refuse_taken_port(service.host, service.port)


def without_powerful_logins(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the logins that a server has no use for."""
    return {name: value for name, value in environment.items() if name not in _POWERFUL_LOGINS}


def become_server(service: Service, check: Callable[[], Coroutine[None, None, Mapping[str, str]]]) -> NoReturn:
    """Replace this process by the server, after `check` has found nothing unsafe and returned variables to add to the
    environment. SIGTERM, SIGINT and SIGHUP end it once the requests in flight have ended.

    Raises CannotServe and UnsafeSetting before anything is served, and what `check` raises.
    """
    survive_without_output()
    require_room(service)
    environment = without_powerful_logins({**os.environ, **asyncio.run(check())})
    command = service.command
    os.execve(command[0], [*command, ANNOUNCED], environment)  # noqa: S606 - this interpreter, with our own module
