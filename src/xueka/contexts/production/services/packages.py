"""The production file: built once, stored, sent, acknowledged.

Each function is one step of a sweep (jobs.py) and may be repeated: it looks under the lock at what is still
to be done. Nothing here holds a lock while bytes travel: `start_sending` stores the intent, the sweep
uploads, `mark_sent` says that it is done.
"""

import hashlib
from datetime import timedelta
from typing import NamedTuple

from xueka.contexts.production.adapters import bureau_package, partner_keys
from xueka.contexts.production.domain.bureau.acknowledgement import refuse
from xueka.contexts.production.domain.bureau.records import package_name
from xueka.contexts.production.domain.transitions import APPROVED, READY, SENT
from xueka.contexts.production.models import Batch, Package, Partner, PartnerKeys
from xueka.contexts.production.services.card_keys import card_keys_of
from xueka.contexts.production.services.common import locked_batch, move, record
from xueka.contexts.production.services.partners import keys_in_force, keys_that_may_answer
from xueka.contexts.production.services.records import head_of, photos_of, records_of
from xueka.kernel import clock
from xueka.platform.files import services as files
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.actor import Actor

_FIRST_PAUSE = 5  # seconds; doubled after each failure
_LONGEST_PAUSE = 300


def build(actor: Actor, batch_id: int) -> Package | None:
    """Make and store the file of an approved batch; None where somebody else is at it or it is done.

    The attempt is one higher than the last refused one. With the row the batch is ready; before that
    commits, nothing can leave.
    """
    batch = _unless_busy(batch_id, APPROVED)
    if batch is None:
        return None
    keys = keys_in_force()
    attempt = batch.packages.count() + 1
    file, sha256 = _made(actor, batch, attempt, keys)
    package = Package.objects.create(
        batch=batch, attempt=attempt, file=file, keys=keys, sha256=sha256, built_at=clock.now()
    )
    move(batch, "build", actor, detail={"file": file.name})
    Batch.objects.filter(id=batch.id).update(build_error="")
    record(actor, "build", batch, file=file.name, sm3=bytes(file.sm3).hex(), cards=batch.card_count)
    return package


class Outgoing(NamedTuple):
    """A package on its way: what to upload."""

    package_id: int
    name: str
    content: bytes


def start_sending(actor: Actor, package_id: int, partner: Partner) -> Outgoing | None:
    """Store the intent to hand a stored package over to `partner`, to whom there is a connection.

    None where there is nothing to send to this bureau: somebody else is at it, it is sent, another bureau has
    come into use. A package that was made for former keys and never left is made anew. One that may have left
    goes out as it is to the same bureau, which knows its own former key; to another bureau it never goes, and
    a person decides. Raises XuekaError where the stored bytes were altered or a new file cannot be made.
    """
    found = Package.objects.select_related("batch").filter(id=package_id, state="stored").first()
    batch = _unless_busy(found.batch_id, READY) if found else None
    keys = keys_in_force()
    if batch is None or keys.partner_id != partner.code:
        return None
    package = batch.packages.select_related("file", "keys__partner").defer("file__content").get(id=package_id)
    if package.started_at is None and package.keys_id != keys.id:
        _make_anew(actor, batch, package, keys)
    elif package.keys.partner_id != keys.partner_id:
        _give_back(actor, batch, package, keys.partner)
        return None
    content = files.read(package.file)
    package.started_at = package.started_at or clock.now()
    package.save(update_fields=["started_at"])
    return Outgoing(package.id, package.file.name, content)


def mark_sent(actor: Actor, package_id: int) -> bool:
    """The package has been handed over. False where that is known already.

    Killed before this, it is handed over again: the bureau takes the same bytes as the same package.
    """
    batch_id = Package.objects.values_list("batch_id", flat=True).get(id=package_id)
    batch = locked_batch(actor, batch_id)
    package = batch.packages.select_related("file").defer("file__content").get(id=package_id)
    if package.state != "stored":
        return False
    package.state, package.sent_at, package.last_error, package.next_try_at = "sent", clock.now(), "", None
    package.tries += 1
    package.save(update_fields=["state", "sent_at", "last_error", "next_try_at", "tries"])
    move(batch, "send", actor, detail={"file": package.file.name, "try": package.tries})
    record(actor, "send", batch, file=package.file.name, sm3=bytes(package.file.sm3).hex())
    return True


