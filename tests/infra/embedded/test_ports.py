"""The choice of a port."""

import socket

from infra.embedded.ports import FIRST_PORT, LAST_PORT, answers, choose, is_free


def test_a_remembered_port_is_taken_again_while_it_is_free() -> None:
    remembered = choose()
    assert FIRST_PORT <= remembered <= LAST_PORT
    assert choose(remembered) == remembered


def test_a_remembered_port_that_another_program_holds_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert answers(taken)
        assert not is_free(taken)
        assert choose(taken) != taken


def test_a_port_that_is_meant_for_something_else_is_avoided() -> None:
    remembered = choose()
    assert choose(remembered, avoid={remembered}) != remembered
