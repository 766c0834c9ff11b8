"""What is different between two versions of a profile, in words."""

from collections.abc import Iterator
from typing import NamedTuple

from xueka.contexts.personalization.domain import data_maps
from xueka.contexts.personalization.domain import words as w
from xueka.contexts.personalization.domain.profiles import Application, Field, File, Key, Profile


class Change(NamedTuple):
    """`before` is empty for what is new, `after` for what is gone."""

    where: str
    before: str
    after: str


def difference(before: Profile | None, after: Profile) -> list[Change]:
    """Every line that is not the same; without an earlier version everything is new."""
    old, new = dict(_lines(before)) if before else {}, dict(_lines(after))
    places = [*new, *(place for place in old if place not in new)]
    return [
        Change(place, old.get(place, ""), new.get(place, ""))
        for place in places
        if old.get(place, "") != new.get(place, "")
    ]


def lines(profile: Profile) -> list[tuple[str, str]]:
    """The profile as people read it: (place, what is there), in the order of the card."""
    return list(_lines(profile))


def condition(text: str) -> str:
    """「自由」 for free, 「external 认证后」 for key:external."""
    kind, _, name = text.partition(":")
    if not name:
        return {w.FREE: "自由", w.NEVER: "不允许"}[text]
    return f"{'主目录 ' if kind == 'mf' else ''}{name} 认证后"


def _lines(profile: Profile) -> Iterator[tuple[str, str]]:
    yield "卡片 / 名称", profile.title
    yield "卡片 / 芯片", f"{w.FAMILIES[profile.family]}，{profile.space} 字节"
    yield "卡片 / 算法", w.ALGORITHMS[profile.algorithm]
    yield "卡片 / 卡种", "、".join(profile.kinds)
    yield "卡片 / 识别命令", profile.uid_command
    yield "卡片 / 随机数", f"MAC 用 {profile.challenge} 字节"
    yield "卡片 / 准许上芯片", "、".join(w.SOURCES[each] for each in profile.allows) or "无"
    for key in profile.mf.keys:
        yield f"主目录 / 密钥 {key.name}", _key(key)
    for place in profile.applications:
        yield from _application(place)


def _application(place: Application) -> Iterator[tuple[str, str]]:
    kind = "，内容由脚本写入" if place.shell else ""
    yield place.title, f"{place.id}，AID {place.name}，{place.space} 字节{kind}"
    yield f"{place.title} / 建文件", condition(place.create)
    yield f"{place.title} / 擦除", condition(place.erase)
    if place.proof:
        yield f"{place.title} / 制卡后验证", place.proof
    for key in place.keys:
        yield f"{place.title} / 密钥 {key.name}", _key(key)
    for file in place.files:
        yield from _file(place, file)
    for mapped in place.maps:
        for where, said in data_maps.lines(mapped):
            yield f"{place.title} / 数据图 {mapped.id}{where}", said


def _key(key: Key) -> str:
    by = f"按{w.FACTORS[key.factor]}分散"
    state = f"，认证后状态 {key.state}" if key.state else ""
    first = f"，空白卡上为 {key.initial}" if key.initial else ""
    return (
        f"{w.KEY_TYPES[key.type][1]} {key.id:02x}：{key.label}，{by}，{w.STAGES[key.written]}时写入{first}；"
        f"使用{condition(key.use)}，更换{condition(key.change)}，可试 {key.tries} 次{state}"
    )


def _file(place: Application, file: File) -> Iterator[tuple[str, str]]:
    where = f"{place.title} / 文件 {file.id}"
    checked = "，制卡后读回核对" if file.verify and file.fields else ""
    yield (
        where,
        f"{file.title}，{file.size} 字节；读{condition(file.read)}，写{condition(file.write)}{checked}",
    )
    for field in file.fields:
        yield f"{where} / {field.name}", _field(field)


def _field(field: Field) -> str:
    value = f" {field.value}" if field.value else ""
    return f"第 {field.at} 字节起 {field.length} 字节：{w.SOURCES[field.source]}{value}（{field.encoding}）"
