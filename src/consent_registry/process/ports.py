"""The port a service is to have: free before it begins, and answering when it serves."""

import socket

from consent_registry.process.data_folder import CannotServe


def refuse_taken_port(host: str, port: int) -> None:
    """Raise CannotServe for a port that somebody has."""
    # The server's workers share the port among themselves (SO_REUSEPORT), and would share it with a stranger's too.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have just ended do not count
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotServe(f"cannot serve on {host}:{port}: {error.strerror}") from error


def answers(host: str, port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
