"""The sweeps of the production line: build what is approved, send what is stored, take what the bureau left.

Each looks in the database for what is to be done, does one piece per transaction, and may be killed or run
twice at any point. They are the edge: transactions are opened here.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.module_loading import import_string

from xueka.contexts.production.domain.transitions import APPROVED, READY
from xueka.contexts.production.models import Batch, Package, Partner
from xueka.contexts.production.ports import SIZE_LIMIT, BureauGateway, BureauUnavailable, Connect, RemoteFile
from xueka.contexts.production.services import inbox, packages
from xueka.contexts.production.services.partners import confirmed_partner
from xueka.kernel import clock
from xueka.kernel.errors import Refused, XuekaError
from xueka.platform.identity.actor import Actor
from xueka.platform.jobs.sweeps import every

log = structlog.get_logger("xueka.production")

WORKER = Actor.system("worker")


@every(2, "production.build")
def build_packages() -> None:
    """Make the file of every approved batch. One that cannot be made says why on its page."""
    for batch_id in Batch.objects.filter(state=APPROVED).order_by("id").values_list("id", flat=True):
        try:
            with transaction.atomic():
                packages.build(WORKER, batch_id)
        except XuekaError as error:
            log.warning("production.build_failed", batch=batch_id, code=error.code)
            Batch.objects.filter(id=batch_id, state=APPROVED).update(build_error=error.message)
        except Exception:  # our own mistake must not keep the batches behind this one waiting
            log.exception("production.build_broken", batch=batch_id)
            said = "生成文件时系统出错，技术人员可在日志中查到；批次没有传送。"
            Batch.objects.filter(id=batch_id, state=APPROVED).update(build_error=said)


@every(2, "production.send")
def send_packages() -> None:
    """Hand over every stored package whose next try is due, over one connection."""
    due = _due()
    if not due or (partner := _partner()) is None:
        return
    try:
        with _connect(partner) as gateway:
            for package_id in due:
                _send(package_id, partner, gateway)
    except BureauUnavailable as error:
        _postpone(due, error)


@every(2, "production.poll")
def poll_bureau() -> None:
    """Take every new file of the bureau's out folder, each in a transaction of its own."""
    partner = _partner()
    if partner is None or (partner.next_try_at and partner.next_try_at > clock.now()):
        return
    try:
        with _connect(partner) as gateway:
            failed = [
                error for file in inbox.not_taken(gateway.list_out()) if (error := _fetch(file, gateway))
            ]
    except BureauUnavailable as error:
        log.warning("production.poll_failed", code=error.code)
        failures = partner.failures + 1
        Partner.objects.filter(code=partner.code).update(
            failures=failures,
            last_error=f"{error.message}{error.action or ''}",
            next_try_at=clock.now() + packages.pause_after(failures),
        )
        return
    Partner.objects.filter(code=partner.code).update(
        failures=0, last_error="", next_try_at=None, last_contact_at=clock.now()
    )
    if failed:
        raise failed[0]  # the sweep shows it; the file is taken again next time


def sweep() -> None:
    """One round of everything, for whoever drives the line without a worker."""
    build_packages()
    send_packages()
    poll_bureau()


def _send(package_id: int, partner: Partner, gateway: BureauGateway) -> None:
    """Intent, transfer, mark: the transfer stands between two transactions and keeps nobody waiting."""
    try:
        with transaction.atomic():
            outgoing = packages.start_sending(WORKER, package_id, partner)
        if outgoing is None:
            return
        gateway.upload(outgoing.name, outgoing.content)
        with transaction.atomic():
            packages.mark_sent(WORKER, package_id)
    except BureauUnavailable:
        raise  # it concerns all that wait
    except XuekaError as error:
        _postpone([package_id], error)


def _fetch(file: RemoteFile, gateway: BureauGateway) -> Exception | None:
    """One file that is too large or cannot be taken must not keep the others waiting."""
    if file.size > SIZE_LIMIT:
        log.warning("production.file_too_large", file=file.name, size=file.size)
        with transaction.atomic():
            inbox.refuse_unread(WORKER, file, SIZE_LIMIT)
        return None
    return _take(file, gateway.download(file.name))


def _take(file: RemoteFile, content: bytes) -> Exception | None:
    """A file that cannot be taken, be it by our own mistake, is taken again next time."""
    try:
        with transaction.atomic():
            inbox.take(WORKER, file, content)
    except XuekaError as error:
        log.warning("production.take_failed", file=file.name, code=error.code)
        return error
    except Exception as error:
        log.exception("production.take_broken", file=file.name)
        return error
    return None


def _partner() -> Partner | None:
    try:
        return confirmed_partner()
    except Refused:
        return None


def _connect(partner: Partner) -> AbstractContextManager[BureauGateway]:
    connect: Connect = import_string(settings.BUREAU_GATEWAY)
    return connect(partner)


def _due() -> list[int]:
    stored = Package.objects.filter(state="stored", batch__state=READY)
    due = stored.filter(Q(next_try_at=None) | Q(next_try_at__lte=clock.now()))
    return list(due.order_by("id").values_list("id", flat=True))


def _postpone(package_ids: Iterable[int], error: XuekaError) -> None:
    log.warning("production.send_failed", code=error.code)
    for package in Package.objects.filter(id__in=package_ids, state="stored"):
        tries = package.tries + 1
        Package.objects.filter(id=package.id, state="stored").update(
            tries=tries,
            last_error=f"{error.message}{error.action or ''}",
            next_try_at=clock.now() + packages.pause_after(tries),
        )
