"""Tariffs: the shipped one, and those that were adopted since."""

import hashlib
import json
from datetime import date
from functools import cache
from importlib import resources

from xueka.contexts.payments.domain import tariff as rules
from xueka.contexts.payments.models import TariffVersion
from xueka.kernel import clock
from xueka.kernel.errors import Refused
from xueka.platform.audit.services import record
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


@cache
def shipped() -> rules.Tariff:
    """data/tariff.toml, where each value is explained."""
    file = resources.files("xueka.contexts.payments").joinpath("data/tariff.toml")
    return rules.read(file.read_bytes(), "tariff.toml")


def tariff_on(day: date) -> rules.Tariff:
    """The tariff in force on a day; before the first one that was adopted, the shipped one."""
    found = TariffVersion.objects.filter(valid_from__lte=day).order_by("-valid_from").first()
    return rules.of_json(found.content) if found else shipped()


def tariffs() -> list[rules.Tariff]:
    """Every tariff with the latest first; the shipped one is the last."""
    return [*(rules.of_json(each.content) for each in TariffVersion.objects.all()), shipped()]


def quote(scope: Scope, reason: str, card_type: str, replaced_before: int, on: date) -> rules.Fee:
    """What a replacement costs on a day; the price list is the same for everybody.

    `replaced_before` counts earlier replacements for the same reason. Raises BadInput `TARIFF_REASON`,
    `TARIFF_SILENT`.
    """
    return rules.fee(tariff_on(on), reason, card_type, replaced_before)


def adopt_tariff(actor: Actor, raw: bytes, where: str = "tariff.toml") -> rules.Tariff:
    """Adopt a tariff from its day on; orders made before keep theirs.

    Raises BadInput `TARIFF_FILE`, Refused `TARIFF_VERSION_USED`, `TARIFF_DAY` where it would begin in the
    past or before one that is adopted already. The same file again is the same.
    """
    actor.require("city:tariff:manage")
    found = rules.read(raw, where)
    content = found.as_json()
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False, sort_keys=True).encode()).hexdigest()
    same = TariffVersion.objects.filter(version=found.version).first()
    if same and same.digest == digest:
        return found
    if same or found.version == shipped().version:
        raise Refused(
            "TARIFF_VERSION_USED",
            f"收费标准 {found.version} 已经有了，内容不同。",
            found=found.version,
            action="请换一个版本号。",
        )
    last = TariffVersion.objects.order_by("-valid_from").first()
    first = max(clock.today(), *([last.valid_from] if last else []), shipped().valid_from)
    if found.valid_from < clock.today() or (last and found.valid_from <= last.valid_from):
        raise Refused(
            "TARIFF_DAY",
            "收费标准只能从今天或以后、并且晚于上一个标准的日期起执行。",
            found=found.valid_from,
            expected=f"{first} 或以后" if not last else f"{last.valid_from} 之后",
            action="请改正 valid_from。",
        )
    TariffVersion.objects.create(
        version=found.version,
        valid_from=found.valid_from,
        content=content,
        digest=digest,
        at=clock.now(),
        by=actor.username,
    )
    record(
        actor,
        "tariff.adopt",
        "tariff",
        found.version,
        detail={"valid_from": found.valid_from.isoformat(), "digest": digest},
    )
    return found
