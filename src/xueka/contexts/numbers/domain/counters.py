"""The offices that hold blanks for their counters, and what a slip between them and the city must say."""

from xueka.kernel.districts import DISTRICTS
from xueka.kernel.errors import BadInput

CITY = "city"
#: office → what it is called.
COUNTERS = {CITY: "市级柜台", **{code: f"{name}柜台" for code, name in DISTRICTS.items()}}
DIRECTIONS = {"out": "发给柜台", "in": "柜台退回"}


def check_slip(counter: str, first: int, last: int, quantity: int, paper: tuple[str, str, str]) -> None:
    """Raise BadInput where a slip is incomplete; `paper` is (given by, received by, document)."""
    if counter not in COUNTERS:
        raise BadInput("COUNTER_UNKNOWN", "请选择柜台。", where="柜台", found=counter[:20])
    if not 1 <= first <= last:
        raise BadInput(
            "COUNTER_POSITIONS", "序号不对。", where="序号", found=f"{first} 至 {last}", expected="从小到大"
        )
    if quantity < 1:
        raise BadInput("COUNTER_QUANTITY", "请填写清点的张数。", where="张数", found=quantity)
    given, received, document = (each.strip() for each in paper)
    if not (given and received and document):
        raise BadInput("HANDOVER_SIGNATURES", "请填写交出人、接收人和交接单据。")
    if given == received:
        raise BadInput("HANDOVER_TWO_PEOPLE", "交出人和接收人不能是同一个人。", found=given)
    if max(len(given), len(received)) > 64 or len(document) > 100:
        raise BadInput("HANDOVER_TEXT", "姓名最多 64 个字，单据最多 100 个字。")
