"""The production file: built once, stored, sent, acknowledged.

Each function is one step of a sweep (jobs.py) and may be repeated: it looks under the lock at what is still
to be done.
"""

import hashlib
from datetime import timedelta

from xueka.contexts.production.adapters import bureau_package, partner_keys
from xueka.contexts.production.domain.bureau.acknowledgement import refuse
from xueka.contexts.production.domain.bureau.records import package_name
from xueka.contexts.production.domain.transitions import APPROVED, READY, SENT
from xueka.contexts.production.models import Batch, Package
from xueka.contexts.production.ports import BureauGateway
from xueka.contexts.production.services.common import move, record
from xueka.contexts.production.services.partners import confirmed_partner
from xueka.contexts.production.services.records import head_of, photos_of, records_of
from xueka.kernel import clock
from xueka.platform.files import services as files
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
    partner = confirmed_partner()
    attempt = batch.packages.count() + 1
    content = bureau_package.build_package(
        head_of(batch, attempt),
        records_of(batch),
        photos_of(batch),
        partner_keys.signing_key(),
        partner.encryption_public_key,
    )
    file = files.store(actor, package_name(batch.number, attempt), "application/zip", content)
    package = Package.objects.create(
        batch=batch,
        attempt=attempt,
        file=file,
        sha256=hashlib.sha256(content).digest(),
        built_at=clock.now(),
    )
    move(batch, "build", actor, detail={"file": file.name})
    Batch.objects.filter(id=batch.id).update(build_error="")
    record(actor, "build", batch, file=file.name, sm3=bytes(file.sm3).hex(), cards=batch.card_count)
    return package


def send(actor: Actor, package_id: int, gateway: BureauGateway) -> bool:
    """Hand a stored package over and mark it sent. False where somebody else is at it or it is sent.

    Killed between the two, it is handed over again: the bureau takes the same bytes as the same package.
    Raises BureauUnavailable.
    """
    found = Package.objects.select_related("batch").filter(id=package_id, state="stored").first()
    batch = _unless_busy(found.batch_id, READY) if found else None
    if batch is None:
        return False
    package = batch.packages.select_related("file").get(id=package_id)
    gateway.upload(package.file.name, files.read(package.file))
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
        confirmed_partner().signing_public_key,
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


def _unless_busy(batch_id: int, state: str) -> Batch | None:
    """The batch under its lock, if it is in that state and nobody else works on it."""
    free = Batch.objects.select_for_update(of=["self"], skip_locked=True)
    return free.filter(id=batch_id, state=state).first()
