"""What a fetch brought, as a package: opened, brought in; and whether a person should look first."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from django.conf import settings

from xueka.contexts.registry.models import OneRosterFetch
from xueka.contexts.registry.oneroster.importing import OneRosterReport, import_package
from xueka.contexts.registry.oneroster.package import Package
from xueka.contexts.registry.oneroster.records import package_of
from xueka.platform.crypto.fields import open_bytes
from xueka.platform.identity.actor import Actor


@dataclass(frozen=True, slots=True)
class Opened:
    """What a fetch brought, as a package, and the SM3 of its pages."""

    package: Package
    sm3: bytes


def open_pages(fetch: OneRosterFetch) -> Opened:
    """All pages of a fetch, in the order in which they came."""
    digest = hashes.Hash(hashes.SM3())

    def pages() -> Iterator[tuple[str, bytes]]:
        for page in fetch.pages.order_by("number").iterator(chunk_size=20):
            content = zlib.decompress(open_bytes(bytes(page.envelope)))
            digest.update(content)
            yield page.kind, content

    package = package_of(pages(), full=fetch.full)
    return Opened(package, digest.finalize())


def bring_in(
    actor: Actor, fetch: OneRosterFetch, opened: Opened, *, dry_run: bool = False
) -> OneRosterReport:
    """As `import_package`; the run is named after the fetch."""
    name = f"学籍接口 {'全量' if fetch.full else '增量'} 第 {fetch.id} 次"
    return import_package(actor, opened.package, name, lambda: opened.sm3, dry_run)


def doubt_of(report: OneRosterReport, students: int) -> str:
    """Why a person should look before this is brought in, or empty; there were so many students."""
    if report.held:
        missing = report.deleted + report.left_out + report.unenrolled
        return f"缺失的学生太多：{missing} 人，不经人看可以有 {report.allowed} 人。"
    most = max(settings.ONEROSTER_LEAVERS, int(students * settings.ONEROSTER_CHANGES_PERCENT / 100))
    if students and report.updated > most:
        return f"要改动的学生太多：{report.updated} 人，不经人看可以改 {most} 人。"
    refused = max(settings.ONEROSTER_LEAVERS, int(report.rows * settings.ONEROSTER_LEAVERS_PERCENT / 100))
    if report.rejected > refused:
        return f"不能收的记录太多：{report.rejected} 条，不经人看可以有 {refused} 条。"
    return ""
