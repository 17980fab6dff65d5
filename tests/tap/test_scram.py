"""The login with a password that is not sent: the example of RFC 7677, and servers that do not know it."""

from __future__ import annotations

import pytest

from hotrow.tap.scram import Scram, ScramError

NONCE = "rOprNGfwEbeRWgbNEkqO"
CHALLENGE = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
PROOF = b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


class Example(Scram):
    """The RFC's example names a user, PostgreSQL takes it from the startup packet."""

    def __init__(self) -> None:
        super().__init__("pencil", NONCE)
        self._first = f"n=user,r={NONCE}"


def test_the_example_of_the_rfc() -> None:
    """Proof and signature are those of RFC 7677, section 3."""
    scram = Example()

    assert scram.first() == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert scram.answer(CHALLENGE).endswith(PROOF)
    scram.verify(FINAL)


@pytest.mark.parametrize(
    "challenge",
    [
        b"",
        CHALLENGE[5:],
        CHALLENGE.replace(b"4096", b"x"),
        CHALLENGE.replace(b"4096", b"0"),
        CHALLENGE.replace(b"W22", b"!!"),
    ],
)
def test_a_challenge_that_is_not_valid_is_refused(challenge: bytes) -> None:
    """Before the password is used."""
    with pytest.raises(ScramError):
        Example().answer(challenge)


def test_a_server_that_does_not_know_the_password_is_refused() -> None:
    """It could be any server."""
    scram = Example()
    scram.answer(CHALLENGE)

    with pytest.raises(ScramError):
        scram.verify(FINAL.replace(b"6rri", b"6rrj"))
