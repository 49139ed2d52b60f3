"""Ports that somebody listens on."""

import os
import socket

import pytest

from stackctl.engine.ports import taken


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_a_taken_port_is_named_with_its_holder(address):
    with socket.socket() as holder, socket.socket() as free:
        holder.bind((address, 0))
        holder.listen()
        free.bind(("127.0.0.1", 0))
        port, other = holder.getsockname()[1], free.getsockname()[1]
        free.close()
        (problem,) = taken({"app": port, "grafana": other})
    assert problem.code == "port_taken"
    assert problem.message.startswith(f"port {port} for app is taken by ")
    assert problem.message.endswith(f"(process {os.getpid()})")
    assert problem.hint == "stop it, or set ports.app in stackctl.yaml"


def test_a_port_that_was_just_given_back_is_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", port))
        served, _ = server.accept()
        served.close()  # the server's side waits in TIME_WAIT
        client.close()
    assert taken({"app": port}) == []
