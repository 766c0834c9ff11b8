"""The pages of the style guide. They need neither a session nor the database."""

from datetime import date
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from xueka.entrypoints.design import ui
from xueka.entrypoints.design.age_strip import AgeStrip
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Bulk, Column, DataList, Filter, Selection
from xueka.entrypoints.portals.common.styleguide import samples


def page(request: HttpRequest, name: str, **shapes: Any) -> HttpResponse:
    shapes["shell"] = samples.SampleShell(request)
    return render(request, f"common/styleguide/{name}.html", shapes)


def foundations(request: HttpRequest) -> HttpResponse:
    return page(request, "foundations", tones=list(ui.TONES), moment=samples.ago(days=3, hours=2))


def components(request: HttpRequest) -> HttpResponse:
    here = reverse("design_components")
    undo = ui.Action("撤销", here, method="post", icon="arrow-back-up")
    return page(
        request,
        "components",
        actions=samples.actions(),
        tiles=samples.tiles(),
        tones=list(ui.TONES),
        steps=samples.steps(),
        undo=undo,
        empty=ui.Empty(
            "还没有箱子在路上", "市里发货后，箱子会出现在这里，并写明哪天到。", ui.Action("看申领进度", here)
        ),
        photos=list(samples.photos()),
        crop=samples.crop(),
        drop=ui.DropZone(
            here,
            hint="ZIP，照片以教育ID或证件号码命名，一次最多 200 MB",
            accept=".zip",
            label="把本班照片的压缩包拖到这里，或点此选择",
        ),
        refusal=samples.refusal(),
        line_problems=samples.line_problems(),
    )


COLUMNS = [
    Column("姓名", "name", sort="name"),
    Column("教育ID", "education_id", kind="code", sort="education_id"),
    Column("班级", "group"),
    Column("状态", "state"),
    Column("问题", "defect", minor=True),
    Column("提交时间", "submitted", kind="number", sort="submitted"),
]
SORTS = {"submitted": ("submitted", "pk"), "name": ("name", "pk"), "education_id": ("education_id",)}
STATES = [(code, badge.text) for code, badge in samples.STATES.items()]


def _filters() -> list[Filter]:
    def keep(test: Any) -> Any:
        return lambda rows, text: [row for row in rows if test(row, text)]

    return [
        Filter(
            "state", "状态", keep(lambda r, code: r.state == samples.STATES[code]), STATES[:4], kind="tabs"
        ),
        Filter("q", "姓名或教育ID", keep(lambda r, t: t in r.name or t in r.education_id), kind="search"),
        Filter(
            "stage",
            "学段",
            keep(lambda r, c: r.stage == c),
            [("primary", "小学"), ("junior", "初中"), ("senior", "高中")],
        ),
    ]


def _list(request: HttpRequest, rows: list[samples.Student]) -> DataList:
    return DataList(
        request,
        rows,
        name="students",
        caption="申领",
        columns=COLUMNS,
        sorts=SORTS,
        default_sort="-submitted",
        filters=_filters(),
        bulk=[
            Bulk("通过", reverse("design_preview"), "check", "primary", "a"),
            Bulk("退回修改", reverse("design_preview"), "arrow-back-up"),
        ],
        url=lambda row: reverse("design_object"),
        label=lambda row: row.name,
        size=20,
        unit="人",
        export=ui.Action("导出", "#", icon="download"),
        empty=ui.Empty(
            "还没有申领",
            "学校提交申领后，学生会出现在这里，照片和数据已先由系统查过。",
            ui.Action("看各校进度", reverse("design_pictures")),
        ),
    )


def student_list(request: HttpRequest) -> HttpResponse:
    return page(request, "list", list=_list(request, samples.students()))


def empty_list(request: HttpRequest) -> HttpResponse:
    return page(request, "list", list=_list(request, []))


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    chosen = Selection.of(request)
    count = 128 if chosen.everything else len(chosen.keys)
    here = reverse("design_object")
    some = [ui.Link(s.name, here) for s in samples.students(6)]
    return page(
        request,
        "preview",
        preview=ui.Preview(
            "通过申领",
            max(0, count - 3),
            "照片和数据都合格，通过后进入市级受理。",
            ui.Action(f"通过 {max(0, count - 3)} 人", reverse("design_list"), icon="check", tone="primary"),
            reverse("design_list"),
            wont=[
                ui.Wont("照片背景不是浅色", 2, some[:2]),
                ui.Wont("一年内已补过卡，须逐个审", 1, some[2:3]),
            ],
            examples=some,
            after="办完后 10 分钟内可以撤销。",
        ),
    )


def card(request: HttpRequest) -> HttpResponse:
    here = reverse("design_object")
    face = ui.CardFace(
        school="东城区示范小学（安定门校区）",
        name="王子涵",
        sex="女",
        education_id="20240037",
        valid_until="2028年8月31日",
        city_number="910000274418",
        transit_number="1000751200384417",
        hotline="400-000-0000",
        stage="primary",
        state=samples.STATES["lost"],
    )
    links = [
        ui.Link("240000000377", here, "学生卡", "id", "有效"),
        ui.Link("2024 秋季申领", here, "申领", "file-check"),
        ui.Link("B2024-0017", here, "批次", "stack-2"),
        ui.Link("还没有装箱", "", "箱", "package"),
    ]
    return page(
        request,
        "object",
        head=samples.head(),
        face=face,
        events=samples.timeline(),
        steps=samples.steps(),
        links=links,
        guardian="138****5678",
        number="110101********1234",
    )


