"""READ and UPDATE BINARY, READ, UPDATE and APPEND RECORD, GET BALANCE; protected as the file asks for it."""

from xueka.sandbox.card.commands import (
    CONDITIONS,
    FILE_NOT_FOUND,
    NO_FILE_SELECTED,
    NO_SPACE,
    NOT_ALLOWED,
    OTHER_LENGTH,
    RECORD_NOT_FOUND,
    WRONG_LENGTH,
    WRONG_OFFSET,
    WRONG_P1_P2,
    WRONG_STRUCTURE,
    Command,
    Status,
)
from xueka.sandbox.card.memory import BINARY, CYCLIC, FIXED, VARIABLE, WALLET, File
from xueka.sandbox.card.session import Session

AUTHENTICATED, ENCIPHERED = 0x80, 0x40
FREE_READING = 0x80  # in the access byte
RECORDS = (FIXED, VARIABLE, CYCLIC)


def read_binary(session: Session, command: Command) -> bytes:
    file, offset = _binary(session, command)
    _may_read(session, command, file)
    if offset > len(file.content):
        raise Status(WRONG_OFFSET)
    return _answer(session, command, file, bytes(file.content[offset:]))


def update_binary(session: Session, command: Command) -> bytes:
    file, offset = _binary(session, command)
    session.require(file.write)
    data = _given(session, command, file)
    if offset > len(file.content):
        raise Status(WRONG_OFFSET)
    if offset + len(data) > len(file.content):
        raise Status(NO_SPACE)
    session.write()
    data = session.cut(data)
    file.content[offset : offset + len(data)] = data
    return b""


def read_record(session: Session, command: Command) -> bytes:
    file = _records(session, command, command.p2)
    _may_read(session, command, file)
    return _answer(session, command, file, file.records[_place(file, command)])


def update_record(session: Session, command: Command) -> bytes:
    file = _records(session, command, command.p2)
    if file.kind == CYCLIC and command.p2 & 0x07 == 0x03:
        return _append(session, command, file)
    session.require(file.write)
    data = _given(session, command, file)
    place = _place(file, command)
    _must_fit(file, data, file.records[place])
    session.write()
    old = file.records[place]
    data = session.cut(data)
    file.records[place] = data + old[len(data) :] if session.torn else data
    return b""


def append_record(session: Session, command: Command) -> bytes:
    return _append(session, command, _records(session, command, command.p2))


def _append(session: Session, command: Command, file: File) -> bytes:
    session.require(file.write)
    data = _given(session, command, file)
    _must_fit(file, data, None)
    session.write()
    if session.torn:
        data = session.cut(data).ljust(len(data), b"\xff")
    if file.kind == CYCLIC:
        file.records = [data, *file.records][: file.count]
    else:
        file.records.append(data)
    return b""


def balance(session: Session, command: Command) -> bytes:
    """80 5C 00 02 04: the purse whose file id ends with P2 (01 deposit, 02 purse)."""
    if command.p1:
        raise Status(WRONG_P1_P2)
    found = session.directory.short(command.p2 & 0x1F)
    if found is None or found.kind != WALLET:
        raise Status(FILE_NOT_FOUND)
    session.require(found.read)
    if command.le not in {4, 256}:
        raise Status(OTHER_LENGTH | 4)
    return bytes(found.content)


def _binary(session: Session, command: Command) -> tuple[File, int]:
    if command.p1 & 0x80:
        if command.p1 & 0x60:
            raise Status(WRONG_P1_P2)
        _by_short_id(session, command.p1 & 0x1F)
    file = session.file
    if file is None:
        raise Status(NO_FILE_SELECTED)
    if file.kind != BINARY:
        raise Status(WRONG_STRUCTURE)
    return file, command.p2 if command.p1 & 0x80 else command.reference


def _records(session: Session, command: Command, p2: int) -> File:
    if p2 >> 3:
        _by_short_id(session, p2 >> 3)
    file = session.file
    if file is None:
        raise Status(NO_FILE_SELECTED)
    if file.kind not in RECORDS:
        raise Status(WRONG_STRUCTURE)
    return file


def _by_short_id(session: Session, number: int) -> None:
    file = session.directory.short(number)
    if file is None:
        raise Status(FILE_NOT_FOUND)
    session.file = file


def _place(file: File, command: Command) -> int:
    """By number alone: P2 ends with 4, P1 counts from 1."""
    if command.p2 & 0x07 != 0x04:
        raise Status(WRONG_P1_P2)
    if not 1 <= command.p1 <= len(file.records):
        raise Status(RECORD_NOT_FOUND)
    return command.p1 - 1


def _must_fit(file: File, data: bytes, old: bytes | None) -> None:
    if file.kind == VARIABLE:
        taken = sum(len(each) + 1 for each in file.records) - (len(old) + 1 if old is not None else 0)
        if taken + len(data) + 1 > file.count:
            raise Status(NO_SPACE)
    elif len(data) != file.length:
        raise Status(WRONG_LENGTH)
    elif old is None and file.kind == FIXED and len(file.records) >= file.count:
        raise Status(NO_SPACE)


def _line_key(file: File, for_reading: bool) -> int:
    """Two bits of the access byte: 11 is key 00, 10 is 01, 01 is 02, 00 is 03."""
    return 3 - (file.access >> (2 if for_reading else 0) & 0x03)


def _may_read(session: Session, command: Command, file: File) -> None:
    session.require(file.read)
    if command.protected:
        key = session.line_key(_line_key(file, for_reading=True))
        if session.open(command, key, authenticated=True, enciphered=False):
            raise Status(WRONG_LENGTH)
    elif not file.access & FREE_READING:
        raise Status(NOT_ALLOWED)
    elif command.data:
        raise Status(WRONG_LENGTH)


def _answer(session: Session, command: Command, file: File, data: bytes) -> bytes:
    wanted = command.le or 256
    if wanted in {256, 65536}:
        data = data[:wanted]
    elif wanted > len(data):
        raise Status(OTHER_LENGTH | len(data) & 0xFF)
    else:
        data = data[:wanted]
    if not command.protected:
        return data
    key = session.line_key(_line_key(file, for_reading=True))
    enciphered = bool(file.protection & ENCIPHERED)
    if enciphered and len(data) > 0xFF:
        raise Status(WRONG_LENGTH)
    return session.seal(data, key, enciphered)


def _given(session: Session, command: Command, file: File) -> bytes:
    """The data of a write, protected as the file's type says."""
    if file.protection and not command.protected:
        raise Status(NOT_ALLOWED)
    if command.protected and not file.protection:
        raise Status(CONDITIONS)
    data = command.data
    if command.protected:
        key = session.line_key(_line_key(file, for_reading=False))
        authenticated = bool(file.protection & AUTHENTICATED)
        data = session.open(command, key, authenticated, bool(file.protection & ENCIPHERED))
    if not data:
        raise Status(WRONG_LENGTH)
    return data
