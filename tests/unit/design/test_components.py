import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django import forms
from django.utils.safestring import SafeString

from tests.unit.design.support import draw, faults
from xueka.entrypoints import design
from xueka.entrypoints.design import html, icons, states, ui
from xueka.entrypoints.design.age_strip import AgeStrip
from xueka.entrypoints.design.forms import WordedForm
from xueka.kernel.errors import Refused
from xueka.kernel.machine import Machine, State, Transition

ENTRYPOINTS = Path(design.__file__).parents[1]


def test_every_icon_named_anywhere_exists() -> None:
    named = set(ui.TONES.values())
    for path in ENTRYPOINTS.rglob("*.html"):
        named |= set(re.findall(r'{% icon "([a-z0-9/-]+)"', path.read_text("utf-8")))
    assert len(named) > 30
    for name in named:
        assert icons.strokes(name)


@pytest.mark.parametrize("name", ["no-such-icon", "../outline/check", "", "Check"])
def test_an_unknown_icon_is_a_mistake(name: str) -> None:
    with pytest.raises(LookupError):
        icons.strokes(name)


def test_no_template_carries_what_the_policy_forbids() -> None:
    found = [
        f"{path.name}: {match}"
        for path in ENTRYPOINTS.rglob("*.html")
        for match in re.findall(
            r'\sstyle="|\son[a-z]+="|https?://|<script>|javascript:', path.read_text("utf-8")
        )
    ]
    assert found == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, '<span class="xk-nothing">—</span>'),
        ("", '<span class="xk-nothing">—</span>'),
        (0, "0"),
        (1302177, "1,302,177"),
        (True, "是"),
        (False, "否"),
        ("<b>", "&lt;b&gt;"),
        (SafeString("<b>"), "<b>"),
        (date(2024, 9, 2), '<time datetime="2024-09-02">2024-09-02</time>'),
        (ui.Link("甲<", "/x?a=1&b=2"), '<a href="/x?a=1&amp;b=2">甲&lt;</a>'),
        (ui.Link("没有"), "没有"),
    ],
)
def test_values_by_their_type(value: object, shown: str) -> None:
    assert html.show(value) == shown


def test_a_badge_is_colour_icon_and_word() -> None:
    drawn = draw('{% badge "已挂失" "stop" %}')
    assert 'data-tone="stop"' in drawn
    assert icons.strokes("lock") in drawn
    assert "已挂失" in drawn


def test_an_action_that_is_not_allowed_stays_with_its_reason() -> None:
    drawn = draw("{% actions a %}", a=[ui.Action("补卡", "/x", disabled_reason="卡片仍有效。")])
    assert "卡片仍有效。" in drawn
    assert "/x" not in drawn
    assert 'aria-disabled="true"' in drawn


def test_an_action_that_changes_something_is_a_post_with_a_token() -> None:
    drawn = draw(
        "{% action a %}", a=ui.Action("锁定", "/lock", method="post", params={"keys": ["1", "2"], "v": 3})
    )
    assert 'method="post" action="/lock"' in drawn
    assert 'name="csrfmiddlewaretoken" value="token"' in drawn
    assert drawn.count('name="keys"') == 2
    assert 'name="v" value="3"' in drawn


def test_a_required_reason_cannot_be_left_out() -> None:
    ask = ui.Confirm("退回", reason="required", reasons=[("photo", "照片"), ("data", "数据")])
    chosen = draw("{% action a %}", a=ui.Action("退回", "/r", method="post", confirm=ask))
    assert chosen.count('name="reason"') == chosen.count(" required>") == 2
    free = draw(
        "{% action a %}",
        a=ui.Action("退回", "/r", method="post", confirm=ui.Confirm("退回", reason="required")),
    )
    assert re.search(r"<textarea[^>]* required>", free)


@pytest.mark.parametrize(("total", "word"), [(600, "相符"), (603, "差 3"), (599, "差 -1")])
def test_six_numbers_add_up_or_say_so(total: int, word: str) -> None:
    parts = [ui.Part("一致", 588, "ok"), ui.Part("失败", 6, "bad"), ui.Part("缺少", 6, "bad")]
    assert word in draw("{% sum_strip s %}", s=ui.SumStrip("批次", total, parts, [ui.Part("重复", 2)]))


def test_a_bar_is_as_long_as_its_parts() -> None:
    row = ui.ProgressRow(
        "一班", [ui.Part("已发", 30, "ok"), ui.Part("退回", 0, "bad"), ui.Part("在办", 10)], 42
    )
    drawn = draw("{% progress_rows rows %}", rows=[row])
    bars = re.findall(r'<rect data-tone="(\w+)" x="(\d+)" y="0" width="(\d+)"', drawn)
    assert bars == [("ok", "0", "30"), ("neutral", "30", "10")]
    assert 'viewBox="0 0 42 1"' in drawn


@pytest.mark.parametrize(
    ("percent", "step"), [(None, 0), (0, 0), (1, 1), (24, 1), (25, 2), (99, 4), (100, 5)]
)
def test_heat(percent: int | None, step: int) -> None:
    assert f'data-heat="{step}"' in draw("{% heat_tiles t %}", t=[ui.HeatTile("东城", percent)])


def test_a_gauge_warns_at_its_mark() -> None:
    assert ui.Gauge("号段", 950, 1000, 50).is_low
    assert not ui.Gauge("号段", 949, 1000, 50).is_low
    # Drawn in thousandths: a browser cannot draw to the scale of a milliard.
    assert 'width="1000"' in draw("{% gauges g %}", g=[ui.Gauge("号段", 10, 999_999_999)])
    assert 'width="0"' in draw("{% gauges g %}", g=[ui.Gauge("号段", 0, 0)])
    assert "快用完" in draw("{% gauges g %}", g=[ui.Gauge("号段", 990, 1000, 50)])