def pictures(request: HttpRequest) -> HttpResponse:
    here = reverse("design_list")
    parts = [
        ui.Part("一致", 588, "ok", here),
        ui.Part("制作失败", 6, "bad", here),
        ui.Part("缺少", 3, "bad", here),
        ui.Part("内容改动", 3, "wait", here),
    ]
    beside = [ui.Part("重复", 2, "wait", here), ui.Part("不认识", 0, "neutral")]
    remind = ui.Action("催办", here, method="post")
    done = (100, 92, 84, 77, 63, 58, 49, 41, 33, 26, 24, 18, 9, 3, 0, None)
    heat = [
        ui.HeatTile(n, p, here, f"{(p or 0) * 31:,} 人已发", late=n == "平谷")
        for n, p in zip(samples.DISTRICTS, done, strict=True)
    ]
    rows = [
        (ui.Link("示范小学", here), (100, 100, 86, 40, 0), None),
        (ui.Link("第二示范中学", here), (100, 72, 12, 0, None), remind),
        (ui.Link("实验学校（九年一贯）", here), (55, 20, 0, 0, None), remind),
    ]
    classes = [
        ui.ProgressRow(
            f"{'一二三四五六'[n]}年级",
            [
                ui.Part("已发放", 40 - n * 6, "ok"),
                ui.Part("在办", n * 4, "progress"),
                ui.Part("被退回", n % 3, "bad"),
            ],
            42,
            here,
            "42 人",
        )
        for n in range(6)
    ]
    return page(
        request,
        "pictures",
        flow=samples.flow(),
        good=ui.SumStrip("批次", 600, parts, beside),
        wrong=ui.SumStrip("批次", 603, parts),
        heat=heat,
        table=ui.HeatTable("学校", ["申领", "区审", "制卡", "到校", "发放"], rows, "东城区，2024 秋季"),
        ages=AgeStrip(
            "短信近 24 小时最久的等待", [(f"{n} 时", None if n == 3 else n * 90) for n in range(24)], 300
        ),
        gauges=[
            ui.Gauge("一卡通号段 10007512", 620_000, 1_000_000, 50_000, runs_out=date(2025, 3, 14)),
            ui.Gauge("北京通号段 91", 985_300, 1_000_000, 20_000, runs_out=date(2024, 9, 27)),
            ui.Gauge("初始化白卡", 0, 240_000, 30_000, "还没有领用"),
        ],
        classes=classes,
        minus=-4000,
        days=[
            ("9月9日", 3200, 3000, 40),
            ("9月10日", 4100, 3000, 12),
            ("9月11日", 2900, 3000, 66),
            ("9月12日", 3600, 3000, 8),
            ("9月13日", 1200, 3000, 0),
        ],
        running=ui.LongWork("导入名册", 412_000, 1_302_177, reverse("design_work"), 95, unit="行"),
        tree=samples.key_tree(),
        failed=ui.LongWork(
            "导入名册", 2_196, 2_196, "", finished=True, failed="第 1 行的表头认不出。什么都没有改变。"
        ),
        finished=ui.LongWork(
            "导入名册", 2_196, 2_196, "", finished=True, result=ui.Action("看结果", here, tone="primary")
        ),
    )


class SampleForm(WordedForm):
    name = forms.CharField(label="收货人", help_text="卡送到学校时签收的人。", max_length=20)
    phone = forms.CharField(label="手机")
    method = forms.ChoiceField(
        label="送到哪里",
        choices=[("school", "学校"), ("district", "区"), ("home", "家里")],
        widget=forms.RadioSelect,
    )
    district = forms.ChoiceField(label="区", choices=[("", "请选择"), ("110101", "东城区")])
    day = forms.DateField(
        label="希望哪天送", required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d")
    )
    note = forms.CharField(label="备注", required=False, widget=forms.Textarea(attrs={"rows": 3}))
    agree = forms.BooleanField(label="收货人已同意留下手机号，用于送货联系", required=True)

    def clean_phone(self) -> str:
        value = self.cleaned_data["phone"]
        if len(value) != 11:
            raise forms.ValidationError(f"手机号应是 11 位数字，现在有 {len(value)} 位。请核对后改正。")
        return value


def form(request: HttpRequest) -> HttpResponse:
    """`?state=wrong` shows it refused."""
    wrong = request.GET.get("state") == "wrong" or request.method == "POST"
    bound = SampleForm({"name": "", "phone": "1381234567", "method": "school"}) if wrong else SampleForm()
    return page(request, "form", form=bound)


def scan(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return page(request, "scan", scan=samples.scan("3 / 12 张 · 赵安", "ok"))
    code = request.POST["code"]
    line = ui.ScanLine(code, "", "extra", "不在本箱")
    shown = samples.scan(f"{code} 不在本箱，请放到一边", "bad", [line])
    return render(request, "common/styleguide/scan_answer.html", {"scan": shown})


@require_POST
def reveal(request: HttpRequest) -> HttpResponse:
    return HttpResponse("110101201409021234", content_type="text/plain")


def work(request: HttpRequest) -> HttpResponse:
    running = ui.LongWork("导入名册", 640_000, 1_302_177, reverse("design_work"), 62, unit="行")
    return page(request, "work", work=running)


def printed(request: HttpRequest) -> HttpResponse:
    return page(request, "printed", students=samples.printed_students())


def refused(request: HttpRequest) -> HttpResponse:
    raise samples.refusal()
