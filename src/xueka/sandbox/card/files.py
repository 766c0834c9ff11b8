"""CREATE FILE, ERASE DF, SELECT."""

from xueka.sandbox.card.commands import (
    EXISTS,
    FILE_NOT_FOUND,
    NO_SPACE,
    NOT_SUPPORTED,
    WRONG_DATA,
    WRONG_LENGTH,
    WRONG_P1_P2,
    Command,
    Status,
)
from xueka.sandbox.card.memory import (
    BINARY,
    CYCLIC,
    DIRECTORY_HEADER,
    FIXED,
    MASTER_FILE,
    VARIABLE,
    WALLET,
    Directory,
    File,
    KeyFile,
)
from xueka.sandbox.card.session import Session

DIRECTORY, KEY_FILE = 0x38, 0x3F
WHOLE_CARD = 0xFFFF


def create(session: Session, command: Command) -> bytes:
    data = command.data
    if len(data) < 7:
        raise Status(WRONG_LENGTH)
    if command.reference == MASTER_FILE:
        return _recreate_master(session, data)
    session.require(session.directory.create)
    new: Directory | File
    if data[0] == DIRECTORY:
        new = _new_directory(command.reference, data)
    elif data[0] == KEY_FILE:
        return _create_key_file(session, data)
    else:
        new = _new_file(command.reference, data)
    here = session.directory
    if new.fid in here.files or new.fid == MASTER_FILE:
        raise Status(EXISTS)
    if new.room > here.free:
        raise Status(NO_SPACE)
    session.write()
    here.files[new.fid] = new
    if isinstance(new, File):
        session.file = new
    else:
        session.enter([*session.path, new])
    return b""


def _recreate_master(session: Session, data: bytes) -> bytes:
    """Only once everything in it was erased; the session keeps its security state."""
    master = session.card.master
    session.require(master.create)
    if master.files or master.keys:
        raise Status(EXISTS)
    new = _new_directory(MASTER_FILE, data)
    whole = session.card.size - DIRECTORY_HEADER
    if new.room_inside == WHOLE_CARD:
        new.room_inside = whole
    if new.room_inside > whole:
        raise Status(NO_SPACE)
    session.write()
    session.card.master = new
    session.path, session.file = [new], None
    return b""


def _new_directory(fid: int, data: bytes) -> Directory:
    name = data[8:]
    if data[0] != DIRECTORY or len(data) < 8 or len(name) > 16:
        raise Status(WRONG_DATA)
    return Directory(fid, int.from_bytes(data[1:3]), data[3], data[4], data[5], name)


def _create_key_file(session: Session, data: bytes) -> bytes:
    here = session.directory
    if len(data) != 7:
        raise Status(WRONG_LENGTH)
    if here.keys is not None:
        raise Status(EXISTS)
    new = KeyFile(room=int.from_bytes(data[1:3]), short_id=data[3], add=data[4])
    if new.room + 8 > here.free:
        raise Status(NO_SPACE)
    session.write()
    here.keys = new
    return b""


def _new_file(fid: int, data: bytes) -> File:
    if len(data) != 7:
        raise Status(WRONG_LENGTH)
    if data[0] == WALLET:
        kind, protection = WALLET, 0
    else:
        kind, protection = data[0] & 0x3F, data[0] & 0xC0
    new = File(fid, kind, protection, read=data[3], write=data[4], access=data[6])
    if kind == BINARY:
        new.content = bytearray(int.from_bytes(data[1:3]))
    elif kind == VARIABLE:
        new.count = int.from_bytes(data[1:3])
    elif kind in {FIXED, CYCLIC, WALLET}:
        new.count, new.length = data[1], data[2]
        if kind == WALLET:
            new.content = bytearray(4)
    else:
        raise Status(WRONG_DATA)
    if new.room <= 8:
        raise Status(WRONG_DATA)
    return new


def erase(session: Session, command: Command) -> bytes:
    """Everything in the directory goes, its keys too; the directory itself stays."""
    if command.reference or command.data:
        raise Status(WRONG_P1_P2)
    here = session.directory
    session.require(here.erase)
    session.write()
    here.files.clear()
    here.keys = None
    session.file = None
    return b""


def select(session: Session, command: Command) -> bytes:
    """By file id (P1 00 any, 01 a directory below, 02 a file, 03 the directory above) or by name (04)."""
    if command.p2 & ~0x0C:
        raise Status(WRONG_P1_P2)
    if command.p1 == 0x04:
        path = _by_name([session.card.master], command.data)
        if path is None:
            raise Status(FILE_NOT_FOUND)
        session.enter(path)
        return _control_information(session)
    if command.p1 == 0x03:
        session.enter(session.path[:-1] or session.path)
        return _control_information(session)
    if command.p1 > 0x02:
        raise Status(NOT_SUPPORTED)
    if len(command.data) not in ({0, 2} if command.p1 == 0 else {2}):
        raise Status(WRONG_LENGTH)
    fid = int.from_bytes(command.data) if command.data else MASTER_FILE
    found = session.directory.files.get(fid)
    if isinstance(found, File) and command.p1 != 0x01:
        session.file = found
        return b""
    path = _path_to(session, fid) if command.p1 == 0 else None
    if isinstance(found, Directory) and command.p1 != 0x02:
        path = [*session.path, found]
    if path is None:
        raise Status(FILE_NOT_FOUND)
    session.enter(path)
    return _control_information(session)


def _path_to(session: Session, fid: int) -> list[Directory] | None:
    """A directory that is not below: the master file, the present one, the one above, its other children."""
    if fid == MASTER_FILE:
        return session.path[:1]
    for depth in range(len(session.path), 0, -1):
        if session.path[depth - 1].fid == fid:
            return session.path[:depth]
    above = session.path[:-1]
    beside = above[-1].files.get(fid) if above else None
    return [*above, beside] if isinstance(beside, Directory) else None


def _by_name(path: list[Directory], name: bytes) -> list[Directory] | None:
    """The first directory whose name begins so, the master file first, then downwards."""
    here = path[-1]
    if name and here.name.startswith(name):
        return path
    for each in here.files.values():
        if isinstance(each, Directory) and (found := _by_name([*path, each], name)):
            return found
    return None


def _control_information(session: Session) -> bytes:
    """6F: the name (84), then an application's public file (9F0C), or the short id of the master's (88)."""
    here = session.directory
    inner = b"" if not here.name else b"\x84" + _counted(here.name)
    number = here.application_file & 0x1F
    file = here.short(number)
    if file and file.kind == BINARY and len(session.path) > 1:
        inner += b"\xa5" + _counted(b"\x9f\x0c" + _counted(bytes(file.content)))
    elif len(session.path) == 1:
        inner += b"\xa5" + _counted(b"\x88\x01" + bytes([number]))
    return b"\x6f" + _counted(inner)


def _counted(data: bytes) -> bytes:
    size = len(data)
    if size < 0x80:
        return bytes([size]) + data
    return (b"\x81" + bytes([size]) if size < 0x100 else b"\x82" + size.to_bytes(2)) + data
