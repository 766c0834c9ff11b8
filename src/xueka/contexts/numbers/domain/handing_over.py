"""Hand-overs of blanks: what they are for, and what a record must say."""

from dataclasses import dataclass

from xueka.kernel.errors import BadInput, Refused

OUT, IN = "out", "in"
DIRECTIONS = {OUT: "出库", IN: "入库"}

#: purpose → (direction, words). `send` and `receive` belong to an initialisation order.
PURPOSES = {
    "send": (OUT, "送交初始化"),
    "receive": (IN, "初始化后收回"),
    "to_bureau": (OUT, "发往卡厂"),
    "from_bureau": (IN, "卡厂退回"),
    "to_supplier": (OUT, "退回供应方"),
}
#: Purposes that take blanks of a lot away, and the one that brings them back.
FROM_LOT = ("to_bureau", "to_supplier")
INTO_LOT = ("from_bureau",)


@dataclass(frozen=True, slots=True)
class Slip:
    """What is written on the paper. `rejected` came back too, but not usable (only on `receive`)."""

    quantity: int
    given_by: str
    received_by: str
    document: str
    rejected: int = 0
    counterparty: str = ""
    contents: str = ""
    note: str = ""

    def tidy(self) -> "Slip":
        """The same without blanks around its texts."""
        return Slip(
            self.quantity,
            self.given_by.strip(),
            self.received_by.strip(),
            self.document.strip(),
            self.rejected,
            self.counterparty.strip(),
            self.contents.strip(),
            self.note.strip(),
        )


_LONGEST = (
    ("given_by", 64, "交出人"),
    ("received_by", 64, "接收人"),
    ("document", 100, "交接单据"),
    ("counterparty", 64, "对方单位"),
    ("contents", 200, "内容"),
    ("note", 200, "备注"),
)


def check(purpose: str, slip: Slip, *, correcting: bool = False) -> None:
    """Raise BadInput where the slip is incomplete; a correction may say that nothing was handed over."""
    if purpose not in PURPOSES:
        raise BadInput("HANDOVER_PURPOSE", "交接的用途不对。", found=purpose, expected="、".join(PURPOSES))
    if slip.rejected and purpose != "receive":
        raise BadInput("HANDOVER_REJECTED", "只有初始化后收回的卡才登记不合格数。", found=slip.rejected)
    total = slip.quantity + slip.rejected
    if min(slip.quantity, slip.rejected) < 0 or (total == 0 and not correcting) or total > 10_000_000:
        raise BadInput("HANDOVER_QUANTITY", "请填写交接的张数。", found=total, expected="1 至 1000 万")
    if not (slip.given_by and slip.received_by and slip.document and slip.counterparty):
        raise BadInput("HANDOVER_SIGNATURES", "请填写对方单位、交出人、接收人和交接单据。")
    if slip.given_by == slip.received_by:
        raise BadInput(
            "HANDOVER_TWO_PEOPLE",
            "交出人和接收人不能是同一个人。",
            found=slip.given_by,
            action="请写明双方各自签字的人。",
        )
    for field, longest, label in _LONGEST:
        if len(getattr(slip, field)) > longest:
            raise BadInput("HANDOVER_TEXT", f"{label}最多 {longest} 个字。", where=label)


def check_order(planned: int, sent: int, back: int) -> None:
    """Raise Refused where an order would not add up: more sent than planned, more back than sent."""
    if sent > planned:
        raise Refused(
            "HANDOVER_OVER_PLAN",
            "送出的张数超过排产数量。",
            found=sent,
            expected=f"不超过 {planned}",
            action="请核对张数；多出的另开排产单。",
        )
    if back > sent:
        raise Refused(
            "HANDOVER_OVER_SENT",
            "收回的张数（含不合格）超过送出的张数。",
            found=back,
            expected=f"不超过 {sent}",
            action="请与一卡通公司核对交接单。",
        )
