"""Sockets of this process and all its children through which anybody could reach them."""

from __future__ import annotations

import contextlib
import socket

import psutil


def listening_sockets() -> list[str]:
    """TCP sockets that listen and UDP sockets that are bound, as `pid address`."""
    found = []
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            for connection in process.net_connections(kind="inet"):
                is_bound = connection.type == socket.SOCK_DGRAM and connection.laddr
                if connection.status == psutil.CONN_LISTEN or is_bound:
                    found.append(f"{process.pid} {connection.laddr}")
    return found
