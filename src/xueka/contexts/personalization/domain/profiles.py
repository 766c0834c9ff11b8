"""A card profile: what lies on a chip, read from its file (docs/interfaces/card-profile.md)."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from xueka.contexts.personalization.domain import words as w
from xueka.contexts.personalization.domain.data_maps import MapField, MapFile
from xueka.contexts.personalization.domain.reading import Reader
from xueka.kernel.errors import BadInput, LineProblem
from xueka.kernel.text import parser_place

CODE = re.compile(r"[a-z][a-z0-9_]{0,31}", re.ASCII)
VERSION = re.compile(r"\d{1,3}\.\d{1,3}", re.ASCII)
LABEL = re.compile(r"[a-z][a-z0-9_]{0,23}(\.[a-z][a-z0-9_]{0,23}){0,5}", re.ASCII)
FID = re.compile(r"[0-9a-f]{4}", re.ASCII)
HEX = re.compile(r"(?:[0-9a-f]{2})*", re.ASCII)
CONDITION = re.compile(r"free|never|key:[a-z][a-z0-9_]{0,31}|mf:[a-z][a-z0-9_]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a directory. `initial` is what the blank holds until `written`; "" where it holds none.

    `use` and `change` are access conditions; `state` is the security state that a success sets.
    """

    name: str
    type: str
    id: int
    label: str
    factor: str
    written: str
    initial: str = ""
    use: str = w.FREE
    change: str = "key:control"
    state: int = 0
    tries: int = 15

    @property
    def type_byte(self) -> int:
        """With C0: it is changed enciphered and under a MAC only."""
        return w.KEY_TYPES[self.type][0] | 0xC0


@dataclass(frozen=True, slots=True)
class Field:
    """A stretch of a file: where its value comes from and how it is written."""

    name: str
    at: int
    length: int
    source: str
    encoding: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """An elementary file of an application. `verify`: it is read back before the card counts as made."""

    id: str
    title: str
    type: str
    size: int
    read: str
    write: str
    verify: bool = True
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Application:
    """A directory with its keys and files; a `shell` has neither: its content comes as a partner's script.

    `maps` say what that script puts where, for those who read it; nothing is written by them.
    """

    code: str
    title: str
    id: str
    name: str
    space: int
    shell: bool = False
    create: str = w.NEVER
    erase: str = w.NEVER
    key_space: int = 0
    keys: tuple[Key, ...] = ()
    files: tuple[File, ...] = ()
    proof: str = ""
    maps: tuple[MapFile, ...] = ()

    def key(self, name: str) -> Key | None:
        return next((key for key in self.keys if key.name == name), None)


@dataclass(frozen=True, slots=True)
class Profile:
    """One version of the content of a chip. `uid_command` is how the reader tells the chip's UID."""

    code: str
    version: str
    title: str
    family: str
    kinds: tuple[str, ...]
    algorithm: str
    space: int
    uid_command: str
    challenge: int
    allows: tuple[str, ...]
    mf: Application
    applications: tuple[Application, ...]
    text: str = field(default="", compare=False, repr=False)

    @property
    def main(self) -> Application:
        """The application that we write ourselves: the one that is no shell."""
        return next(each for each in self.applications if not each.shell)

    @property
    def labels(self) -> list[str]:
        """Every key label that the profile names, each once."""
        keys = [key for place in (self.mf, *self.applications) for key in place.keys]
        found = [label for key in keys for label in (key.label, key.initial) if label]
        return list(dict.fromkeys(found))


class ProfileRejected(BadInput):
    """The file is no profile; every defect is in `problems` (line 0: found by place, not by line)."""

    def __init__(self, problems: list[LineProblem]) -> None:
        first = problems[0]
        rest = f"（另有 {len(problems) - 1} 处）" if len(problems) > 1 else ""
        super().__init__(
            first.code,
            f"卡片结构文件有误：{first.message}{rest}",
            where=first.column,
            found=first.value,
            action="请按《卡片结构文件》的格式改正后重新载入。",
            problems=[problem.as_dict() for problem in problems],
        )
        self.problems = problems


@lru_cache(maxsize=32)
def parse(text: str) -> Profile:
    """The profile of a file's text. Raises ProfileRejected with every defect, and where it is.

    The few that are in use are read at every step of every card, so they are kept.
    """
    from xueka.contexts.personalization.domain.checking import check

    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, where = parser_place(error)
        message = f"{where}不符合 TOML 的写法。"
        raise ProfileRejected([LineProblem(line, where, "PROFILE_UNREADABLE", "", message)]) from None
    reader = Reader("", raw)
    profile = _profile(reader, text)
    problems = reader.problems or check(profile)
    if problems:
        raise ProfileRejected(problems)
    return profile


def _profile(r: Reader, text: str) -> Profile:
    code = r.text("profile", CODE, "小写英文字母开头，1 至 32 个字母、数字、下划线")
    version = r.text("version", VERSION, "两段数字，例如 1.0")
    title = r.words("title", 64)
    family = r.choice("family", tuple(w.FAMILIES))
    kinds = r.names("kinds", CODE)
    algorithm = r.choice("algorithm", tuple(w.ALGORITHMS))
    space = r.number("space", 256, 65535)
    uid = r.text("uid_command", HEX, "偶数个十六进制数字", default="ffca000000")
    challenge = r.number("challenge", 4, 16, default=4)
    if challenge not in (4, 8, 16):
        r.problem("challenge", "PROFILE_VALUE", challenge, "随机数的字节数应为 4、8 或 16。")
    allows = r.names("allows", CODE, default=())
    for each in allows:
        if each not in w.ONLY_IF_ALLOWED:
            r.problem("allows", "PROFILE_VALUE", each, f"allows 只能写 {'、'.join(w.ONLY_IF_ALLOWED)}。")
    mf = _directory(r.table("mf"), "mf", "卡片主目录", "3f00", "", space, shell=False)
    applications = tuple(_application(each) for each in r.tables("application"))
    if not applications and "application" not in r.missing:
        r.problem("application", "PROFILE_MISSING", "", "至少要有一个应用。")
    r.done()
    return Profile(
        code, version, title, family, kinds, algorithm, space, uid, challenge, allows, mf, applications, text
    )


