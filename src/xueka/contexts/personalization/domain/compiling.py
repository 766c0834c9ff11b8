"""One compiler: from profile, stage and a card's values to the commands for counter, bureau and simulator.

The commands are those of the FMCOS family (docs/interfaces/card-profile.md §4). Nothing here knows a key.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xueka.contexts.personalization.domain import words as w
from xueka.contexts.personalization.domain.encoding import Values, content
from xueka.contexts.personalization.domain.profiles import Application, File, Key, Profile
from xueka.contexts.personalization.domain.steps import (
    ANYTHING,
    DONE,
    Authenticate,
    CardKeyName,
    Challenge,
    Plan,
    Prove,
    Send,
    Step,
    WriteKey,
)

MASTER_FILE = "3f00"
PIECE = 200  # bytes of one UPDATE or READ BINARY, well below a short command's limit
#: What a first look accepts: the answer decides what the card is, not whether it obeys.
LOOK = ("9000", "6???", "9???")


@dataclass(frozen=True, slots=True)
class ScriptCommand:
    """One command of a partner's script, as it came."""

    apdu: bytes
    expect: tuple[str, ...] = DONE


def block(profile: Profile) -> int:
    """Bytes that EXTERNAL and INTERNAL AUTHENTICATE work on."""
    return 16 if profile.algorithm == "sm4" else 8


def compile_plan(
    profile: Profile, stages: Sequence[str], values: Values, scripts: Sequence[Sequence[ScriptCommand]] = ()
) -> Plan:
    """The plan of one or both stages, in this order. Raises Refused where a value does not fit its field."""
    steps: list[Step] = [_identify(profile)]
    if w.INITIALISE in stages:
        steps += _initialise(profile)
    if w.PERSONALISE in stages:
        steps += _personalise(profile, values, scripts)
    return Plan.of(steps)


def probe(profile: Profile, values: Values) -> Plan:
    """What the card really is: chip, application, contents as they should be, whether its own key answers;
    then a challenge. Every status word is accepted: it tells.
    """
    main = profile.main
    steps: list[Step] = [_identify(profile), _select(main, LOOK)]
    for file in _verified(main):
        steps += _read(file, content(file, values), ANYTHING)
    steps += [_prove(profile, ANYTHING), Challenge("取随机数", block(profile))]
    return Plan.of(steps)


def ask_control(profile: Profile, *, new: bool) -> tuple[Step, ...]:
    """Which control key answers: the card's own or the blank's. A wrong try costs one of the card's tries."""
    control = _control(profile.main)
    key = _final(control) if new else _initial(control)
    title = "核对新主控密钥" if new else "核对空白卡主控密钥"
    return (
        Authenticate(title, key, control.id, ANYTHING),
        Challenge("取随机数", block(profile)),
    )


def script_steps(scripts: Sequence[Sequence[ScriptCommand]]) -> list[Step]:
    """A partner's scripts as they came."""
    return [
        Send(f"执行第 {number} 份脚本", each.apdu, each.expect, what="script", writes=True)
        for number, script in enumerate(scripts, 1)
        for each in script
    ]


def identify(profile: Profile) -> tuple[Step, ...]:
    """Which chip lies on the reader."""
    return (_identify(profile),)


def listing(plan: Plan) -> list[str]:
    """The plan in words, one line a step, for the dry run; keys by name only."""
    lines = []
    for number, run in enumerate(plan.runs, 1):
        lines += [f"{number:>2}  {_words(step)}" for step in run]
    return lines


# --- the stages ---


