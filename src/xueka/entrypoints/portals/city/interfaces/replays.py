"""Sending again what was sent: by ticks, by a bookmark, always with a preview, never edited."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.design.forms import WordedForm
from xueka.entrypoints.design.listing import Selection, narrow
from xueka.entrypoints.design.ui import Action, Confirm, Link, Preview, Wont
from xueka.entrypoints.portals.city.interfaces import messages, words
from xueka.kernel.errors import BadInput
from xueka.platform.exchange import queries as exchange
from xueka.platform.exchange import replaying
from xueka.platform.exchange.models import DEAD, DELIVERED
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.sessions import StaffRequest
from xueka.platform.identity.web import portal_view

AT_ONCE = 5_000  # messages chosen by a list; a bookmark knows no bound


class Bookmark(WordedForm):
    """Since when, or after which number; narrowed by kind and reason."""

    since = forms.DateTimeField(
        label="从什么时候建立的起",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="北京时间；书签之后的全部重发，每张卡的顺序不变。",
    )
    after = forms.IntegerField(label="或从这个编号之后", required=False, min_value=0)
    kind = forms.CharField(label="只要这种消息", required=False, max_length=40)
    dead = forms.BooleanField(label="只要停发的", required=False)


@require_http_methods(["GET", "POST"])
@portal_view(words.MANAGE)
def bookmark(request: StaffRequest, code: str) -> HttpResponse:
    name = words.name_of(code)
    form = Bookmark(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if given["since"] is None and given["after"] is None and not given["dead"]:
            problem = BadInput(
                "BOOKMARK_MISSING",
                "没有书签。",
                expected="一个时间、一个编号，或只要停发的",
                action="请至少填一项。",
            )
        else:
            params = {
                "since": given["since"].isoformat() if given["since"] else "",
                "after": "" if given["after"] is None else given["after"],
                "kind": given["kind"],
                "dead": "1" if given["dead"] else "",
            }
            return _preview(request, code, params, _which(code, params, []))
    shown = {
        "title": "按书签补发",
        "words": f"{name}：内容不变，对方认得编号，不会重复办理。先看预览。",
        "form": form,
        "problem": problem,
        "button": "看预览",
        "back": Link(name, reverse("city:interface", args=[code])),
    }
    return render(request, "city/form.html", shown, status=400 if problem or form.errors else 200)


@require_POST
@portal_view(words.MANAGE)
def replay(request: StaffRequest, code: str) -> HttpResponse:
    """Preview of what goes again: messages that were ticked, or everything under the filters."""
    ids = _chosen(request.actor, Selection.of(request), code)
    return _preview(request, code, {"keys": ids}, _which(code, {}, ids))


@require_POST
@portal_view(words.MANAGE)
def replay_do(request: StaffRequest, code: str) -> HttpResponse:
    ids = [int(each) for each in request.POST.getlist("keys") if each.isdecimal()]
    which = _which(code, request.POST, ids)
    expected = request.POST.get("expected", "")
    counts = replaying.replay(
        request.actor,
        which,
        request.POST.get("note", ""),
        int(expected) if expected.isdecimal() else None,
    )
    flash(request, f"已排入补发：{counts.keys:,} 个对象的 {counts.messages:,} 条。")
    if len(ids) == 1:
        return redirect("city:interface_message", "out", ids[0])
    return redirect("city:interface", code)


@require_POST
@portal_view(words.MANAGE)
def retry(request: StaffRequest, code: str) -> HttpResponse:
    """Preview of what came, could not be applied, and is tried once more: of the chosen, the dead letters."""
    selection = Selection.of(request)
    rows = exchange.incoming(code)
    if selection.everything:
        rows = narrow(rows, messages.filters(request.actor, "in"), selection.filters)
    else:
        rows = rows.filter(id__in=[int(key) for key in selection.keys if key.isdecimal()])
    found = list(rows.filter(state=DEAD).order_by("id").values_list("id", flat=True)[: AT_ONCE + 1])
    if len(found) > AT_ONCE:
        raise _too_many("请按原因或种类筛选，分几次办理。")
    sure = Confirm(
        "再处理", "按收到时的样子，每张卡按顺序。", "再处理", "required", reason_label="为什么再处理"
    )
    doing = Action(
        f"再处理 {len(found):,} 条",
        reverse("city:interface_retry_do", args=[code]),
        "post",
        "repeat",
        "primary",
        disabled_reason="" if found else "所选的没有停办的消息。",
        confirm=sure,
        params={"keys": found},
    )
    body = "只有停办的再处理；还不成的，仍停在原处，说明原因。"
    shown = Preview(
        "再处理", len(found), body, doing, reverse("city:interface_received", args=[code]), unit="条"
    )
    return render(request, "city/preview.html", {"preview": shown})


@require_POST
@portal_view(words.MANAGE)
def retry_do(request: StaffRequest, code: str) -> HttpResponse:
    ids = [int(each) for each in request.POST.getlist("keys") if each.isdecimal()]
    count = replaying.retry_many(request.actor, ids, request.POST.get("note", ""))
    flash(request, f"已排入再次处理：{count:,} 条。")
    return redirect("city:interface_received", code)


def _which(code: str, given: Any, ids: Sequence[int]) -> replaying.Which:
    since, after = given.get("since", ""), str(given.get("after", ""))
    if not ids and not since and not after and not given.get("dead"):
        raise BadInput("SELECTION_EMPTY", "没有选中任何消息。", action="请返回列表，勾选后再补发。")
    try:
        moment = datetime.fromisoformat(since) if since else None
    except ValueError:
        raise BadInput("TIME_WRONG", "时间不对。", found=since[:40]) from None
    return replaying.Which(
        code,
        ids=ids,
        kind=given.get("kind", ""),
        since=moment,
        after=int(after) if after.isdecimal() else None,
        states=(DEAD,) if given.get("dead") else (DELIVERED, DEAD),
    )


def _preview(
    request: StaffRequest, code: str, params: dict[str, Any], which: replaying.Which
) -> HttpResponse:
    counts = replaying.preview(request.actor, which)
    later = counts.messages - counts.matched
    wont = [Wont("内容已过保存期，不能再发；请缩小范围", counts.forgotten)] if counts.forgotten else []
    sure = Confirm(
        "补发", "内容和编号不变，对方认得已经办过的。", "补发", "required", reason_label="为什么补发"
    )
    blocked = "没有可以补发的消息。" if not counts.messages else "其中有内容已过保存期的。" if wont else ""
    doing = Action(
        f"补发 {counts.messages:,} 条",
        reverse("city:interface_replay_do", args=[code]),
        "post",
        "repeat",
        "primary",
        disabled_reason=blocked,
        confirm=sure,
        params=params | {"expected": counts.messages},
    )
    shown = {
        "preview": Preview(
            "补发消息",
            counts.messages,
            f"属于 {counts.keys:,} 个对象；其中 {later:,} 条是为了保持顺序、随后一起重发的。",
            doing,
            reverse("city:interface_messages", args=[code]),
            wont=wont,
            unit="条",
        )
    }
    return render(request, "city/preview.html", shown)


def _chosen(actor: Actor, selection: Selection, code: str) -> list[int]:
    if not selection.everything:
        return [int(key) for key in selection.keys if key.isdecimal()]
    rows = narrow(exchange.outgoing(code), messages.filters(actor, "out"), selection.filters)
    ids = list(rows.filter(state__in=[DELIVERED, DEAD]).values_list("id", flat=True)[: AT_ONCE + 1])
    if len(ids) > AT_ONCE:
        raise _too_many("请按时间或编号用书签补发，那里不限条数。")
    return ids


def _too_many(action: str) -> BadInput:
    said = f"一次最多选 {AT_ONCE:,} 条。"
    return BadInput("SELECTION_TOO_LARGE", said, found=f"超过 {AT_ONCE:,} 条", action=action)