def test_an_age_strip_says_by_tone_height_and_words_what_was_late() -> None:
    strip = AgeStrip("短信", [("1 时", 0), ("2 时", 300), ("3 时", 301), ("4 时", 1201), ("5 时", None)], 300)
    assert [(place, height, tone) for place, height, tone, _ in strip.cells] == [
        (0, 1, "ok"),
        (1, 1, "ok"),
        (2, 2, "wait"),
        (3, 3, "bad"),
    ]
    assert strip.words == "2 个小时有超时，最久 20 分钟（4 时）"
    assert AgeStrip("短信", [("1 时", 300)], 300).words == "没有超时"
    assert AgeStrip("短信", [("1 时", None)], 300).words == "没有记录"
    drawn = draw("{% age_strip s %}", s=strip)
    assert 'aria-label="短信：2 个小时有超时' in drawn and drawn.count("<rect") == 4


def test_scan_counts() -> None:
    lines = [ui.ScanLine(str(n), state="found" if n < 3 else "expected") for n in range(5)]
    scan = ui.Scan("/s", lines, [ui.ScanLine("9", state="extra"), *lines[:3]])
    assert (scan.found, scan.missing, scan.extra) == (3, 2, 1)


def test_a_long_name_is_squeezed_onto_the_card_and_escaped() -> None:
    face = ui.CardFace("校" * 30, "阿卜杜拉·" * 4, "男", "<1>", "2028年8月31日")
    drawn = draw("{% card_face c %}", c=face)
    assert drawn.count("textLength=") == 2
    assert "<1>" not in drawn
    assert faults(drawn) == []


def test_the_state_is_stamped_on_the_card_unless_it_is_valid() -> None:
    face = {"school": "校", "name": "王", "sex": "女", "education_id": "1", "valid_until": "2028"}
    lost = ui.CardFace(**face, state=ui.Badge("已挂失", "stop"))
    valid = ui.CardFace(**face, state=ui.Badge("有效", "ok"))
    assert "rotate(" in draw("{% card_face c %}", c=lost)
    assert "rotate(" not in draw("{% card_face c %}", c=valid)


def test_a_problem_says_where_what_expected_and_what_to_do() -> None:
    error = Refused("CODE_X", "不行。", where="第 3 行", found=0, expected="1", action="请改。")
    drawn = draw("{% problem e %}", e=error)
    for text in ("第 3 行", ">0<", ">1<", "请改。", "CODE_X", "不行。"):
        assert text in drawn


class Sample(WordedForm):
    name = forms.CharField(label="收货人", help_text="签收的人")
    way = forms.ChoiceField(label="方式", choices=[("a", "甲")], widget=forms.RadioSelect)
    agree = forms.BooleanField(label="已同意")
    note = forms.CharField(label="备注", required=False)
    secret = forms.CharField(widget=forms.HiddenInput, required=False)


FIELDS = "{% field f.name %}{% field f.way %}{% field f.agree %}{% field f.note %}{% field f.secret %}"


def test_fields_name_what_is_missing() -> None:
    drawn = draw("{% error_summary f %}" + FIELDS, f=Sample({}))
    for text in ("有 3 处需要改正", "请填写收货人。", "请选择方式。", "请勾选：已同意。", 'href="#id_name"'):
        assert text in drawn
    assert 'aria-invalid="true"' in drawn
    assert 'aria-describedby="id_name_helptext id_name_error"' in drawn
    assert 'id="id_name_error"' in drawn
    assert "（可不填）" in drawn
    assert faults(drawn) == []


def test_one_error_of_the_whole_form_is_the_headline() -> None:
    form = Sample({"name": "王", "way": "a", "agree": "on"})
    form.add_error(None, "用户名或密码不对。")
    drawn = draw("{% error_summary f %}", f=form)
    assert "用户名或密码不对。" in drawn
    assert "处需要改正" not in drawn
    assert draw("{% error_summary f %}", f=Sample({"name": "王", "way": "a", "agree": "on"})).strip() == ""


MACHINE = Machine(
    "lamp",
    "灯",
    "off",
    [State("off", "关"), State("on", "开", final=True)],
    [Transition("turn", "off", "on", "p", "开灯")],
)


def test_states_look_the_same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_looks", {})
    states.register(MACHINE, {"off": "neutral", "on": "ok"})
    states.register(MACHINE, {"off": "neutral", "on": "ok"})
    assert 'data-tone="ok"' in draw('{% state "lamp" "on" %}')
    for tones in ({"off": "neutral"}, {"off": "neutral", "on": "glowing"}, {"off": "neutral", "on": "bad"}):
        with pytest.raises(ValueError, match="lamp"):
            states.register(MACHINE, tones)


def test_a_timeline_shows_what_is_still_to_come() -> None:
    past = ui.Event("提交", datetime(2024, 9, 2, 6, 0, tzinfo=UTC), "李老师", "全班")
    drawn = draw("{% timeline e %}", e=[ui.Event("送到", promised="承诺 10月12日前"), past])
    assert "承诺 10月12日前" in drawn
    assert "2024年9月2日 周一 14:00" in drawn
    assert drawn.count("xk-to-come") == 1
    assert "还没有发生任何事" in draw("{% timeline e %}", e=[])
