"""What a profile that can be read must also hold: it fits on the chip, and what it refers to is there."""

from collections.abc import Iterator, Sequence

from xueka.contexts.personalization.domain import words as w
from xueka.contexts.personalization.domain.data_maps import MapField
from xueka.contexts.personalization.domain.profiles import Application, Field, File, Key, Profile
from xueka.kernel.errors import LineProblem

#: What the card's system takes beside the content itself (card manual: heads of directories, files and keys).
DIRECTORY_HEAD, FILE_HEAD, KEY_HEAD = 16, 8, 8
#: What every key id may be: one of a type each; the control key is 00.
CONTROL_ID = 0
LAST_SHORT_ID = 0x1E


def check(profile: Profile) -> list[LineProblem]:
    """Every defect, by place."""
    return [*_profile(profile), *_directory(profile, profile.mf, "mf"), *_applications(profile)]


def taken(application: Application) -> int:
    """Bytes that the keys and files of a directory take of its space."""
    files = sum(file.size + FILE_HEAD for file in application.files)
    return files + (application.key_space + FILE_HEAD if application.keys else 0)


def _problem(where: str, code: str, found: object, message: str) -> LineProblem:
    return LineProblem(0, where, code, str(found)[:80], f"{where}：{message}")


def _profile(profile: Profile) -> Iterator[LineProblem]:
    own = [each.code for each in profile.applications if not each.shell]
    if len(own) != 1:
        message = f"由本系统写入的应用应恰有一个，读到 {len(own)} 个。"
        yield _problem("application", "PROFILE_MAIN", "、".join(own), message)
    needed = taken(profile.mf) + sum(each.space + DIRECTORY_HEAD for each in profile.applications)
    if needed > profile.space - DIRECTORY_HEAD:
        message = (
            f"卡片空间 {profile.space} 字节，目录、密钥与应用共需 {needed + DIRECTORY_HEAD} 字节，放不下。"
        )
        yield _problem("space", "PROFILE_SPACE", profile.space, message)
    if profile.mf.files:
        yield _problem("mf.file", "PROFILE_VALUE", len(profile.mf.files), "主目录下不放文件，请放入应用。")


def _applications(profile: Profile) -> Iterator[LineProblem]:
    for name in ("code", "id", "name"):
        values = [getattr(each, name) for each in profile.applications]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield _problem("application", "PROFILE_DUPLICATE", value, f"“{value}”出现了不止一次。")
    for each in profile.applications:
        yield from _directory(profile, each, f"application[{each.code}]")


def _directory(profile: Profile, here: Application, where: str) -> Iterator[LineProblem]:
    yield from _maps(here, where)
    if here.shell:
        if here.keys or here.files or here.proof:
            message = "外壳应用的内容由对方的脚本写入，这里不能写密钥和文件。"
            yield _problem(where, "PROFILE_SHELL", here.code, message)
        return
    yield from _keys(profile, here, where)
    for name in ("create", "erase"):
        yield from _condition(profile, here, getattr(here, name), f"{where}.{name}")
    ids = [file.id for file in here.files]
    for value in sorted({value for value in ids if ids.count(value) > 1}):
        yield _problem(f"{where}.file", "PROFILE_DUPLICATE", value, f"文件 {value} 出现了不止一次。")
    for file in here.files:
        yield from _file(profile, here, file, f"{where}.file[{file.id}]")
    if here is not profile.mf and taken(here) > here.space:
        message = f"应用空间 {here.space} 字节，密钥与文件共需 {taken(here)} 字节，放不下。"
        yield _problem(f"{where}.space", "PROFILE_SPACE", here.space, message)
    if here is not profile.mf:
        proof = here.key(here.proof)
        if proof is None or proof.type != "internal":
            message = "应写一把本应用的内部认证密钥，制卡后用它验证。"
            yield _problem(f"{where}.proof", "PROFILE_PROOF", here.proof, message)


def _maps(here: Application, where: str) -> Iterator[LineProblem]:
    """A partner's data map: of shells only, each file once, in the space that the shell has."""
    if here.maps and not here.shell:
        message = "数据图写在外壳应用里；本系统写入的应用用 file 写明。"
        yield _problem(f"{where}.map", "PROFILE_MAP", here.code, message)
    ids = [each.id for each in here.maps]
    for value in sorted({value for value in ids if ids.count(value) > 1}):
        yield _problem(f"{where}.map", "PROFILE_DUPLICATE", value, f"文件 {value} 出现了不止一次。")
    need = sum(each.bytes + FILE_HEAD for each in here.maps)
    if need > here.space:
        message = f"应用空间 {here.space} 字节，数据图中的文件共需 {need} 字节，放不下。"
        yield _problem(f"{where}.map", "PROFILE_SPACE", need, message)
    for file in here.maps:
        yield from _stretches(file.fields, file.size, f"{where}.map[{file.id}]")
        for field in file.fields:
            if field.encoding == "date" and field.length != 4:
                place = f"{where}.map[{file.id}].field[{field.name}].encoding"
                yield _problem(place, "PROFILE_VALUE", field.encoding, "日期是 4 字节。")


