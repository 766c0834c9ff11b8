"""A OneRoster package: a zip, or files by name, opened with suspicion. Nothing is written to disk."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.domain.report import shown
from xueka.contexts.registry.tables.csv_file import Content, open_csv
from xueka.kernel.errors import BadInput, LineProblem
from xueka.platform.files.foreign_zip import BROKEN

MAX_BYTES = 1024**3
MAX_INFLATED = 2 * 1024**3
MAX_PARTS = 64
_PIECE = 1024**2
_KNOWN = {f"{name}.csv": name for name in (*o.READ, *o.UNREAD)}
_MANIFEST = "manifest.csv"


@dataclass(frozen=True, slots=True)
class Package:
    """`files` by name of the standard (`users`), those that are read; `modes` as the manifest says;
    `ignored` are parts that no standard knows.

    What was fetched by REST has `frames` instead, the sourcedIds of their lines (`named`), what was wrong
    with single records, and the users among those (`lost`): a record that cannot be used is still there.
    """

    files: Mapping[str, bytes]
    modes: Mapping[str, str]
    ignored: tuple[str, ...] = ()
    frames: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    named: Mapping[str, pl.Series] = field(default_factory=dict)
    problems: tuple[LineProblem, ...] = ()
    warnings: tuple[LineProblem, ...] = ()
    lost: frozenset[str] = frozenset()

    @property
    def fetched(self) -> bool:
        """By REST: records with a sourcedId instead of files with lines."""
        return bool(self.frames)

    def mode(self, file: str) -> str:
        return self.modes.get(file, o.ABSENT)


def is_package(content: Content) -> bool:
    """Whether this is an archive with a manifest. A workbook is an archive, too, but has none."""
    if content[:2] != b"PK":
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content[:])) as archive:
            return any(_name(part.filename) == _MANIFEST for part in archive.infolist())
    except BROKEN:
        return False


def open_zip(content: Content) -> Package:
    """Inflate what is read, piece by piece, believing no stated size. Raises BadInput."""
    if len(content) > MAX_BYTES:
        raise _too_large(f"{len(content) / 1024**2:.0f} MB", f"不超过 {MAX_BYTES // 1024**2} MB")
    try:
        with zipfile.ZipFile(io.BytesIO(content[:])) as archive:
            parts = [part for part in archive.infolist() if not part.is_dir()]
            if len(parts) > MAX_PARTS:
                raise _too_large(f"内含 {len(parts)} 个文件", f"不超过 {MAX_PARTS} 个")
            _check_names(parts)
            room = MAX_INFLATED
            files: dict[str, bytes] = {}
            others = []
            for part in parts:
                name = _name(part.filename)
                if name != _MANIFEST and _KNOWN.get(name) not in o.READ:
                    others.append(name)
                    continue
                files[name] = _inflate(archive, part, room)
                room -= len(files[name])
    except BROKEN:
        raise BadInput(
            "ONEROSTER_ZIP",
            "这个 zip 文件已损坏、已加密，或压缩方式不受支持。",
            expected="未加密的 zip（存储或 deflate）",
            action="请重新打包后再导入；本次没有改动任何数据。",
        ) from None
    return open_files(files, others)


def open_files(files: Mapping[str, bytes], others: list[str] | None = None) -> Package:
    """A package whose files lie side by side: `manifest.csv`, `users.csv` … Raises BadInput."""
    if _MANIFEST not in files:
        raise BadInput(
            "ONEROSTER_MANIFEST",
            "包里没有 manifest.csv。",
            expected="OneRoster 1.2 的 manifest.csv 和它列出的文件，放在包的最外层",
            action="请让导出方按 OneRoster 1.2 重新导出。",
        )
    modes = _modes(files[_MANIFEST])
    present = {_KNOWN[name]: content for name, content in files.items() if _KNOWN.get(name) in o.READ}
    for name in o.READ:
        given, mode = name in present, modes.get(name, o.ABSENT)
        if given != (mode != o.ABSENT):
            raise BadInput(
                "ONEROSTER_FILE",
                f"manifest.csv 说 {name}.csv 是 {mode}，包里却{'有' if given else '没有'}这个文件。",
                where="manifest.csv",
                found=f"file.{name} = {mode}",
                expected="清单与包里的文件一致",
                action="请让导出方重新导出；本次没有改动任何数据。",
            )
    ignored = tuple(shown(name) for name in others or () if name not in _KNOWN)
    silent = not {"users", "enrollments", "demographics"} & present.keys()
    warnings = (_nobody(),) if silent else ()
    return Package(present, {name: modes.get(name, o.ABSENT) for name in o.READ}, ignored, warnings=warnings)


def _nobody() -> LineProblem:
    """The standard lets a package say so: a manifest alone means that nothing has changed."""
    text = "包里没有学生（users、enrollments、demographics 三个文件都没有）：没有变化，学生都没有改动。"
    return LineProblem(1, "", "ONEROSTER_NOTHING", "", text, _MANIFEST)


def _modes(manifest: bytes) -> dict[str, str]:
    table = open_csv(o.MANIFEST, manifest)
    at, value_at = table.layout.positions["propertyName"], table.layout.positions["value"]
    said: dict[str, str] = {}
    number = 1
    for chunk in table.chunks():
        for cells in chunk.lines():
            number += 1
            if len(cells) <= max(at, value_at):
                continue
            name, value = cells[at].strip(), cells[value_at].strip()
            if name in said:
                raise _bad_manifest(number, name, value, "每项一次")
            said[name] = value
            if name.startswith("file.") and value not in o.MODES:
                raise _bad_manifest(number, name, value, "、".join(o.MODES))
            if name == "oneroster.version" and value != o.VERSION:
                raise _bad_manifest(number, name, value, o.VERSION)
    if "oneroster.version" not in said:
        raise _bad_manifest(number, "oneroster.version", "", o.VERSION)
    return {name.removeprefix("file."): value for name, value in said.items() if name.startswith("file.")}


def _bad_manifest(line: int, name: str, value: str, expected: str) -> BadInput:
    return BadInput(
        "ONEROSTER_MANIFEST",
        f"manifest.csv 第 {line} 行「{shown(name)}」不对。",
        where=f"manifest.csv 第 {line} 行",
        found=shown(value) or "空白",
        expected=expected,
        action="请让导出方按 OneRoster 1.2 重新导出；本次没有改动任何数据。",
    )


def _check_names(parts: list[zipfile.ZipInfo]) -> None:
    """One folder around everything is a habit of packers; more than that is not what the standard says."""
    folders = {part.filename.rpartition("/")[0] for part in parts if not _hidden(part.filename)}
    names = [_name(part.filename) for part in parts if not _hidden(part.filename)]
    if len(folders) > 1 or len(names) != len(set(names)) or any("/" in folder for folder in folders):
        raise BadInput(
            "ONEROSTER_FOLDERS",
            "包里的文件不在同一层，或同一个文件出现了两次。",
            found="、".join(shown(name) for name in sorted({part.filename for part in parts})[:6]),
            expected="manifest.csv 和各数据文件都在最外层",
            action="请重新打包后再导入。",
        )


def _hidden(path: str) -> bool:
    return path.startswith("__MACOSX/") or path.rpartition("/")[2].startswith(".")


def _name(path: str) -> str:
    return "" if _hidden(path) else path.rpartition("/")[2]


def _inflate(archive: zipfile.ZipFile, part: zipfile.ZipInfo, room: int) -> bytes:
    pieces = []
    with archive.open(part) as stream:
        while piece := stream.read(_PIECE):
            room -= len(piece)
            if room < 0:
                raise _too_large("解压后的内容过大", f"不超过 {MAX_INFLATED // 1024**2} MB")
            pieces.append(piece)
    return b"".join(pieces)


def _too_large(found: str, expected: str) -> BadInput:
    return BadInput(
        "ONEROSTER_TOO_LARGE",
        f"包过大：{found}。",
        found=found,
        expected=expected,
        action="请让导出方分区导出，或改用增量。",
    )