def _initialise(profile: Profile) -> list[Step]:
    """From the maker's blank: our keys in the master file, the shells, then our application with its keys."""
    mf, main = profile.mf, profile.main
    control = _control(mf)
    steps: list[Step] = [_select_master(), *_authenticate(profile, mf, new=False)]
    for key in mf.keys:
        steps += _add_key(mf, key, _initial(control)) if key.type != "control" else []
    if control.initial:
        # The maker's control key has a type without protection; ours is changed under protection only.
        steps += _change_key(mf, control, w.KEY_TYPES[control.type][0])
    for place, application in enumerate([*(a for a in profile.applications if a.shell), main]):
        if place:
            steps += [_select_master(), *_authenticate(profile, mf, new=True)]
        steps.append(_create_directory(profile, application))
    steps.append(_create_key_file(profile, main))
    steps += [_create_file(profile, main, file) for file in main.files]
    # The first key of a directory is written under the control key of the one above.
    steps += _add_key(main, _control(main), _final(control))
    own = _control(main)
    under = _initial(own) if own.initial else _final(own)
    for key in main.keys:
        steps += _add_key(main, key, under) if key.type != "control" else []
    return steps


def _personalise(profile: Profile, values: Values, scripts: Sequence[Sequence[ScriptCommand]]) -> list[Step]:
    """On an initialised blank: prove that it is one, data, keys, the control key last, then read back."""
    main = profile.main
    steps: list[Step] = [_select(main), *_authenticate(profile, main, new=False)]
    for file in main.files:
        if file.fields:
            steps += _update(file, content(file, values))
    for key in main.keys:
        if key.written == w.PERSONALISE and key.type != "control":
            steps += _change_key(main, key)
    if _control(main).written == w.PERSONALISE:
        steps += _change_key(main, _control(main))
    steps += script_steps(scripts)
    if scripts:
        steps.append(_select(main))
    for file in _verified(main):
        steps += _read(file, content(file, values), DONE)
    return [*steps, _prove(profile, DONE)]


# --- commands ---


def _command(title: str, head: str, data: bytes = b"", *, writes: bool = False) -> Send:
    body = bytes([len(data)]) + data if data else b""
    return Send(title, bytes.fromhex(head) + body, what="create" if writes else "command", writes=writes)


def _identify(profile: Profile) -> Send:
    return Send("识别芯片", bytes.fromhex(profile.uid_command), what="chip")


def _select_master() -> Send:
    return _command("选择主目录", "00a40000", bytes.fromhex(MASTER_FILE))


def _select(application: Application, expect: tuple[str, ...] = DONE) -> Send:
    name = bytes.fromhex(application.name)
    apdu = bytes.fromhex("00a40400") + bytes([len(name)]) + name
    return Send(f"选择{application.title}", apdu, expect, what="select")


def _authenticate(profile: Profile, place: Application, *, new: bool) -> list[Step]:
    control = _control(place)
    key = _final(control) if new or not control.initial else _initial(control)
    return [
        Challenge("取随机数", block(profile)),
        Authenticate(f"{place.title}外部认证", key, control.id),
    ]


def _create_directory(profile: Profile, application: Application) -> Send:
    create, erase = application.create, application.erase
    data = bytes([0x38]) + application.space.to_bytes(2, "big")
    data += bytes([_permission(profile, application, create), _permission(profile, application, erase)])
    data += bytes.fromhex("95ffff") + bytes.fromhex(application.name)
    return _command(f"建立{application.title}", f"80e0{application.id}", data, writes=True)


def _create_key_file(profile: Profile, application: Application) -> Send:
    add = _permission(profile, application, application.create)
    data = bytes([0x3F]) + application.key_space.to_bytes(2, "big") + bytes([0x95, add, 0xFF, 0xFF])
    return _command(f"建立{application.title}密钥文件", "80e00000", data, writes=True)


def _create_file(profile: Profile, application: Application, file: File) -> Send:
    data = bytes([w.FILE_TYPES[file.type]]) + file.size.to_bytes(2, "big")
    data += bytes([_permission(profile, application, each) for each in (file.read, file.write)])
    return _command(f"建立{file.title}", f"80e0{file.id}", data + b"\xff\xff", writes=True)


def _update(file: File, data: bytes) -> list[Step]:
    """All of the file by its short id, in pieces."""
    return [
        Send(
            f"写入{file.title}",
            bytes([0x00, 0xD6, _short(file, at), at & 0xFF, len(piece)]) + piece,
            what="update",
            writes=True,
        )
        for at in range(0, len(data), PIECE)
        if (piece := data[at : at + PIECE])
    ]


