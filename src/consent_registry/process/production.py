"""A server in production: the verb checks, then becomes the server, which the init system starts again if it ends."""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from typing import NoReturn

from consent_registry.process.served import Service, require_room, without_powerful_logins
from consent_registry.process.server import ANNOUNCED
from consent_registry.process.standard_streams import survive_without_output


def become_server(service: Service, check: Coroutine[None, None, Mapping[str, str]]) -> NoReturn:
    """Run `check`, which refuses danger and returns what the server's environment has beside this one's, then replace
    this process by the server. SIGTERM, SIGINT and SIGHUP end it once the requests in flight have ended.

    Raises CannotServe and UnsafeSetting before anything is served, and what `check` raises.
    """
    survive_without_output()
    require_room(service)
    environment = without_powerful_logins({**os.environ, **asyncio.run(check)})
    command = service.command
    os.execve(command[0], [*command, ANNOUNCED], environment)  # noqa: S606 - this interpreter, with our own module
