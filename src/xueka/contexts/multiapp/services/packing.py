"""Integration packs: documents for a partner's engineers, kept as they were handed over."""

import io
import zipfile
from collections.abc import Sequence

from xueka.contexts.keys import api as keys
from xueka.contexts.multiapp.adapters.signing import public_key
from xueka.contexts.multiapp.domain import pack as pages
from xueka.contexts.multiapp.domain.transitions import AGREED, CARD_GRANT, IN_FORCE
from xueka.contexts.multiapp.models import CardGrant, Pack
from xueka.contexts.multiapp.services.common import locked
from xueka.kernel import clock
from xueka.kernel.errors import NotFound, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto import card_ciphers, sm3
from xueka.platform.files import services as files
from xueka.platform.identity.actor import Actor

_MAY = "city:unit:manage"
ZIP = "application/zip"
COMPUTED = ("3des", "sm4")
"""Algorithms that this program knows; SM1 lives in hardware only, so its test keys are not told."""


def make_pack(actor: Actor, number: str) -> Pack:
    """The next pack of a grant that was agreed to; a new one is due whenever a key gets a new version.

    Raises Refused `PACK_GRANT` for a grant that is not, `KEY_NONE_ACTIVE` where a key has no version in use.
    """
    actor.require(_MAY)
    grant = locked(actor, CardGrant, number)
    if grant.state not in (AGREED, IN_FORCE):
        raise Refused(
            "PACK_GRANT",
            "批准了的授权才有接入资料。",
            where=grant.number,
            found=CARD_GRANT.state(grant.state).label,
            expected="已批准或有效",
        )
    version = grant.packs.count() + 1
    content = _zip(grant, version)
    stored = files.store(actor, f"{grant.number}-{version}.zip", ZIP, content)
    made = Pack.objects.create(
        grant=grant,
        version=version,
        file=stored,
        digest=sm3.hexdigest(content),
        made_at=clock.now(),
        made_by=actor.username,
    )
    record(actor, "pack.make", "pack", stored.name, detail={"sm3": made.digest, "size": len(content)})
    return made


def download_pack(actor: Actor, number: str, version: int) -> tuple[str, bytes]:
    """(file name, bytes) of a pack, on record. Raises NotFound `PACK_NOT_FOUND`."""
    actor.require(_MAY)
    rows = Pack.objects.select_related("file").filter(grant__in=CardGrant.objects.visible_to(actor.scope))
    found = rows.filter(grant__number=number, version=version).first()
    if found is None:
        raise NotFound("PACK_NOT_FOUND", "没有这一版接入资料。", found=version)
    record(actor, "pack.download", "pack", found.file.name, detail={"sm3": found.digest})
    return found.file.name, files.read(found.file)


def _zip(grant: CardGrant, version: int) -> bytes:
    area = grant.area
    schools = grant.places.exclude(school=None).select_related("school").order_by("school__code")
    head = pages.PackHead(
        grant=grant.number,
        version=version,
        unit=grant.unit.name,
        purpose=grant.unit.purpose,
        contract=grant.contract,
        valid_from=grant.valid_from,
        valid_until=grant.valid_until,
        kind=area.kind.code,
        kind_name=area.kind.name,
        directory=area.title,
        aid=grant.aid,
        fid=grant.fid,
        size=grant.size,
        conditions=grant.conditions,
        profile=area.source,
        schools=tuple(f"{place.school.code} {place.school.name}" for place in schools if place.school),
        fingerprint=public_key().fingerprint,
        made_on=clock.today(),
    )
    listed = [_key(each.label, each.key.title, each.usage) for each in grant.keys.select_related("key")]
    members = {
        "README.md": pages.readme(head, grant.files, listed),
        "grant.json": pages.grant_json(head, grant.files, listed),
        "test-card.json": pages.test_card(head, grant.files, listed, _test_keys(listed)),
        "hot-list-sign.pub.pem": public_key().to_pem(),
    }
    members["digests.json"] = pages.as_json({name: sm3.hexdigest(each) for name, each in members.items()})
    out = io.BytesIO()
    moment = clock.local(clock.now()).timetuple()[:6]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in members.items():
            archive.writestr(zipfile.ZipInfo(name, moment), each, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _key(label: str, title: str, usage: str) -> pages.PackKey:
    found = keys.active(label)
    return pages.PackKey(label, title, usage, found.algorithm, found.version, found.kcv)


def _test_keys(listed: Sequence[pages.PackKey]) -> dict[str, tuple[str, str, str]]:
    """By label: test master, the test card's key and its check value. Public by construction."""
    found = {}
    for each in listed:
        if each.algorithm not in COMPUTED:
            continue
        master = pages.test_master(each.label, sm3.digest)
        card_key = card_ciphers.diversify(each.algorithm, master, bytes.fromhex(pages.TEST_FACTOR))
        check = card_ciphers.kcv(each.algorithm, card_key)
        found[each.label] = (master.hex(), card_key.hex(), check)
    return found
