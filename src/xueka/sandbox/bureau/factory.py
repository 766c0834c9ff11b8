"""Making the cards, and what the return files say of them: card-bureau.md §9 and §10."""

import io
import json
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from xueka.sandbox.bureau import characters
from xueka.sandbox.bureau.faults import BAD_FILES, Dial, Dice
from xueka.sandbox.bureau.package import Order, Package
from xueka.sandbox.common import openssl

CODES = ("00", "01", "02", "03", "04", "05", "99")
_FAILURES = ("01", "01", "02", "02", "03", "04", "05", "99")
_TEXTS = {
    "01": "芯片无应答",
    "02": "印刷偏移",
    "03": "照片模糊",
    "04": "字库缺字",
    "05": "清点缺失",
    "99": "卡基划伤",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A `D` line of a return file; every field as it will be written."""

    sequence: str
    card_number: str
    transit_number: str
    beijing_tong_number: str
    chip_uid: str
    result: str
    produced_at: str
    text: str = ""

    def render(self) -> str:
        fields = [self.sequence, self.card_number, self.transit_number, self.beijing_tong_number]
        return "|".join(
            ["D", *fields, self.chip_uid, self.result, self.produced_at, characters.escape(self.text)]
        )


@dataclass(frozen=True, slots=True)
class ReturnFile:
    """One return package to hand over: its number k and its bytes."""

    number: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """What becomes of a batch: its return files, the last one final; `told`, the true lines in them, by card;
    `untold`, the cards of which no file says what is true; what went wrong.
    """

    files: list[ReturnFile]
    told: dict[str, Line]
    untold: list[str]
    faults: list[str]


def work(package: Package, dial: Dial, seed: int, signing_key: Path) -> Work:
    """Contents follow from seed and package alone."""
    dice = Dice(seed, package.batch)
    first, later = _lines(package, dial, dice)
    files: list[ReturnFile] = []
    for lines, final in [(first, not later), *([(later, True)] if later else [])]:
        number = len(files) + 1
        if dice.happens(f"bad file {number}", dial.bad_file):
            kind = dice.choice(f"kind of bad file {number}", BAD_FILES)
            if kind != "twice" or files:
                files.append(_bad(kind, package, lines, number, final, signing_key, files))
        files.append(_render(package, lines, len(files) + 1, final, signing_key))
    said = {*first, *later}
    began = datetime.fromisoformat(package.manifest["created_at"])
    true = {
        each.card_number: _make(package, each, began, dial, Dice(seed, package.batch))
        for each in package.orders
    }
    told = {card: line for card, line in true.items() if line in said}
    faults = [each for each in dice.struck if not each.startswith("corrected")]
    return Work(files, told, sorted(true.keys() - told.keys()), faults)


def _lines(package: Package, dial: Dial, dice: Dice) -> tuple[list[Line], list[Line]]:
    """What the first file says, and what comes later: late cards, corrections of altered lines."""
    began = datetime.fromisoformat(package.manifest["created_at"])
    first: list[Line] = []
    later: list[Line] = []
    for order in package.orders:
        card = order.card_number
        line = _make(package, order, began, dial, dice)
        if dice.happens(f"missing {card}", dial.missing):
            continue
        if dice.happens(f"late {card}", dial.late):
            later.append(line)
        elif line.result == "00" and dice.happens(f"altered {card}", dial.altered):
            first.append(_alter(package, line, dice))
            if dice.happens(f"corrected {card}", 0.5):
                later.append(line)
        else:
            first.append(line)
            if dice.happens(f"duplicate {card}", dial.duplicate):
                first.append(line)
    unknown = sum(1 for order in package.orders if dice.happens(f"unknown {order.card_number}", dial.unknown))
    first += [_stray(package, index, began, dice) for index in range(unknown)]
    return first, later


def _make(package: Package, order: Order, began: datetime, dial: Dial, dice: Dice) -> Line:
    card = order.card_number
    uid = order.blank_uid or ("04" + dice.hex(f"uid {card}", 12) if package.manifest["chip"] else "")
    transit = order.transit_number
    if package.manifest["transit"] == "blank":
        transit = "1000" + str(int(dice.number(f"transit {card}") * 10**12)).zfill(12)
    done = (began + timedelta(days=2, seconds=order.sequence)).strftime("%Y%m%d%H%M%S")
    line = Line(str(order.sequence), card, transit, order.beijing_tong_number, uid, "00", done)
    if not dice.happens(f"failed {card}", dial.failed):
        return line
    code = dice.choice(f"result {card}", _FAILURES)
    return replace(
        line,
        result=code,
        text=_TEXTS[code],
        transit_number=order.transit_number,
        chip_uid=uid if code == "01" else "",
    )


def _alter(package: Package, line: Line, dice: Dice) -> Line:
    """The line as a tired clerk would spoil it."""
    ways = ["result", "sequence", "produced"]
    if package.manifest["chip"]:
        ways.append("uid")
    if package.manifest["transit"] == "sent":
        ways.append("transit")
    way = dice.choice(f"way {line.card_number}", tuple(ways))
    return {
        "result": lambda: replace(line, result="07"),
        "sequence": lambda: replace(line, sequence=str(int(line.sequence) + 1)),
        "produced": lambda: replace(line, produced_at="20269931250000"),
        "uid": lambda: replace(line, chip_uid=line.chip_uid[:-1]),
        "transit": lambda: replace(line, transit_number=line.transit_number[::-1] + "0"),
    }[way]()


def _stray(package: Package, index: int, began: datetime, dice: Dice) -> Line:
    """A card of somebody else's batch that slipped in."""
    digits = "99" + str(int(dice.number(f"stray {index}") * 10**9)).zfill(9)
    p = 10
    for digit in digits:
        p = 2 * ((p + int(digit)) % 10 or 10) % 11
    uid = "04" + dice.hex(f"stray uid {index}", 12) if package.manifest["chip"] else ""
    return Line("1", f"{digits}{(11 - p) % 10}", "", "", uid, "00", began.strftime("%Y%m%d%H%M%S"))


def _render(
    package: Package,
    lines: list[Line],
    number: int,
    final: bool,
    signing_key: Path,
    *,
    batch: str = "",
    spoil_totals: bool = False,
    spoil_digest: bool = False,
    spoil_signature: bool = False,
) -> ReturnFile:
    batch = batch or package.batch
    counts = {code: sum(1 for line in lines if line.result == code) for code in CODES}
    totals = [str(counts[code]) for code in CODES]
    if spoil_totals:
        totals[0] = str(counts["00"] + 1)
    count = str(len(lines))
    rows = [f"H|XKRET|1.0|{batch}|{number}|{count}", *(line.render() for line in lines)]
    body = characters.encode("\r\n".join([*rows, "|".join(["T", count, *totals]), ""]))
    manifest = {
        "format": "XKRETURN",
        "version": "1.0",
        "batch": batch,
        "return": number,
        "package_sm3": package.sm3,
        "final": final,
        "lines": len(lines),
        "results": counts,
        "returns": {"name": "returns.txt", "size": len(body), "sm3": openssl.sm3(body)},
        "created_at": package.manifest["created_at"],
        "signer": openssl.fingerprint(openssl.public(signing_key)),
    }
    if spoil_digest:
        body = body.replace(b"\r\nT|", b"\r\nT |", 1)
    head = json.dumps(manifest, ensure_ascii=False, indent=2).encode()
    signature = openssl.sign(signing_key, head + b"\n" if spoil_signature else head)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("manifest.json", head), ("manifest.sig", signature), ("returns.txt", body)):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return ReturnFile(number, file.getvalue())


def _bad(
    kind: str,
    package: Package,
    lines: list[Line],
    number: int,
    final: bool,
    signing_key: Path,
    before: list[ReturnFile],
) -> ReturnFile:
    """A file that is wrong as a whole; the right one follows under the next number."""
    if kind == "twice":
        return ReturnFile(number, before[-1].content)
    if kind == "truncated":
        whole = _render(package, lines, number, final, signing_key).content
        return ReturnFile(number, whole[: len(whole) * 2 // 3])
    return _render(
        package,
        lines,
        number,
        final,
        signing_key,
        batch="ZZ99-0000" if kind == "wrong_batch" else "",
        spoil_totals=kind == "wrong_totals",
        spoil_digest=kind == "wrong_digest",
        spoil_signature=kind == "wrong_signature",
    )
