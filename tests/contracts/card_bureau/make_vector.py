"""Makes the published vector anew: `python -m tests.contracts.card_bureau.make_vector`.

Only for a new version of the format: others compare their programs with the files that are there.
"""

import base64
import json
import sys
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw

from tests.contracts.card_bureau.stranger import digest, open_package
from tests.support.bureau_files import acknowledgement, line, signed_return
from xueka.contexts.production.adapters.bureau_package import build_package
from xueka.contexts.production.domain.bureau.records import (
    BatchHead,
    CardContents,
    CardFace,
    CardRecord,
    Source,
)
from xueka.kernel.identifiers import card_number
from xueka.platform.crypto.sm2 import PrivateKey

FOLDER = Path(__file__).parent / "vector"
BATCH = "B26-0001"
WARNING = b"PUBLIC TEST KEY: everybody has it, it protects nothing. For comparing programs only.\n"
NAMES = (
    "欧阳·阿卜杜拉",
    "\U0002a6a5𠮷\u9fb4",  # two of Extension B, one whose code changed in 2022
    "阿依古丽·买买提" * 6,
    r"分|隔\符",
)
HEAD = BatchHead(
    batch=BATCH,
    package=1,
    kind="BJT",
    contents=CardContents(chip=True, transit=Source.SENT, beijing_tong=Source.SENT),
    face=CardFace("BJT-STD", 3, "0f" * 32),
    created_at=datetime(2026, 9, 1, 2, 0, tzinfo=UTC),
)


def records() -> list[CardRecord]:
    cards = [card_number(2026, place) for place in range(1, len(NAMES) + 1)]
    return [
        CardRecord(
            sequence=place,
            card_number=number,
            transit_number=f"1000{number}",
            beijing_tong_number=f"BJT{number}",
            blank_uid="04A1B2C3D4E5F6" if place == 2 else "",
            education_id=f"1000000{place}",
            name=name,
            sex=str(1 + place % 2),
            school_code="2111000001",
            school_name="东城区示范小学",
            class_name="一年级1班",
            stage="P",
            valid_from=date(2026, 9, 1),
            valid_until=date(2032, 8, 31),
            has_photo=place < 3,
        )
        for place, (number, name) in enumerate(zip(cards, NAMES, strict=True), 1)
    ]


def portrait(shade: int) -> bytes:
    image = Image.new("RGB", (36, 44), (150, 190, 230))
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 6, 28, 30), fill=(shade, 180, 150))
    draw.rectangle((4, 32, 32, 44), fill=(40, 60, shade))
    target = BytesIO()
    image.save(target, "JPEG", quality=80)
    return target.getvalue()


def returned() -> list[str]:
    """Made, made on the bound blank, print failed, and one card not reported."""
    one, two, three, _ = (record.card_number for record in records())
    return [
        line(2, two, uid="04A1B2C3D4E5F6"),
        line(1, one, uid="04AABBCCDDEEFF"),
        line(3, three, result="02", uid="04112233445566", text="色带断裂"),
    ]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    keys = {name: PrivateKey.generate() for name in ("city-sign", "bureau-enc", "bureau-sign")}
    for name, key in keys.items():
        (FOLDER / f"PUBLIC-TEST-{name}.key.pem").write_bytes(WARNING + key.to_pem())
        (FOLDER / f"{name}.pub.pem").write_bytes(key.public.to_pem())
    photos = {record.card_number: portrait(100 + record.sequence) for record in records() if record.has_photo}
    package = build_package(HEAD, records(), photos, keys["city-sign"], keys["bureau-enc"].public)
    path = FOLDER / f"XKP_{BATCH}_1.zip"
    path.write_bytes(package)
    scratch = Path(sys.argv[1])
    opened = open_package(
        path, FOLDER / "city-sign.pub.pem", FOLDER / "PUBLIC-TEST-bureau-enc.key.pem", scratch
    )
    (FOLDER / "records.txt").write_bytes(opened.records)
    sm3 = digest(package)
    answer = acknowledgement(keys["bureau-sign"], batch=BATCH, file=path.name, sm3=sm3, records=len(NAMES))
    (FOLDER / f"XKA_{BATCH}_1.json").write_bytes(answer)
    package_back = signed_return(
        keys["bureau-sign"], returned(), batch=BATCH, package_sm3=sm3, created_at="2026-09-03T18:00:00+08:00"
    )
    (FOLDER / f"XKR_{BATCH}_1.zip").write_bytes(package_back)
    facts = {
        "fingerprints": {name: key.public.fingerprint for name, key in keys.items()},
        "package_sm3": sm3,
        "content_key": opened.key.hex(),
        "records_sm3": digest(opened.records),
        "photos_sm3": digest(opened.photos or b""),
        "return_sm3": digest(package_back),
        "acknowledgement_body": json.loads(base64.b64decode(json.loads(answer)["body"])),
        "outcome": {"matched": 2, "failed": 1, "missing": 1, "duplicate": 0, "unknown": 0, "altered": 0},
    }
    (FOLDER / "vector.json").write_text(json.dumps(facts, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
