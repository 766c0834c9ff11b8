"""A guardian comes in by the citizens' sign-on, which has proved who holds the phone (docs/adr/0240)."""

from datetime import UTC, datetime, timedelta

from django.conf import settings

from xueka.contexts.families.adapters import jingtong
from xueka.contexts.families.models import CitizenLink, FamilyAccount, FamilySession
from xueka.contexts.families.ports import Citizen, Over, SignOnFailed
from xueka.contexts.families.queries import guarded
from xueka.contexts.registry import api as registry
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.kernel.masking import mask_phone
from xueka.platform.audit import queries as audit
from xueka.platform.audit.services import record
from xueka.platform.crypto.fields import blind_index, seal
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import EVERYWHERE

_SUBJECT = "citizen"
#: Not Jingtong's fault: anybody can come without having begun here; and where it is closed, all come so.
_NOT_TOLD = {"SIGN_ON_STATE", "SIGN_ON_CLOSED"}
_SELDOM = timedelta(minutes=1)


def sign_on(actor: Actor, citizen: Citizen) -> CitizenLink | None:
    """The citizen at the account of her phone, made at the first time; None where it stands for no child.

    `actor` is nobody, with an address. None is returned, not raised: the try stays on record.
    """
    index = registry.phone_index(citizen.phone)
    detail = {"phone": mask_phone(citizen.phone), "by": "jingtong"}
    if not guarded(index):
        record(actor, "family.sign_on", "family_account", "", result="refused", detail=detail)
        return None
    now = clock.now()
    account, _ = FamilyAccount.objects.get_or_create(
        phone_index=index, defaults={"envelope": seal({"phone": citizen.phone}), "created_at": now}
    )
    values = {
        "account": account,
        "envelope": seal({"subject": citizen.subject, "openid": citizen.openid}),
        "last_at": now,
    }
    link, _ = CitizenLink.objects.update_or_create(
        issuer=citizen.issuer,
        subject_index=blind_index(_SUBJECT, f"{citizen.issuer} {citizen.subject}"),
        defaults=values,
        create_defaults={**values, "first_at": now},
    )
    record(actor, "family.sign_on", "family_account", account.pk, detail=detail)
    return link


def not_signed_on(actor: Actor, problem: SignOnFailed) -> bool:
    """Jingtong let nobody in, and why: on record, once a minute, for anybody can try."""
    if problem.code in _NOT_TOLD:
        return False
    failed = audit.entry_rows(EVERYWHERE).filter(action="family.sign_on", result="failed").order_by("-id")
    last = failed.values_list("at", flat=True).first()
    if last is not None and last > clock.now() - _SELDOM:
        return False
    detail = {"code": problem.code, "message": problem.message}
    record(actor, "family.sign_on", "family_account", "", result="failed", detail=detail)
    return True


def leave(actor: Actor, over: Over) -> int:
    """The citizen has left Jingtong: what she began here by its sign-on before that is over. Returns how many
    sessions ended; a token that comes twice ends nothing that began after it.
    """
    index = blind_index(_SUBJECT, f"{over.issuer} {over.subject}")
    link = CitizenLink.objects.filter(issuer=over.issuer, subject_index=index).first()
    if link is None:
        return 0
    said = datetime.fromtimestamp(over.at + 1, UTC)
    found = FamilySession.objects.filter(citizen=link, ended_at=None, began_at__lt=said)
    ended = found.update(ended_at=clock.now(), ended_why="jingtong")
    if ended:
        record(actor, "family.leave", "family_account", link.account_id, detail={"by": "jingtong"})
    return ended


def introduce(actor: Actor, site: str) -> str:
    """Tell Jingtong where our pages are: the file that it fetches. Needs `city:channel:manage`.

    `site` is our address as citizens see it: https, except on the machine itself. Raises BadInput
    `SITE_ADDRESS`, Refused `JINGTONG_NO_CARD`.
    """
    actor.require("city:channel:manage")
    site = site.rstrip("/")
    if not site.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise BadInput("SITE_ADDRESS", "网址不对。", found=site[:80], expected="https:// 开头的网址")
    if jingtong.card() is None:
        raise Refused(
            "JINGTONG_NO_CARD",
            "还没有京通交来的参数文件。",
            found=str(settings.JINGTONG_PARTNER),
            action="请向京通取得参数文件，放到指定位置。",
        )
    return str(jingtong.hand_over(site))


def introduce_demo(actor: Actor, site: str) -> None:
    """The same where Jingtong is a simulator; nothing where it is not, or is not there yet."""
    if str((jingtong.card() or {}).get("code", "")).startswith(jingtong.DEMO):
        introduce(actor, site)
