"""Checks of a service's port: that it is free before the start, and that it answers later."""

import socket

from consent_registry.process.data_folder import CannotServe


def refuse_taken_port(host: str, port: int) -> None:
    """Raise CannotServe if another process uses the port."""
    # The server's workers share the port (SO_REUSEPORT), so without this check they would share it with that process.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ignore connections that have just ended
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotServe(f"cannot serve on {host}:{port}: {error.strerror}") from error


def answers(host: str, port: int) -> bool:
    """Whether a process listens at this address."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
