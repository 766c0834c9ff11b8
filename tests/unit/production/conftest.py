"""A small city with accepted applications, and a bureau in memory that speaks the documented formats."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import asyncssh
import pytest
from django.db import transaction

from tests.support import bureau_files
from tests.unit.cards.conftest import KIND, NOW, City, build
from xueka.contexts.cards import api as cards
from xueka.contexts.production import api as production
from xueka.contexts.production import jobs
from xueka.contexts.production.models import Batch, BatchItem, Package
from xueka.contexts.production.ports import BureauUnavailable, RemoteFile
from xueka.kernel import clock
from xueka.platform.crypto.sm2 import PrivateKey
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope

SIGNING, ENCRYPTION, OTHER = PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate()
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()

FIRST = Actor.in_role("op-a", "运营甲", "city_operator", Scope("city"))
SECOND = Actor.in_role("op-b", "运营乙", "city_operator", Scope("city"))
DISTRICT = Actor.in_role("d", "区", "district_officer", Scope("district", "110101"))


@dataclass
class Bureau:
    """The drop box and the person behind it. `broken` makes every transfer fail; `lost` only its answer."""

    received: dict[str, bytes] = field(default_factory=dict)
    uploads: int = 0
    out: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    broken: bool = False
    lost: bool = False

    def connect(self, partner: object) -> AbstractContextManager["Bureau"]:
        if self.broken:
            raise BureauUnavailable("BUREAU_UNREACHABLE", "连不上卡厂服务器。", action="系统会自动重试。")
        return nullcontext(self)

    def upload(self, name: str, content: bytes) -> None:
        self.received[name] = content
        self.uploads += 1
        if self.lost:
            raise BureauUnavailable("BUREAU_UNREACHABLE", "连接中断。")

    def list_out(self) -> list[RemoteFile]:
        return [RemoteFile(name, len(data), time) for name, (data, time) in sorted(self.out.items())]

    def download(self, name: str) -> bytes:
        return self.out[name][0]

    def leave(self, name: str, content: bytes) -> None:
        """Put a file into out/, as of a new moment."""
        self.out[name] = (content, len(self.out) + 1 + self.out.get(name, (b"", 0))[1])

    def acknowledge(self, batch: Batch, attempt: int = 1, key: PrivateKey = SIGNING, **changed: Any) -> None:
        package = self.received.get(f"XKP_{batch.number}_{attempt}.zip", b"")
        said = {
            "batch": batch.number,
            "package": attempt,
            "file": f"XKP_{batch.number}_{attempt}.zip",
            "sm3": bureau_files.sm3(package),
            "records": batch.card_count,
        }
        content = bureau_files.acknowledgement(key, **{**said, **changed})
        self.leave(f"XKA_{batch.number}_{attempt}.json", content)

    def refuse(self, batch: Batch, attempt: int = 1, code: str = "FACE") -> None:
        self.acknowledge(batch, attempt, result="refused", code=code, message="卡面版式未登记", records=None)

    def report(self, batch: Batch, lines: Sequence[str], number: int = 1, **changed: Any) -> bytes:
        """A return package in out/; its bytes."""
        content = signed_return(batch, lines, number, **changed)
        self.leave(f"XKR_{batch.number}_{number}.zip", content)
        return content


def signed_return(batch: Batch, lines: Sequence[str], number: int = 1, **changed: Any) -> bytes:
    package = batch.packages.order_by("-attempt").first()
    said = {"package_sm3": bytes(package.file.sm3).hex() if package else "0" * 64, **changed}
    key = said.pop("key", SIGNING)
    return bureau_files.signed_return(key, lines, batch=batch.number, number=number, **said)


def line(item: BatchItem, **changed: str) -> str:
    """What a faultless bureau says of a card."""
    card = item.card
    said = {
        "transit": card.transit_number,
        "tong": card.beijing_tong_number,
        "uid": uid(card),
        "at": f"{clock.local(clock.now()):%Y%m%d%H%M%S}",
    }
    return bureau_files.line(item.position, card.number, **{**said, **changed})


def uid(card: cards.Card) -> str:
    return hashlib.sha256(card.number.encode()).hexdigest()[:14].upper()


@dataclass
class Line:
    """The production line up to any point."""

    city: City
    bureau: Bureau

    def batch(self, count: int = 3) -> Batch:
        students = self.city.students(count)
        made = cards.create_applications(self.city.system, students, KIND, "new").done
        for who in ("submitter", "reviewer", "reviewer"):
            step = cards.submit if who == "submitter" else cards.approve
            result = step(Actor.system(who), made)
            assert not result.refused, result.refused
        return production.create_batch(FIRST, KIND, made)

    def approved(self, count: int = 3) -> Batch:
        batch = self.batch(count)
        production.lock(FIRST, batch.id)
        return production.approve(SECOND, batch.id)

    def ready(self, count: int = 3) -> Batch:
        batch = self.approved(count)
        jobs.build_packages()
        return fresh(batch)

    def sent(self, count: int = 3) -> Batch:
        batch = self.ready(count)
        jobs.send_packages()
        return fresh(batch)

    def acknowledged(self, count: int = 3) -> Batch:
        batch = self.sent(count)
        self.bureau.acknowledge(batch)
        jobs.poll_bureau()
        return fresh(batch)

    def new_keys(self, signing: PrivateKey, encryption: PrivateKey, code: str = "bureau") -> None:
        """The bureau, or another one, has new keys, confirmed by two people."""
        introduce(code, signing, encryption)

    def take(
        self, batch: Batch, lines: Sequence[str], number: int = 1, **changed: Any
    ) -> production.ReturnReport:
        """A signed return file, taken by an operator."""
        content = signed_return(batch, lines, number, **changed)
        return production.import_return(FIRST, content, f"XKR_{batch.number}_{number}.zip", batch.number)


def fresh(batch: Batch) -> Batch:
    return Batch.objects.get(id=batch.id)


def items(batch: Batch) -> list[BatchItem]:
    return list(batch.items.select_related("card").order_by("position"))


def outcomes(batch: Batch) -> list[str]:
    return list(batch.items.order_by("position").values_list("outcome", flat=True))


def card_states(batch: Batch) -> list[str]:
    return list(batch.items.order_by("position").values_list("card__state", flat=True))


def the_package(batch: Batch) -> Package:
    return batch.packages.select_related("file").order_by("-attempt").first()


@pytest.fixture
def city(db: None) -> Iterator[City]:
    with clock.at(NOW):
        with transaction.atomic():
            made = build()
        cards.CardKind.objects.filter(code=KIND).update(photo_required=False)
        yield made


def introduce(code: str, signing: PrivateKey, encryption: PrivateKey) -> production.Partner:
    with transaction.atomic():
        production.register_partner(
            FIRST,
            code=code,
            name=f"样例卡厂 {code}",
            host="127.0.0.1",
            port=2022,
            username="city",
            host_key=HOST_KEY,
            signing_key=signing.public.to_pem().decode(),
            encryption_key=encryption.public.to_pem().decode(),
        )
        fingerprints = signing.public.fingerprint, encryption.public.fingerprint
        return production.confirm_partner(SECOND, code, *fingerprints)


@pytest.fixture
def partner(city: City) -> production.Partner:
    return introduce("bureau", SIGNING, ENCRYPTION)


@pytest.fixture
def bureau(partner: production.Partner, monkeypatch: pytest.MonkeyPatch) -> Bureau:
    made = Bureau()
    monkeypatch.setattr(jobs, "_connect", made.connect)
    return made


@pytest.fixture
def made_line(city: City, bureau: Bureau) -> Line:
    return Line(city, bureau)
