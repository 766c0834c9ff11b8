"""Which kind of card the school works on: the one asked for, else the first that may be applied for."""

from xueka.contexts.cards import api as cards
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.identity.sessions import StaffRequest


def chosen(request: StaffRequest) -> cards.CardKind:
    """From `?kind=` (or the form); Refused `KIND_NONE_OPEN` while no kind is open."""
    opened = cards.kinds()
    if not opened:
        raise Refused("KIND_NONE_OPEN", "现在没有开放申领的卡种。", action="请等待市级开放。")
    asked = request.POST.get("kind") or request.GET.get("kind")
    if not asked:
        return opened[0]
    for kind in opened:
        if kind.code == asked:
            return kind
    raise NotFound("KIND_NOT_FOUND", "没有这个卡种，或它已停止申领。", found=asked)
