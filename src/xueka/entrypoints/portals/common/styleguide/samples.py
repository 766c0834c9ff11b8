"""Invented people, schools and numbers that fill the style guide."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.templatetags.static import static
from django.urls import reverse

from xueka.entrypoints.design import nav, ui
from xueka.entrypoints.design.context import OtherGrant, Shell
from xueka.entrypoints.design.cropping import CropBox
from xueka.entrypoints.design.key_tree import Mark, Node, Tree
from xueka.kernel import clock, districts
from xueka.kernel.errors import BadInput, LineProblem
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN = [
    "子涵",
    "雨桐",
    "浩然",
    "梓萱",
    "一诺",
    "思远",
    "欣怡",
    "俊杰",
    "若曦",
    "宇轩",
    "可馨",
    "嘉懿",
    "沐阳",
    "书瑶",
    "睿",
    "芷若",
    "景行",
    "乐天",
    "安",
    "知夏",
]


def ago(**length: float) -> datetime:
    return clock.now() - timedelta(**length)


class SampleShell(Shell):
    """The frame as a city operator sees it, without a session or a database."""

    actor = Actor.in_role("sample", "赵敏", "city_operator", Scope("city"))
    other_grants = [OtherGrant(2, "区级卡管员 · 东城区")]
    notices_known = True

    @property
    def notices(self) -> list[nav.Notice]:
        here = reverse("design_object")
        return [
            nav.Notice("批次 B2024-0017 的回盘有 6 张问题卡", here, ago(hours=3), "bad"),
            nav.Notice("北京通号段剩余不足 20,000", here, ago(days=1)),
        ]

    @property
    def groups(self) -> list[nav.DrawnGroup]:
        here = self._request.path

        def item(label: str, name: str, icon: str, waiting: int = 0) -> nav.DrawnItem:
            url = reverse(name)
            return nav.DrawnItem(label, url, icon, here == url, waiting)

        return [
            nav.DrawnGroup(
                "", [item("基础", "design", "palette"), item("部件", "design_components", "components")]
            ),
            nav.DrawnGroup(
                "办理",
                [
                    item("列表", "design_list", "list-check", 128),
                    item("空列表", "design_empty_list", "inbox"),
                    item("对象页", "design_object", "id-badge-2"),
                    item("表单", "design_forms", "forms"),
                    item("收货扫描", "design_scan", "barcode", 3),
                ],
            ),
            nav.DrawnGroup(
                "图与纸",
                [item("图表", "design_pictures", "chart-bar"), item("打印", "design_printed", "printer")],
            ),
        ]


@dataclass(frozen=True, slots=True)
class Student:
    pk: int
    name: str
    education_id: str
    group: str
    stage: str
    state: ui.Badge
    submitted: datetime
    defect: str


STATES = {
    "submitted": ui.Badge("待区审", "wait"),
    "approved": ui.Badge("已通过", "ok"),
    "returned": ui.Badge("退回修改", "bad", "arrow-back-up"),
    "producing": ui.Badge("制卡中", "progress"),
    "lost": ui.Badge("已挂失", "stop"),
    "closed": ui.Badge("已注销", "ended"),
    "draft": ui.Badge("未提交", "neutral"),
}


def students(count: int = 128) -> list[Student]:
    codes = list(STATES)
    return [
        Student(
            pk=n,
            name=FAMILY[n * 7 % len(FAMILY)] + GIVEN[n * 3 % len(GIVEN)],
            education_id=f"{20_240_000 + n * 37}",
            group=f"{'一二三四五六'[n % 6]}年级 {n % 4 + 1} 班",
            stage=("primary", "junior", "senior")[n % 3],
            state=STATES[codes[n * 5 % len(codes)]],
            submitted=ago(hours=7 * n + 1),
            defect="照片 62 KB，超过 60 KB" if n % 9 == 4 else "",
        )
        for n in range(1, count + 1)
    ]


def portrait(n: int) -> str:
    return static(f"common/portrait-{n % 3 + 1}.svg")


def actions() -> list[ui.Action]:
    here = reverse("design_components")
    reasons = [
        ("lost", "本人遗失"),
        ("stolen", "被盗"),
        ("found_by_other", "他人拾得未还"),
        ("other", "其他（请写明）"),
    ]
    ask = ui.Confirm(
        "挂失这张卡",
        "本系统即时生效；联网机具 10 分钟内、公交次日 5:00 前生效。找到后可以解挂。",
        "确认挂失",
        reason="required",
        reasons=reasons,
    )
    return [
        ui.Action("换卡", here, icon="replace", tone="primary"),
        ui.Action("挂失", here, method="post", icon="lock", tone="danger", confirm=ask, hotkey="g"),
        ui.Action("打印存根", here, icon="printer"),
        ui.Action("补卡", disabled_reason="卡片仍有效。请先挂失，再补卡。", icon="cards"),
    ]


def tiles() -> list[ui.Tile]:
    here = reverse("design_list")
    return [
        ui.Tile(
            "待申领",
            37,
            "本学期还没有卡的学生",
            ui.Action("去申领", here, tone="primary"),
            "wait",
            "id-badge-2",
        ),
        ui.Tile("被退回", 4, "区里退回，写明了原因", ui.Action("看原因", here), "bad", "arrow-back-up"),
        ui.Tile(
            "待收货", 2, "箱在路上，最近一箱 9月16日 周一到", ui.Action("收货", here), "progress", "package"
        ),
        ui.Tile(
            "待发放",
            1286,
            "卡已到校，还没有发到学生手里",
            ui.Action("发放", here),
            "neutral",
            "hand-grab",
            "张",
        ),
    ]


def head(state: str = "producing") -> ui.ObjectHead:
    return ui.ObjectHead(
        title="王子涵",
        number="教育ID 20240037",
        kind="学生",
        state=STATES[state],
        picture_url=portrait(1),
        picture_alt="王子涵的照片",
        stage="primary",
        facts=[
            ui.Fact("学校", ui.Link("东城区示范小学", reverse("design_object"))),
            ui.Fact("班级", "三年级 2 班"),
            ui.Fact("性别", "女"),
            ui.Fact("入学", date(2022, 9, 1)),
        ],
        actions=actions(),
    )


def timeline() -> list[ui.Event]:
    batch = ui.Link("B2024-0017", reverse("design_object"))
    return [
        ui.Event("送到学校", promised="承诺 10月12日 周六前送达", icon="truck-delivery"),
        ui.Event("卡厂制卡", ago(hours=5), "卡厂", "已收到批次，预计两天", "progress", links=[batch]),
        ui.Event("区级审核通过", ago(days=1, hours=2), "东城区 孙慧", tone="ok"),
        ui.Event("退回修改", ago(days=2), "东城区 孙慧", "照片：背景不是浅色，请重拍。", "bad"),
        ui.Event("提交申领", ago(days=3), "李老师", "全班 42 人，一并提交", "neutral", "send"),
    ]


def steps() -> list[ui.Step]:
    return [
        ui.Step("锁定", "done", at=ago(days=4)),
        ui.Step("复核", "done", "赵敏 → 周正", ago(days=3)),
        ui.Step("送卡厂", "done", "SM3 9f3c…a1", ago(days=3)),
        ui.Step("卡厂确认", "now", "等待回执"),
        ui.Step("回盘核对", "todo"),
        ui.Step("装箱", "todo"),
    ]


def photos() -> Iterator[ui.PhotoCard]:
    for n, student in enumerate(students(10)):
        defect = {2: "背景不是浅色：请重拍", 5: "照片 312 KB，压缩后仍不清楚：请换一张", 7: "没有照片"}.get(
            n, ""
        )
        yield ui.PhotoCard(
            key=str(student.pk),
            name=student.name,
            photo_url="" if n == 7 else portrait(n),
            note=student.education_id,
            defect=defect,
            repaired="62 KB，已自动压缩到 54 KB" if n == 3 else "",
            url=reverse("design_object"),
            selected=n == 0,
        )


def crop() -> CropBox:
    return CropBox(
        reverse("design_object"), portrait(0), "王子涵的照片", 358, 441, 60, 40, 240, 296, least=80
    )


def refusal() -> BadInput:
    return BadInput(
        "ID_CHECK_DIGIT",
        "校验位不对。",
        where="第 37 行「证件号码」",
        found="110105********321X",
        expected="前 17 位对应的校验位是 9",
        action="请核对证件后改正本行，再导入一次；其余 899 行不受影响。",
    )


def line_problems() -> list[LineProblem]:
    return [
        LineProblem(
            37,
            "证件号码",
            "ID_CHECK_DIGIT",
            "110105********321X",
            "校验位应是 9。请核对证件后改正本行，再导入一次。",
        ),
        LineProblem(
            112, "班级", "CLASS_UNKNOWN", "三年级 9 班", "学校没有这个班。请先建班，或改成已有的班。"
        ),
        LineProblem(640, "姓名", "NAME_EMPTY", "", "姓名不能空。请补上。"),
    ]


def scan(said: str = "", tone: str = "neutral", scanned: list[ui.ScanLine] | None = None) -> ui.Scan:
    expected = [
        ui.ScanLine(f"24000{n:04d}7{n % 10}", s.name, "found" if n < 4 else "expected")
        for n, s in enumerate(students(12), start=1)
    ]
    done = [line for line in expected if line.state == "found"][::-1]
    wrong = ui.ScanLine("240009990112", "马安", "extra", "不在本箱：属于海淀区示范中学，请放到一边")
    return ui.Scan(
        url=reverse("design_scan"),
        expected=expected,
        scanned=[*(scanned or []), wrong, *done],
        said=said,
        said_tone=tone,
        finish=ui.Action(
            "签收", disabled_reason="还差 9 张。扫完，或把缺少的记为短少，才能签收。", icon="signature"
        ),
    )


DISTRICTS = [name.removesuffix("区") for name in districts.DISTRICTS.values()]


def flow() -> list[ui.FlowStage]:
    here = reverse("design_list")
    data = [
        ("申领", 1_204, 2, 0),
        ("区审", 3_118, 6, 0),
        ("号段", 0, 0, 0),
        ("批次", 2, 1, 0),
        ("卡厂", 5, 4, 1),
    ]
    more = [("回盘", 1, 0.2, 0), ("装箱", 640, 1, 0), ("到校", 37, 3, 2), ("发放", 12_880, 5, 0)]
    return [
        ui.FlowStage(label, count, here, ago(days=days) if days else None, stuck, here)
        for label, count, days, stuck in data + more
    ]


def printed_students() -> list[Student]:
    return students(24)


def key_tree() -> Tree:
    here = reverse("design_object")
    now = Mark("2用", "ok", "第 2 版使用中")
    old = Mark("1验", "wait", "第 1 版仅验证")
    leaves = [
        Node("卡主控密钥", "education.mf.control", here, [now, old]),
        Node("教育应用内部认证密钥", "education.adf.internal", here, [now]),
    ]
    kek = Node("卡密钥保护密钥", "kek.card", here, [now, old], leaves)
    strange = Node("一卡通圈存密钥", "由一卡通公司持有", dashed=True)
    return Tree("密钥层级图", [Node("本地主密钥", "local", here, [now], [kek]), strange])