def acknowledge(actor: Actor, batch: Batch, package: Package, content: bytes) -> str:
    """Take the bureau's word on a package; returns `acknowledged`, or `repeated` for what it said before.

    A refusal bounces the batch with its reason. Raises AcknowledgementRefused for one that proves nothing,
    and for one that takes back what the bureau has shown otherwise.
    """
    said = bureau_package.read_acknowledgement(
        content,
        [keys.signing_public_key for keys in keys_that_may_answer(package)],
        batch=batch.number,
        package=package.attempt,
        package_sm3=bytes(package.file.sm3).hex(),
    )
    word = "accepted" if said.accepted else "refused"
    if package.state == word:
        return "repeated"
    if package.state != "sent" or (batch.state != SENT and not said.accepted):
        refuse("ACK_CONTRADICTION", "回执与卡厂此前的回执或回盘相矛盾。", "result", word, package.state)
    package.state = word
    package.acknowledged_at = clock.now()
    package.acknowledgement = {
        "code": said.code,
        "message": said.message,
        "records": said.records,
        "received_at": said.received_at.isoformat(),
    }
    if batch.state == SENT:
        reason = f"{said.code} {said.message}".strip()
        move(batch, "acknowledge" if said.accepted else "bounce", actor, reason=reason)
    package.save(update_fields=["state", "acknowledged_at", "acknowledgement"])
    record(actor, "acknowledge", batch, package=package.attempt, accepted=said.accepted, code=said.code)
    return "acknowledged"


def pause_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 5 s, 10 s, 20 s … at most 5 minutes."""
    return timedelta(seconds=min(_FIRST_PAUSE * 2 ** min(failures - 1, 10), _LONGEST_PAUSE))


def _made(actor: Actor, batch: Batch, attempt: int, keys: PartnerKeys) -> tuple[StoredFile, bytes]:
    """A stored file of the batch for these keys, and its SHA-256."""
    card_keys = card_keys_of(actor, batch, keys)
    content = bureau_package.build_package(
        head_of(batch, attempt, card_keys),
        records_of(batch),
        photos_of(batch),
        partner_keys.signing_key(),
        keys.encryption_public_key,
        card_keys,
    )
    if card_keys:
        told = {column.plan.label: column.version for column in card_keys.columns}
        record(actor, "keys", batch, way=card_keys.plan.way, masters=told, cards=batch.card_count)
    file = files.store(actor, package_name(batch.number, attempt), "application/zip", content)
    return file, hashlib.sha256(content).digest()


def _make_anew(actor: Actor, batch: Batch, package: Package, keys: PartnerKeys) -> None:
    """The keys have changed before it ever left: the same package number, a new file. The old one is kept."""
    package.file, package.sha256 = _made(actor, batch, package.attempt, keys)
    package.keys, package.built_at, package.last_error = keys, clock.now(), ""
    package.save(update_fields=["file", "sha256", "keys", "built_at", "last_error"])
    record(
        actor,
        "renew",
        batch,
        file=package.file.name,
        sm3=bytes(package.file.sm3).hex(),
        recipient=keys.encryption_fingerprint,
    )


def _give_back(actor: Actor, batch: Batch, package: Package, partner: Partner) -> None:
    """It may lie with a bureau that is no longer in use: whether it is made again is a person's decision."""
    former = package.keys.partner.name
    said = (
        f"制卡包曾向{former}传送，对方是否收到不明；现在启用的卡厂是{partner.name}，旧包没有改送。"
        f"请先向{former}核实没有收到、不会制作，再重新生成文件；如已收到，请勿重新生成。"
    )
    package.state, package.sent_at, package.acknowledged_at = "refused", package.started_at, clock.now()
    package.acknowledgement = {"code": "PARTNER_CHANGED", "message": said}
    package.save(update_fields=["state", "sent_at", "acknowledged_at", "acknowledgement"])
    move(batch, "send", actor, detail={"file": package.file.name, "try": package.tries})
    move(batch, "bounce", actor, reason=said)
    record(actor, "give_back", batch, package=package.attempt, former=package.keys.partner_id)


def _unless_busy(batch_id: int, state: str) -> Batch | None:
    """The batch under its lock, if it is in that state and nobody else works on it."""
    free = Batch.objects.select_for_update(of=["self"], skip_locked=True)
    return free.filter(id=batch_id, state=state).first()
