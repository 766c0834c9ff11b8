"""The door from Jingtong: its tiles and its sign-on lead here (docs/interfaces/jingtong.md §2–§4)."""

import dataclasses

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from xueka.contexts.families import api as families
from xueka.contexts.replacements import api as replacements
from xueka.entrypoints.design.flashes import flash
from xueka.entrypoints.portals.parent.children import held_of
from xueka.entrypoints.portals.parent.door import COOKIE, FamilyRequest, family_view, keep_signed_in, nobody
from xueka.kernel.errors import Refused
from xueka.platform.identity.addresses import client_address

#: What is under way between going to Jingtong and coming back, in a signed cookie of the browser.
_UNDER_WAY, _MINUTES = "xk_jingtong", 10
_SERVICES = {"home", "lost", "replace", "pay", "transit", "parcel"}


@require_GET
def entry(request: HttpRequest) -> HttpResponse:
    """A tile: on to its page, after a sign-on. Whose the phone is now only the container knows, so a session
    that it began before ends here; who has agreed once is not asked again.
    """
    to = request.GET.get("to", "")
    to = to if to in _SERVICES else "home"
    family = families.resume(request.COOKIES.get(COOKIE, ""), client_address(request))
    if family is not None and family.container:
        with transaction.atomic():
            families.end_session(family)
    try:
        asked = families.ask_sign_on(_back(request), again="again" in request.GET)
    except families.SignOnFailed as problem:
        return _failed(request, problem, to)
    response = redirect(asked.url)
    kept = {**dataclasses.asdict(asked), "to": to}
    del kept["url"]
    response.set_cookie(
        _UNDER_WAY,
        signing.dumps(kept, salt=_UNDER_WAY),
        max_age=_MINUTES * 60,
        httponly=True,
        samesite="Lax",
        secure=settings.HTTPS,
    )
    return response


@require_GET
def back(request: HttpRequest) -> HttpResponse:
    """The citizen is back, with a code or with a refusal."""
    try:
        kept = signing.loads(request.COOKIES.get(_UNDER_WAY, ""), salt=_UNDER_WAY, max_age=_MINUTES * 60)
    except signing.BadSignature:  # of another browser, or too late: the state fits nothing
        kept = {"state": "", "nonce": "", "verifier": "", "to": "home"}
    to = kept.pop("to")
    try:
        citizen = families.hear_sign_on(families.Asked("", **kept), request.GET.dict(), _back(request))
    except families.SignOnFailed as problem:
        return _failed(request, problem, to)
    except Refused as problem:
        return _stopped(request, problem, to)
    with transaction.atomic():
        link = families.sign_on(nobody(request), citizen)
    if link is None:
        nobodys = Refused(
            "NO_CHILD",
            "这个手机号没有登记为学生监护人的手机。",
            action="请学校卡管老师登记您的手机号；登记在另一个号码上的，请用那个号码登录。",
        )
        return _stopped(request, nobodys, to)
    with transaction.atomic():
        agent = request.headers.get("User-Agent", "")
        secret = families.begin_session(link.account, client_address(request), agent, link)
    response = keep_signed_in(redirect("parent:jingtong_service", to), secret, families.CONTAINER_LIFETIME)
    response.delete_cookie(_UNDER_WAY)
    return response


@require_GET
@family_view
def service(request: FamilyRequest, to: str) -> HttpResponse:
    """The page that a tile means: of the only child and the only card, else the list of the children."""
    scope = request.actor.scope
    if to in ("pay", "parcel"):
        follow = replacements.followed_of if to == "parcel" else replacements.open_of
        found = [each for child in sorted(scope.children) for each in follow(scope, child)]
        waiting = [each for each in found if to == "parcel" or each.state == "unpaid"]
        waiting.sort(key=lambda each: each.delivered_at is not None)  # what has arrived comes last
        if waiting:
            page = "parent:pay" if to == "pay" else "parent:progress"
            return redirect(page, waiting[0].number)
        flash(request, "现在没有要缴的费。" if to == "pay" else "现在没有在办的补卡换卡。")
        return redirect("parent:home")
    held = held_of(request)
    if to == "transit" and len({each.card.student_id for each in held}) == 1:
        return redirect("parent:transit", held[0].card.student.education_id)
    fits = [each for each in held if each.card.state == "active" and not each.under_way]
    if to in ("lost", "replace") and len(fits) == 1:
        return redirect("parent:lost" if to == "lost" else "parent:reason", fits[0].card.number)
    return redirect("parent:home")


def _back(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("parent:jingtong_back"))


def _failed(request: HttpRequest, problem: families.SignOnFailed, to: str) -> HttpResponse:
    """Nobody was let in, and it was not her choice: the operator sees it, too."""
    with transaction.atomic():
        families.not_signed_on(nobody(request), problem)
    return _stopped(request, problem, to)


def _stopped(request: HttpRequest, problem: Refused, to: str) -> HttpResponse:
    """Nobody was let in: what to do now."""
    again = "" if problem.code in ("SIGN_ON_CLOSED", "NO_CHILD") else to
    shown = {
        "problem": problem,
        "again": again,
        "container": (families.jingtong_card() or {}).get("home", ""),
    }
    response = render(request, "parent/stopped.html", shown, status=403)
    response.delete_cookie(_UNDER_WAY)
    return response
