"""What a batch tells the bureau: its head, one record for each card, and the photos."""

from collections.abc import Iterator

from xueka.contexts.cards import api as cards
from xueka.contexts.numbers import api as numbers
from xueka.contexts.production import faces
from xueka.contexts.production.domain.bureau.card_keys import VERSION as WITH_KEYS
from xueka.contexts.production.domain.bureau.card_keys import CardKeys
from xueka.contexts.production.domain.bureau.records import (
    SEX_CODES,
    STAGE_CODES,
    VERSION,
    BatchHead,
    CardContents,
    CardRecord,
    Source,
    render_records,
)
from xueka.contexts.production.domain.labels import class_label
from xueka.contexts.production.models import Batch
from xueka.kernel import clock
from xueka.platform.files import services as files
from xueka.platform.files.models import StoredFile


def contents_of(kind: cards.CardKind) -> CardContents:
    """What the cards of a kind carry. A kind without any electronic number is plain plastic (证件卡 of 2007).

    The numbers of bound blanks are known and sent.
    """

    def source(name: str) -> Source:
        return Source.NONE if name == "none" else Source.SENT

    transit, beijing_tong = source(kind.transit_source), source(kind.beijing_tong_source)
    return CardContents(Source.SENT in (transit, beijing_tong), transit, beijing_tong)


def head_of(batch: Batch, attempt: int, keys: CardKeys | None = None) -> BatchHead:
    return BatchHead(
        batch=batch.number,
        package=attempt,
        kind=batch.kind_id,
        contents=contents_of(batch.kind),
        face=faces.face(batch.kind.face_template),
        created_at=clock.now(),
        remake_of=batch.remake_of.number if batch.remake_of else None,
        version=WITH_KEYS if keys else VERSION,
        keyref=keys.plan.reference if keys else "",
    )


def records_of(batch: Batch) -> Iterator[CardRecord]:
    """One record for each card, in the order of making."""
    rows = batch.items.order_by("position").values_list(
        "position",
        "card_id",
        "card__number",
        "card__transit_number",
        "card__beijing_tong_number",
        "card__student__education_id",
        "card__student__name",
        "card__student__sex",
        "card__school__code",
        "card__school__name",
        "card__school_class__stage",
        "card__school_class__grade",
        "card__school_class__name",
        "card__valid_from",
        "card__valid_until",
        "application__photo_id",
    )
    bound = batch.kind.transit_source == "bind"
    uids = numbers.blank_uids(list(batch.items.values_list("card_id", flat=True))) if bound else {}
    labels: dict[tuple[str, int, str], str] = {}
    for row in rows.iterator(chunk_size=10_000):
        position, card_id, number, transit, tong, education_id, name, sex, school, school_name = row[:10]
        of_class, (valid_from, valid_until, photo_id) = row[10:13], row[13:]
        assert valid_from is not None and valid_until is not None  # every planned card has both
        if of_class not in labels:
            labels[of_class] = class_label(*of_class)
        yield CardRecord(
            position,
            number,
            transit,
            tong,
            uids.get(card_id, ""),
            education_id,
            name,
            SEX_CODES.get(sex, "9"),
            school,
            school_name,
            labels[of_class],
            STAGE_CODES.get(of_class[0], "O"),
            valid_from,
            valid_until,
            batch.kind.photo_printed and photo_id is not None,
        )


def photos_of(batch: Batch) -> dict[str, bytes]:
    """The portraits to print, by card number; empty for a kind that prints none."""
    if not batch.kind.photo_printed:
        return {}
    chosen = dict(
        batch.items.filter(application__photo__isnull=False).values_list(
            "application__photo__file_id", "card__number"
        )
    )
    return {chosen[file.id]: files.read(file) for file in StoredFile.objects.filter(id__in=chosen)}


def check_records(batch: Batch) -> None:
    """Refuse now, with every defect by card, what the format would refuse later: `RECORDS_INVALID`."""
    render_records(head_of(batch, 1), records_of(batch))
