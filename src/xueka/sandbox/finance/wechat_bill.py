"""WeChat's non-tax statement of what was paid here by WeChat (nontax.md §10)."""

import json
import secrets
from datetime import date, datetime, time, timedelta

from xueka.sandbox.common.dial import BEIJING
from xueka.sandbox.common.http import Answer, Request, json_answer
from xueka.sandbox.finance.office import Office, yuan

APPID, MCH_ID = "wx8888888888888888", "1900000110"
HEAD = (
    "交易时间,公众账号ID,商户号,子商户号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,企业红包金额,"
    "微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,手续费,费率,行政区划代码,"
    "缴费通知书编号(或平台订单号),执收单位编码,通知书类型,银行ID"
)
TOTALS = "总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额"
TROUBLES = ("row_missing", "row_extra", "row_twice", "amount_altered", "totals_wrong")
LATE_TIMES = 3


class WeChatBill:
    def __init__(self, office: Office, secret: str, agency: str, division: str) -> None:
        self._office, self._secret, self._agency, self._division = office, secret, agency, division

    def token(self, request: Request) -> Answer:
        query = request.query
        if (query.get("appid"), query.get("secret")) != (APPID, self._secret):
            return json_answer({"errcode": 40001, "errmsg": "invalid credential"})
        token = secrets.token_urlsafe(32)
        ends = (self._office.clock.now() + timedelta(seconds=7200)).isoformat()
        self._office.store.put(f"access.{token}", ends)
        return json_answer({"access_token": token, "expires_in": 7200})

    def download(self, request: Request) -> Answer:
        ends = self._office.store.get(f"access.{request.query.get('access_token', '')}")
        now = self._office.clock.now()
        if not ends or now > datetime.fromisoformat(ends):
            return json_answer({"errcode": 40001, "errmsg": "invalid credential"})
        try:
            value = json.loads(request.body)
            day = datetime.strptime(value["bill_date"], "%Y%m%d").date()  # noqa: DTZ007 - a date
            if (value["appid"], value["mch_id"]) != (APPID, MCH_ID):
                raise ValueError
        except (ValueError, KeyError, TypeError):
            return json_answer({"errcode": 47001, "errmsg": "data format error"})
        return self._issued(day, now)

    def _issued(self, day: date, now: datetime) -> Answer:
        store, dial = self._office.store, self._office.dial
        kept = store.one("select content from statement where day = ?", day.isoformat())
        content = bytes(kept["content"]) if kept else b""
        if not content:
            late = dial.strikes("statement_late", f"nontax/{day}")
            if now < datetime.combine(day + timedelta(days=1), time(6), BEIJING):
                return json_answer({"errcode": 89504, "errmsg": "bill is not ready"})
            content = self.written(day, spoilt=True)
            if not content:
                return json_answer({"errcode": 89503, "errmsg": "no bill exist"})
            if late and store.number(f"late.{day}") <= LATE_TIMES:
                dial.record("statement_late", "nontax", day.isoformat())
                return json_answer({"errcode": 89504, "errmsg": "bill is not ready"})
            store.run("insert or ignore into statement values (?, ?)", day.isoformat(), content)
        return Answer(200, content, {"Content-Type": "text/plain; charset=utf-8"})

    def written(self, day: date, *, spoilt: bool = False) -> bytes:
        """The file, right or as the dial spoils it; empty when nothing was paid by WeChat."""
        found = [dict(each) for each in self._office.of_day(day.isoformat()) if each["mode"] == "04"]
        if not found:
            return b""
        dial, trouble = self._office.dial, ""
        if spoilt and dial.strikes("statement_wrong", f"nontax/{day}"):
            trouble = dial.choice("statement_trouble", f"nontax/{day}", TROUBLES)
            at = int(dial.throw("statement_row", day) * len(found))
            struck = found[at]
            dial.record("statement_wrong", "nontax", day.isoformat(), f"{trouble} {struck['code']}")
            match trouble:
                case "row_missing":
                    del found[at]
                case "row_twice":
                    found.insert(at, struck)
                case "amount_altered":
                    found[at] = {**struck, "fen": struck["fen"] + 100}
                case "row_extra":
                    extra = {"channel_id": f"{struck['channel_id'][:-4]}9999", "code": f"{'9' * 20}"}
                    found.append({**struck, **extra})
        lines = [HEAD, *(self._line(each) for each in found)]
        total = sum(each["fen"] for each in found) + (100 if trouble == "totals_wrong" else 0)
        lines += [
            TOTALS,
            ",".join(f"`{each}" for each in (len(found), yuan(total), "0.00", "0.00", "0.00000")),
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def _line(self, each: dict[str, object]) -> str:
        code = str(each["code"])
        bill = self._office.bill(code)
        item = str(bill["item"]) if bill else "不明"
        fields = [str(each["at"])[:19].replace("T", " "), APPID, MCH_ID, "0", each["channel_id"], code]
        fields += ["", "NONTAX", "SUCCESS", "OTHERS", "CNY", yuan(int(str(each["fen"]))), "0.00"]
        fields += ["0", "0", "0.00", "0.00", "", "", item.replace(",", "，"), "0.00000", "0.00%"]
        fields += [self._division, code, self._agency, "1", "105"]
        return ",".join(f"`{field}" for field in fields)
