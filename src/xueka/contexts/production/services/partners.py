"""The card bureau's address and keys: entered by one person, read back by telephone, confirmed by another."""

from collections.abc import Sequence

import asyncssh

from xueka.contexts.production.models import Package, Partner, PartnerKeys
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, NotFound, Refused, XuekaError
from xueka.platform.audit import services as audit
from xueka.platform.crypto.sm2 import PublicKey
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.guards import second_person

#: What is typed of a bureau → what the screen calls it, and how long it may be.
_TOLD = {"code": ("代号", 32), "name": ("名称", 64), "host": ("服务器地址", 100), "username": ("登录名", 64)}


def register_partner(
    actor: Actor,
    *,
    code: str,
    name: str,
    host: str,
    port: int,
    username: str,
    host_key: str,
    signing_key: str,
    encryption_key: str,
) -> Partner:
    """Enter a bureau, or enter it anew. It is in use only when another person has confirmed it.

    `signing_key` and `encryption_key` are PEM (SM2); `host_key` is one OpenSSH line.
    """
    actor.require("city:partner:manage")
    signing, encryption = _key(signing_key, "签名公钥"), _key(encryption_key, "加密公钥")
    try:
        pinned = asyncssh.import_public_key(host_key)
    except (asyncssh.KeyImportError, ValueError) as error:
        raise BadInput(
            "HOST_KEY",
            "主机公钥无法读取。",
            where="主机公钥",
            expected="一行 OpenSSH 公钥",
            action="请向卡厂索取。",
        ) from error
    told = {"code": code.strip(), "name": name.strip(), "host": host.strip(), "username": username.strip()}
    for field, (label, most) in _TOLD.items():
        if not 1 <= len(told[field]) <= most:
            raise BadInput(
                "PARTNER_ADDRESS",
                f"请填写卡厂的{label}。",
                where=label,
                found=told[field][:40] or None,
                expected=f"1 至 {most} 个字符",
            )
    if not 0 < port < 65536:
        raise BadInput(
            "PARTNER_ADDRESS", "请填写卡厂服务器的端口。", where="端口", found=port, expected="1 至 65535"
        )
    partner, _ = Partner.objects.update_or_create(
        code=told.pop("code"),
        defaults={
            **told,
            "port": port,
            "host_key": pinned.export_public_key().decode("ascii").strip(),
            "signing_key": signing.to_pem().decode("ascii"),
            "signing_fingerprint": signing.fingerprint,
            "encryption_key": encryption.to_pem().decode("ascii"),
            "encryption_fingerprint": encryption.fingerprint,
            "entered_by": actor.username,
            "entered_at": clock.now(),
            "confirmed_by": "",
            "confirmed_at": None,
            "in_use": False,
            "failures": 0,
            "last_error": "",
            "next_try_at": None,
        },
    )
    _record(actor, "register", partner)
    return partner


def confirm_partner(
    actor: Actor, code: str, signing_fingerprint: str, encryption_fingerprint: str
) -> Partner:
    """The second person enters both fingerprints as the bureau reads them out; spacing and case are free.

    From then on this bureau is in use, with these keys, and any other one is retired.
    """
    actor.require("city:partner:manage")
    known = {partner.code: partner for partner in Partner.objects.select_for_update().order_by("code")}
    partner = known.get(code)
    if partner is None:
        raise NotFound("PARTNER_NOT_FOUND", "没有登记这个卡厂。", found=code)
    second_person(
        actor, partner.entered_by, "卡厂密钥由您录入，须由另一人确认。", expected="录入人以外的确认人"
    )
    for label, heard, entered in (
        ("签名公钥", signing_fingerprint, partner.signing_fingerprint),
        ("加密公钥", encryption_fingerprint, partner.encryption_fingerprint),
    ):
        if "".join(heard.split()).lower() != entered:
            raise Refused(
                "FINGERPRINT_DIFFERS",
                f"{label}的指纹与录入的公钥不一致，没有启用。",
                where=label,
                found=heard,
                expected="录入公钥的指纹",
                action="请在电话中逐组核对；仍不一致时重新索取公钥文件。",
            )
    for other in known.values():
        if other.in_use and other.code != code:
            other.in_use = False
            other.save(update_fields=["in_use"])
            _record(actor, "retire", other)
    partner.confirmed_by, partner.confirmed_at, partner.in_use = actor.username, clock.now(), True
    partner.save(update_fields=["confirmed_by", "confirmed_at", "in_use"])
    _keep_keys(partner)
    _record(actor, "confirm", partner)
    return partner


def confirmed_partner() -> Partner:
    """The bureau in use. Raises Refused `NO_PARTNER` where none is confirmed."""
    partner = Partner.objects.filter(in_use=True).first()
    if partner is None:
        raise Refused(
            "NO_PARTNER",
            "还没有登记并确认卡厂的地址和公钥。",
            action="请登记卡厂，并由另一人核对指纹后确认。",
        )
    return partner


def keys_in_force() -> PartnerKeys:
    """The keys for which packages are made now. Raises Refused `NO_PARTNER`."""
    return confirmed_partner().keys.select_related("partner").order_by("-id")[0]


def keys_that_may_answer(package: Package | None) -> Sequence[PartnerKeys]:
    """Whose signature counts for a package: the keys in force when it was made for them, and those that the
    same bureau has had confirmed since. Raises Refused `NO_PARTNER` where there is no package to go by."""
    if package is None:
        return [keys_in_force()]
    made_for = package.keys
    return list(
        PartnerKeys.objects.filter(partner_id=made_for.partner_id, id__gte=made_for.id).order_by("id")
    )


def _keep_keys(partner: Partner) -> None:
    """A new row, unless these very keys were the bureau's last ones: then only its address has changed."""
    last = partner.keys.order_by("-id").first()
    pair = partner.signing_fingerprint, partner.encryption_fingerprint
    if last is None or (last.signing_fingerprint, last.encryption_fingerprint) != pair:
        assert partner.confirmed_at is not None
        partner.keys.create(
            signing_key=partner.signing_key,
            signing_fingerprint=partner.signing_fingerprint,
            encryption_key=partner.encryption_key,
            encryption_fingerprint=partner.encryption_fingerprint,
            entered_by=partner.entered_by,
            confirmed_by=partner.confirmed_by,
            confirmed_at=partner.confirmed_at,
        )


def _key(pem: str, label: str) -> PublicKey:
    try:
        return PublicKey.from_pem(pem.encode())
    except XuekaError as error:
        raise BadInput(
            error.code, f"{label}无法读取：{error.message}", where=label, action=error.action
        ) from error


def _record(actor: Actor, action: str, partner: Partner) -> None:
    audit.record(
        actor,
        f"partner.{action}",
        "partner",
        partner.code,
        detail={
            "host": f"{partner.host}:{partner.port}",
            "signing": partner.signing_fingerprint,
            "encryption": partner.encryption_fingerprint,
        },
    )


def retry_now(actor: Actor) -> None:
    """Wait no longer after failures: the next sweep connects and sends at once."""
    actor.require("city:partner:manage")
    partners = Partner.objects.exclude(next_try_at=None).update(next_try_at=None)
    packages = Package.objects.filter(state="stored").exclude(next_try_at=None).update(next_try_at=None)
    if partners or packages:
        audit.record(actor, "partner.retry_now", detail={"partners": partners, "packages": packages})
