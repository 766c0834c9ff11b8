"""WRITE KEY, GET CHALLENGE, VERIFY, EXTERNAL and INTERNAL AUTHENTICATE."""

import secrets

from xueka.sandbox.card import ciphers
from xueka.sandbox.card.commands import (
    EXISTS,
    FILE_NOT_FOUND,
    LOCKED,
    NO_SUCH_KEY,
    NOT_ALLOWED,
    WRONG_DATA,
    WRONG_LENGTH,
    WRONG_P1_P2,
    Command,
    Status,
)
from xueka.sandbox.card.memory import COUNTED, FOR_EVER, Key
from xueka.sandbox.card.session import Session

ADD = 0x01
PIN, EXTERNAL = 0x3A, 0x39
ENCIPHER, DECIPHER, CODE, TRANSACTION = 0x30, 0x31, 0x32, 0x34
TYPES = {0x30, 0x31, 0x32, 0x34, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3C, 0x3D, 0x3E, 0x3F}


def write_key(session: Session, command: Command) -> bytes:
    """P1 01 adds, P1 = type of the present key changes it; P2 is the key's number."""
    keys = session.directory.keys
    if keys is None:
        raise Status(FILE_NOT_FOUND)
    if command.p2 == 0xFF:
        raise Status(WRONG_P1_P2)
    if command.p1 == ADD:
        session.require(keys.add)
        body = _opened(session, command, enciphered=True) if command.protected else command.data
        _check(session, body)
        if keys.find(body[0] & 0x3F, command.p2):
            raise Status(EXISTS)
        session.write()
        keys.put(Key(command.p2, bytearray(body)))
        return b""
    old = keys.find(command.p1 & 0x3F, command.p2)
    if old is None or old.body[0] != command.p1:
        raise Status(NO_SUCH_KEY)
    if old.type in FOR_EVER and not old.left:
        raise Status(LOCKED)
    session.require(old.change)
    if old.protection and not command.protected:
        raise Status(NOT_ALLOWED)
    body = command.data
    if command.protected:
        body = _opened(session, command, enciphered=old.protection != 0x40)
    _check(session, body)
    if body[0] & 0x3F != old.type or len(body) != len(old.body):
        raise Status(WRONG_DATA)
    session.write()
    old.body[:] = body
    return b""


def _opened(session: Session, command: Command, enciphered: bool) -> bytes:
    control = session.control_key()
    if control is None:
        raise Status(NO_SUCH_KEY)
    return session.open(command, control, authenticated=True, enciphered=enciphered)


def _check(session: Session, body: bytes) -> None:
    """Type, use, change, two more, then a key of 8 or 16 bytes or a PIN of 2 to 8."""
    if len(body) < 5 or body[0] & 0x3F not in TYPES or body[0] & 0xC0 == 0x80:
        raise Status(WRONG_DATA)
    length, kind = len(body) - 5, body[0] & 0x3F
    if kind == PIN:
        fits = 2 <= length <= 8
    else:
        fits = length in {"des": {8}, "3des": {8, 16}, "sm4": {16}}[session.card.algorithm]
    if not fits:
        raise Status(WRONG_LENGTH)
    if kind in COUNTED and body[4] & 0x0F > body[4] >> 4:
        raise Status(WRONG_DATA)


def get_challenge(session: Session, command: Command) -> bytes:
    """4, 8 or 16 bytes, good for the next command only."""
    if command.reference or command.data:
        raise Status(WRONG_P1_P2)
    if command.le not in {4, 8, 16}:
        raise Status(WRONG_LENGTH)
    session.fresh = secrets.token_bytes(command.le)
    return session.fresh


def verify(session: Session, command: Command) -> bytes:
    key = _usable(session, PIN, command)
    if not 2 <= len(command.data) <= 8:
        raise Status(WRONG_LENGTH)
    session.attempt(key, lambda: secrets.compare_digest(key.value, command.data))
    session.state = key.next_state
    return b""


def external_authenticate(session: Session, command: Command) -> bytes:
    key = _usable(session, EXTERNAL, command)
    kind = session.card.cipher(key.value)
    size = ciphers.block(kind)
    if len(command.data) != size:
        raise Status(WRONG_LENGTH)
    random = session.random()[:size].ljust(size, b"\0")
    session.attempt(
        key, lambda: secrets.compare_digest(ciphers.encipher(kind, key.value, random), command.data)
    )
    session.state = key.next_state
    return b""


def internal_authenticate(session: Session, command: Command) -> bytes:
    """P1 00 enciphers (key type 30, else 34), 01 deciphers (31), 02 makes a code over the data (32)."""
    wanted = {0x00: (ENCIPHER, TRANSACTION), 0x01: (DECIPHER,), 0x02: (CODE,)}.get(command.p1)
    if wanted is None:
        raise Status(WRONG_P1_P2)
    key = next((found for kind in wanted if (found := session.find_key(kind, command.p2))), None)
    if key is None:
        raise Status(NO_SUCH_KEY)
    session.require(key.use)
    kind = session.card.cipher(key.value)
    if command.p1 == 0x02:
        return ciphers.mac(kind, key.value, b"", command.data)
    if not command.data or len(command.data) % ciphers.block(kind):
        raise Status(WRONG_LENGTH)
    work = ciphers.decipher if command.p1 else ciphers.encipher
    return work(kind, key.value, command.data)


def _usable(session: Session, kind: int, command: Command) -> Key:
    if command.p1:
        raise Status(WRONG_P1_P2)
    key = session.find_key(kind, command.p2)
    if key is None:
        raise Status(NO_SUCH_KEY)
    session.require(key.use)
    return key