def _application(r: Reader) -> Application:
    code = r.text("code", CODE, "小写英文字母开头，1 至 32 个字母、数字、下划线")
    title = r.words("title", 32)
    fid = r.text("id", FID, "4 位小写十六进制数字")
    name = r.text("aid", HEX, "5 至 16 字节的应用标识，十六进制")
    if name and not 10 <= len(name) <= 32:
        r.problem("aid", "PROFILE_VALUE", name, "应用标识应为 5 至 16 字节。")
    space = r.number("space", 16, 65535)
    shell = r.flag("shell", default=False)
    return _directory(r, code, title, fid, name, space, shell=shell)


def _directory(
    r: Reader, code: str, title: str, fid: str, name: str, space: int, *, shell: bool
) -> Application:
    create = r.text("create", CONDITION, _CONDITIONS, default=w.NEVER)
    erase = r.text("erase", CONDITION, _CONDITIONS, default=w.NEVER)
    key_space = r.number("key_space", 16, 65535, default=0)
    keys = tuple(_key(each) for each in r.tables("key", needed=not shell))
    files = tuple(_file(each) for each in r.tables("file", needed=False))
    proof = r.text("proof", CODE, "一把内部认证密钥的名称", default="")
    maps = tuple(_map_file(each) for each in r.tables("map", needed=False))
    r.done()
    return Application(
        code, title, fid, name, space, shell, create, erase, key_space, keys, files, proof, maps
    )


_CONDITIONS = "free、never、key:密钥名 或 mf:密钥名"


def _key(r: Reader) -> Key:
    key = Key(
        name=r.text("name", CODE, "小写英文名称"),
        type=r.choice("type", tuple(w.KEY_TYPES)),
        id=r.number("id", 0, 254),
        label=r.text("label", LABEL, "密钥名称，例如 education.adf.internal"),
        factor=r.choice("factor", tuple(w.FACTORS)),
        written=r.choice("written", tuple(w.STAGES)),
        initial=r.text("initial", LABEL, "空白卡上该密钥的名称", default=""),
        use=r.text("use", CONDITION, _CONDITIONS, default=w.FREE),
        change=r.text("change", CONDITION, _CONDITIONS, default="key:control"),
        state=r.number("state", 1, 15, default=0),
        tries=r.number("tries", 1, 15, default=15),
    )
    r.done()
    return key


def _file(r: Reader) -> File:
    file = File(
        id=r.text("id", FID, "4 位小写十六进制数字"),
        title=r.words("title", 32),
        type=r.choice("type", tuple(w.FILE_TYPES), default="binary"),
        size=r.number("size", 1, 4096),
        read=r.text("read", CONDITION, _CONDITIONS),
        write=r.text("write", CONDITION, _CONDITIONS),
        verify=r.flag("verify", default=True),
        fields=tuple(_field(each) for each in r.tables("field", needed=False)),
    )
    r.done()
    return file


def _field(r: Reader) -> Field:
    found = Field(
        name=r.words("name", 32),
        at=r.number("at", 0, 4095),
        length=r.number("length", 1, 4096),
        source=r.choice("source", tuple(w.SOURCES)),
        encoding=r.choice("encoding", w.ENCODINGS),
        value=r.text("value", HEX, "偶数个小写十六进制数字", default=""),
    )
    r.done()
    return found


def _map_file(r: Reader) -> MapFile:
    kind = r.choice("type", tuple(w.MAP_TYPES), default="binary")
    found = MapFile(
        id=r.text("id", FID, "4 位小写十六进制数字"),
        title=r.words("title", 32),
        type=kind,
        size=r.number("size", 1, 4096),
        records=r.number("records", 1, 255, default=0),
        basis=r.words("basis", 64),
        fields=tuple(_map_field(each) for each in r.tables("field", needed=False)),
    )
    if (kind == "binary") == bool(found.records):
        r.problem("records", "PROFILE_VALUE", found.records, "记录文件写条数 records，二进制文件不写。")
    r.done()
    return found


def _map_field(r: Reader) -> MapField:
    ours = tuple(each for each in w.SOURCES if each not in ("constant", *w.ONLY_IF_ALLOWED))
    found = MapField(
        name=r.words("name", 32),
        at=r.number("at", 0, 4095),
        length=r.number("length", 1, 4096),
        encoding=r.choice("encoding", w.ENCODINGS),
        source=r.choice("source", (w.PARTNER, *ours), default=w.PARTNER),
    )
    r.done()
    return found


def summary(profile: Profile) -> Mapping[str, Any]:
    """Figures for lists: applications, files, keys, bytes taken."""
    places = (profile.mf, *profile.applications)
    return {
        "applications": len(profile.applications),
        "files": sum(len(place.files) for place in places),
        "keys": sum(len(place.keys) for place in places),
        "space": profile.space,
    }
