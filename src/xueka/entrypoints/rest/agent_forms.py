"""The bodies of the agent interface (docs/interfaces/issuing-agent.md)."""

from typing import Annotated, Literal

from ninja import Schema
from pydantic import Field

Hex = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})*$", max_length=66)]
Data = Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})*$", max_length=2048)]
# No NUL: PostgreSQL holds none.
_TEXT = r"^[^\x00]*$"
Said = Annotated[str, Field(pattern=_TEXT, max_length=200)]
Name = Annotated[str, Field(pattern=_TEXT, min_length=1, max_length=100)]
Version = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=20)]


class Enrolling(Schema):
    code: Annotated[str, Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(pattern=_TEXT, min_length=1, max_length=40)]
    public_key: Annotated[str, Field(min_length=44, max_length=44)]
    version: Version


class Enrolled(Schema):
    agent: str
    poll_seconds: int


class Reader(Schema):
    name: Name
    state: Literal["empty", "card", "mute", "busy", "gone"]
    atr: Hex = ""


class Printer(Schema):
    name: Name
    uri: Said = ""
    state: Literal["idle", "processing", "stopped", "gone"]
    message: Said = ""


class Polling(Schema):
    version: Version
    waiting: bool = False
    readers: Annotated[list[Reader], Field(max_length=8)]
    printers: Annotated[list[Printer], Field(max_length=8)]


class Command(Schema):
    apdu: str
    expect: list[str]


class Run(Schema):
    run: str
    reset: bool
    seconds: int
    commands: list[Command]


class CardWork(Schema):
    kind: Literal["card"]
    session: str
    reader: str
    run: Run


class PrintWork(Schema):
    kind: Literal["print"]
    job: str
    printer: str
    media_type: str
    document: str
    copies: int
    title: str


class Polled(Schema):
    work: CardWork | PrintWork | None
    poll_seconds: int


class Answer(Schema):
    data: Data
    sw: Annotated[str, Field(pattern=r"^[0-9a-f]{4}$")]
    ms: Annotated[int, Field(ge=0, le=600_000)] = 0


class Reported(Schema):
    outcome: Literal["done", "stopped", "pulled", "reader_gone", "timeout", "interrupted"]
    atr: Hex = ""
    answers: Annotated[list[Answer], Field(max_length=128)]


class Next(Schema):
    next: Run | None
    state: Literal["running", "verified", "void", "failed"]
    message: str


class PrintReported(Schema):
    state: Literal["printing", "printed", "failed", "unknown"]
    message: Said = ""


class PrintState(Schema):
    state: str