def _read(file: File, want: bytes, expect: tuple[str, ...]) -> list[Step]:
    steps: list[Step] = []
    for at in range(0, file.size, PIECE):
        length = min(PIECE, file.size - at)
        apdu = bytes([0x00, 0xB0, _short(file, at), at & 0xFF, length])
        what = f"read {file.id} {at}"
        steps.append(Send(f"读回{file.title}", apdu, expect, want[at : at + length], what))
    return steps


def _short(file: File, at: int) -> int:
    """P1: the short id at the file's beginning, afterwards the upper half of the offset."""
    return 0x80 | int(file.id, 16) if at < 0x100 else at >> 8


def _prove(profile: Profile, expect: tuple[str, ...]) -> Prove:
    main = profile.main
    key = main.key(main.proof)
    assert key is not None  # the profile was checked
    return Prove("内部认证", _final(key), key.id, expect)


def _add_key(place: Application, key: Key, under: CardKeyName) -> list[Step]:
    value = _final(key) if key.written == w.INITIALISE else _initial(key)
    return [
        Challenge("取随机数", 4),
        _write_key(f"写入{place.title}{_called(key)}", 0x01, place, key, value, under),
    ]


def _change_key(place: Application, key: Key, p1: int = 0) -> list[Step]:
    """The blank's key gives way to the card's own; the present control key protects it. `p1`: type it has."""
    control = _control(place)
    under = _initial(control) if control.initial else _final(control)
    title = f"更换{place.title}{_called(key)}"
    return [Challenge("取随机数", 4), _write_key(title, p1 or key.type_byte, place, key, _final(key), under)]


def _write_key(
    title: str, p1: int, place: Application, key: Key, value: CardKeyName, under: CardKeyName
) -> WriteKey:
    conditions = [_byte(place, key.use), _byte(place, key.change)]
    if key.type in w.AUTHENTICATING:
        rest, version_at = [key.state, key.tries << 4 | key.tries], None
    elif key.type == "internal":
        rest, version_at = [0x00, 0x00], 3
    else:
        rest, version_at = [0xFF, key.tries << 4 | key.tries], None
    head = bytes([key.type_byte, *conditions, *rest])
    return WriteKey(title, p1, key.id, head, value, under, version_at, f"{place.code}.{key.name}")


def _byte(place: Application, condition: str) -> int:
    """The permission byte XY of a key's condition: from state Y to state X of its own directory."""
    if condition == w.FREE:
        return 0xF0
    if condition == w.NEVER:
        return 0xEF
    key = place.key(condition.partition(":")[2])
    assert key is not None  # the profile was checked
    return 0xF0 | key.state


def _permission(profile: Profile, place: Application, condition: str) -> int:
    """As `_byte`; 0Y asks for the state of the master file."""
    kind, _, name = condition.partition(":")
    if kind != "mf":
        return _byte(place, condition)
    key = profile.mf.key(name)
    assert key is not None
    return key.state


def _control(place: Application) -> Key:
    key = place.key("control")
    assert key is not None
    return key


def _final(key: Key) -> CardKeyName:
    return CardKeyName(key.label, key.factor)


def _initial(key: Key) -> CardKeyName:
    return CardKeyName(key.initial)


def _verified(application: Application) -> list[File]:
    return [file for file in application.files if file.fields and file.verify]


def _called(key: Key) -> str:
    return w.KEY_TYPES[key.type][1]


def _words(step: Step) -> str:
    if isinstance(step, Challenge):
        return f"{step.title}（{step.length} 字节）"
    if isinstance(step, WriteKey):
        by = f"，按{w.FACTORS[step.key.factor]}分散" if step.key.factor else ""
        return f"{step.title}：{step.key.label}{by}，在 {step.under.label} 下加密并带 MAC"
    if isinstance(step, Authenticate | Prove):
        return f"{step.title}：{step.key.label}"
    return f"{step.title}：{step.apdu.hex()}"
