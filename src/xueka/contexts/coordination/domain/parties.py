"""The seven counterpart groups of the contract (OB-41), what is coordinated with each, and in how many days.

The contract names the groups and the subjects, but no days: those here are defaults, in working days, and
`XUEKA_COORDINATION_DAYS` changes any of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Kind:
    label: str
    days: int


@dataclass(frozen=True, slots=True)
class Party:
    label: str
    kinds: Mapping[str, Kind]


def _party(label: str, **kinds: tuple[str, int]) -> Party:
    known = {code: Kind(*kind) for code, kind in kinds.items()}
    return Party(label, known | {OTHER: Kind("其他", 5)})


PARTIES: dict[str, Party] = {
    "transit": _party(
        "一卡通公司",
        ranges=("号段", 10),
        schedule=("排产", 5),
        hand_over=("出入库", 3),
        scripts=("写卡脚本", 10),
        data=("数据核对", 3),
    ),
    "beijing_tong": _party(
        "北京通、市民卡中心", numbers=("号码", 10), data=("数据核对", 3), interface=("接口", 5)
    ),
    "jingtong": _party(
        "京通、经信局", sign_on=("登录与缴费入口", 5), release=("上线审核", 10), interface=("接口", 5)
    ),
    "units": _party(
        "应用单位（社会大课堂、体质测试、中考体育）",
        interface=("接口对接", 10),
        card_space=("卡上目录", 10),
        data=("名单数据", 3),
    ),
    "schools": _party("校园卡学校", interface=("接口对接", 10), card_space=("卡空间", 10)),
    "bureau": _party("卡厂", batch=("批次进度", 2), returns=("回盘差错", 2), material=("卡体与耗材", 5)),
    "courier": _party("快递公司", parcel=("运件查询", 1), claim=("丢失破损理赔", 3), pickup=("揽收", 1)),
}

#: What a matter may be about: kind → word. Its name is a number that people know.
ABOUT = {
    "": "没有",
    "card": "学生卡",
    "batch": "制卡批次",
    "interface": "接口",
    "message": "交换消息",
    "difference": "核对差异",
    "parcel": "运件",
}
