"""The packing list as a PDF to lie in the box and as a workbook to keep.

Both carry the box number as Code 128; the PDF has each card's number as one too, so that a class can be
handed out by scanning the list where the cards themselves bear no bar code.
"""

import io
import json
from pathlib import Path
from typing import Any

import barcode
import typst
import xlsxwriter
from barcode.writer import ImageWriter
from django.conf import settings

from xueka.contexts.logistics.models import Box, Delivery
from xueka.contexts.logistics.queries import boxes_of
from xueka.contexts.production import api as production
from xueka.platform import barcodes

_TEMPLATE = Path(__file__).with_name("packing_list.typ")
_COLUMNS = ["箱号", "班级", "序号", "姓名", "教育ID", "学生卡号", "一卡通号"]


def pdf(delivery: Delivery) -> bytes:
    """One sheet a box, A4, with the box number as Code 128."""
    data = {
        "title": f"装箱单 {delivery.number}",
        "delivery": delivery.number,
        "school": delivery.school.name,
        "address": delivery.address,
        "consignee": " ".join(filter(None, [delivery.consignee, delivery.consignee_phone])),
        "receiving_hours": delivery.receiving_hours or "未登记",
        "waybill": " ".join(filter(None, [delivery.carrier, delivery.waybill])) or "未发运",
        "boxes": [_box(box) for box in boxes_of(delivery)],
    }
    fonts = Path(settings.NODE_MODULES) / "@expo-google-fonts" / "noto-sans-sc"
    return typst.compile(
        str(_TEMPLATE),
        font_paths=[str(fonts)] if fonts.is_dir() else [],
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
    )


def xlsx(delivery: Delivery) -> bytes:
    """All boxes on one sheet; numbers are text, so that no digit is lost; the last line is the total."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        head = book.add_format({"bold": True, "bottom": 1})
        text = book.add_format({"num_format": "@"})
        sheet = book.add_worksheet("装箱单")
        sheet.freeze_panes(3, 0)
        sheet.write_string(0, 0, f"{delivery.number}　{delivery.school.name}", head)
        sheet.write_string(1, 0, f"{delivery.address}　{delivery.consignee}")
        sheet.write_row(2, 0, _COLUMNS, head)
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, 2, 10)
        sheet.set_column(3, 6, 20)
        row = 3
        for box in boxes_of(delivery):
            for card in _cards(box):
                values = (box.number, class_label(box), str(card["position"]), card["name"])
                for column, value in enumerate(
                    (*values, card["education_id"], card["number"], card["transit"])
                ):
                    sheet.write_string(row, column, value, text)
                row += 1
        sheet.write_string(row, 0, "合计", head)
        sheet.write_number(row, 5, row - 3, head)
        _labels(book, delivery, head)
    return file.getvalue()


def _labels(book: xlsxwriter.Workbook, delivery: Delivery, head: Any) -> None:
    """A sheet with the bar code of each box, to be scanned from the screen or printed as a label."""
    sheet = book.add_worksheet("箱签")
    middle = book.add_format({"valign": "vcenter", "num_format": "@"})
    sheet.write_row(0, 0, ["箱号", "班级", "张数", "条码"], head)
    sheet.set_column(0, 2, 16)
    sheet.set_column(3, 3, 44)
    for row, box in enumerate(boxes_of(delivery), 1):
        sheet.set_row(row, 64)
        sheet.write_string(row, 0, box.number, middle)
        sheet.write_string(row, 1, class_label(box), middle)
        sheet.write_number(row, 2, box.card_count, middle)
        picture = {"image_data": io.BytesIO(_picture(box.number)), "x_offset": 6, "y_offset": 4}
        sheet.insert_image(row, 3, f"{box.number}.png", {**picture, "description": f"箱号 {box.number}"})


def _box(box: Box) -> dict[str, Any]:
    return {
        "number": box.number,
        "class_name": class_label(box),
        "barcode": barcodes.code128(box.number),
        "cards": _cards(box),
    }


def _cards(box: Box) -> list[dict[str, Any]]:
    return [
        {
            "position": place.position,
            "name": place.card.student.name,
            "education_id": place.card.student.education_id,
            "number": place.card.number,
            "barcode": barcodes.code128(place.card.number, barcodes.LINE),
            "transit": place.card.transit_number,
        }
        for place in box.contents.filter(is_here=True).select_related("card__student").order_by("position")
    ]


def _picture(text: str) -> bytes:
    out = io.BytesIO()
    # Three pixels a module exactly: bars of uneven width are read badly.
    options = {
        "module_width": 0.254,
        "module_height": 10.0,
        "quiet_zone": 2.6,
        "write_text": False,
        "dpi": 300,
    }
    barcode.get("code128", text, writer=ImageWriter()).write(out, options=options)
    return out.getvalue()


def class_label(box: Box) -> str:
    """三年级2班, 初一1班: as on the card."""
    of = box.school_class
    return production.class_label(of.stage, of.grade, of.name)