def _stretches(fields: Sequence[Field | MapField], size: int, where: str) -> Iterator[LineProblem]:
    """Fields lie one after the other, within the file."""
    end = 0
    for field in sorted(fields, key=lambda each: each.at):
        place = f"{where}.field[{field.name}]"
        if field.at < end:
            yield _problem(f"{place}.at", "PROFILE_OVERLAP", field.at, f"与前一项重叠，应不小于 {end}。")
        end = field.at + field.length
        if end > size:
            message = f"到第 {end} 字节，超出文件的 {size} 字节。"
            yield _problem(f"{place}.length", "PROFILE_SPACE", field.length, message)


def _keys(profile: Profile, here: Application, where: str) -> Iterator[LineProblem]:
    places = [(w.KEY_TYPES[key.type][0], key.id) for key in here.keys]
    names = [key.name for key in here.keys]
    if len(set(names)) < len(names) or len(set(places)) < len(places):
        yield _problem(f"{where}.key", "PROFILE_DUPLICATE", "", "密钥的名称、或类型与标识重复。")
    control = here.key("control")
    if control is None or control.type != "control":
        yield _problem(f"{where}.key", "PROFILE_CONTROL", "", "缺少名为 control 的主控密钥。")
    need = sum(w.KEY_SIZE + KEY_HEAD for _ in here.keys)
    if need > here.key_space:
        message = f"密钥文件 {here.key_space} 字节，{len(here.keys)} 把密钥需 {need} 字节。"
        yield _problem(f"{where}.key_space", "PROFILE_SPACE", here.key_space, message)
    for key in here.keys:
        yield from _key(profile, here, key, f"{where}.key[{key.name}]")


def _key(profile: Profile, here: Application, key: Key, where: str) -> Iterator[LineProblem]:
    if (key.type == "control") != (key.id == CONTROL_ID and key.type in w.AUTHENTICATING):
        yield _problem(f"{where}.id", "PROFILE_VALUE", key.id, "主控密钥的标识是 0，外部认证密钥的从 1 起。")
    if (key.type in w.AUTHENTICATING) != bool(key.state):
        message = "主控与外部认证密钥须写认证后的安全状态 state（1 至 15），其他密钥不写。"
        yield _problem(f"{where}.state", "PROFILE_VALUE", key.state, message)
    if key.written == w.PERSONALISE and not key.initial:
        message = "在个人化时写入的密钥，须写空白卡上原有密钥的名称 initial。"
        yield _problem(f"{where}.initial", "PROFILE_MISSING", "", message)
    if key.written == w.INITIALISE and key.factor == w.CARD_NUMBER:
        message = "初始化时还没有学生卡号，该密钥不能用它分散。"
        yield _problem(f"{where}.factor", "PROFILE_FACTOR", key.factor, message)
    if here is profile.mf and key.written != w.INITIALISE:
        yield _problem(f"{where}.written", "PROFILE_VALUE", key.written, "主目录的密钥在初始化时写入。")
    for name in ("use", "change"):
        yield from _condition(profile, here, getattr(key, name), f"{where}.{name}")


def _condition(profile: Profile, here: Application, condition: str, where: str) -> Iterator[LineProblem]:
    kind, _, name = condition.partition(":")
    if not name:
        return
    place = profile.mf if kind == "mf" else here
    key = place.key(name)
    if key is None:
        known = "、".join(each.name for each in place.keys)
        message = f"访问条件用到的密钥“{name}”不存在；有：{known}。"
        yield _problem(where, "PROFILE_KEY_UNKNOWN", condition, message)
    elif key.type not in w.AUTHENTICATING:
        message = f"“{name}”是{w.KEY_TYPES[key.type][1]}，不能作访问条件；应为主控或外部认证密钥。"
        yield _problem(where, "PROFILE_KEY_TYPE", condition, message)


def _file(profile: Profile, here: Application, file: File, where: str) -> Iterator[LineProblem]:
    for name in ("read", "write"):
        yield from _condition(profile, here, getattr(file, name), f"{where}.{name}")
    if not 1 <= int(file.id, 16) <= LAST_SHORT_ID:
        message = "文件标识应为 0001 至 001e，以便用短标识读写。"
        yield _problem(f"{where}.id", "PROFILE_VALUE", file.id, message)
    if file.verify and file.read != w.FREE:
        yield _problem(f"{where}.verify", "PROFILE_VALUE", file.read, "不能自由读取的文件不能读回核对。")
    yield from _stretches(file.fields, file.size, where)
    for field in file.fields:
        yield from _field(profile, field, f"{where}.field[{field.name}]")


def _field(profile: Profile, field: Field, where: str) -> Iterator[LineProblem]:
    if field.source in w.ONLY_IF_ALLOWED and field.source not in profile.allows:
        message = f"{w.SOURCES[field.source]}默认不上芯片；确需写入的，在 allows 中写明 {field.source}。"
        yield _problem(f"{where}.source", "PROFILE_NOT_ALLOWED", field.source, message)
    constant = field.source == "constant"
    if constant != bool(field.value) or (constant and len(field.value) != 2 * field.length):
        message = f"固定值须写 value，恰为 {field.length} 字节；其他来源不写。"
        yield _problem(f"{where}.value", "PROFILE_VALUE", field.value, message)
    if constant and field.encoding != "hex":
        yield _problem(f"{where}.encoding", "PROFILE_VALUE", field.encoding, "固定值的编码是 hex。")
    dated = field.source in ("valid_from", "valid_until")
    if dated != (field.encoding == "date") or (field.encoding == "date" and field.length != 4):
        yield _problem(f"{where}.encoding", "PROFILE_VALUE", field.encoding, "日期用 date 编码，4 字节。")
