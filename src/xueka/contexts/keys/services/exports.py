"""A key leaves in a key block, under a transport key that its receiver holds; two people have seen it go."""

from typing import Any

from xueka.contexts.keys.domain import changes as rules
from xueka.contexts.keys.domain import policy
from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.transitions import DONE
from xueka.contexts.keys.models import KeyChange, KeyVersion
from xueka.contexts.keys.services import finding, keeping, using
from xueka.kernel.errors import NotFound
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor

ASK = "city:key:ask"


def possible(version: KeyVersion, under: str) -> KeyVersion:
    """The transport key under which a version may be exported. Raises Refused as a use of either does."""
    transport = finding.usable(under, None)
    for each, usage in ((version, v.EXPORT), (transport, v.WRAP)):
        policy.check_use(each.key.label, each.number, each.state, each.key.usages, usage)
    return transport


def carry_out(actor: Actor, asked: KeyChange) -> dict[str, Any]:
    """Both people have seen that it leaves; the use is on record before the block is made."""
    version = finding.version(finding.locked(asked.label), asked.params["version"])
    transport = possible(version, asked.params["under"])
    for each, usage in ((version, v.EXPORT), (transport, v.WRAP)):
        using.written(actor, [each], usage, "export", asked.number, cards=0)
    block = keeping.exported(version, transport)
    under = f"{asked.params['under']}/{transport.number}"
    return {"version": version.number, "kcv": version.kcv, "under": under, "block": block}


def taken(actor: Actor, number: str) -> tuple[str, str]:
    """(receiver, block) of an export that was carried out, for who takes it away; on record each time.

    Raises NotFound `KEY_EXPORT_NOT_FOUND`.
    """
    actor.require(ASK)
    found = KeyChange.objects.visible_to(actor.scope).filter(number=number, kind=rules.EXPORT, state=DONE)
    done = found.first()
    if done is None:
        raise NotFound("KEY_EXPORT_NOT_FOUND", "没有这项已执行的导出。", found=number[:20])
    receiver = str(done.params["receiver"])
    record(actor, "key.block_taken", "key", done.label, detail={"change": number, "receiver": receiver})
    return receiver, str(done.result["block"])
