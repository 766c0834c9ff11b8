"""What every counterpart lets a test and a simulated city do with it: clock, dial, notices to fetch."""

import base64
import json
import re
from typing import Any

from xueka.sandbox.common.dial import Clock, Dial
from xueka.sandbox.common.http import Answer, Request, allowed, json_answer
from xueka.sandbox.common.notices import Notices


class Control:
    """`answer` says None to what it does not know: the counterpart's own control goes on."""

    def __init__(
        self, clock: Clock, dial: Dial, notices: Notices | None, token: str, *, binary: bool = False
    ) -> None:
        """`binary`: answers to notices come in base64."""
        self._clock, self._dial, self._notices, self._token = clock, dial, notices, token
        self._binary = binary

    def denied(self, request: Request) -> Answer | None:
        if allowed(request, self._token):
            return None
        return json_answer({"code": "TOKEN_WRONG", "message": "缺少控制口令"}, 401)

    def answer(self, request: Request) -> Answer | None:
        match request.method, request.path:
            case "POST", "/_sim/clock":
                self._clock.set(body(request).get("now"))
                return json_answer({"now": self._clock.now().isoformat()})
            case "PUT", "/_sim/dial":
                return json_answer(self._dial.turn(body(request)))
            case "GET", "/_sim/faults":
                return json_answer(self._dial.recorded())
        return self._notice(request, self._notices) if self._notices else None

    def _notice(self, request: Request, notices: Notices) -> Answer | None:
        match request.method, request.path:
            case "GET", "/_sim/notices":
                taken = notices.take(all=request.query.get("all") == "1")
                return json_answer(
                    [
                        {
                            "id": row["id"],
                            "channel": row["channel"],
                            "url": letter.url,
                            "headers": letter.headers,
                            "body": base64.b64encode(letter.body).decode(),
                            "tries": row["tries"] + 1,
                            "due": row["due"],
                        }
                        for row, letter in taken
                    ]
                )
            case "GET", "/_sim/told":
                return json_answer(notices.counts())
            case "POST", "/_sim/deliver":
                sent, accepted = notices.deliver()
                return json_answer({"sent": sent, "accepted": accepted})
        found = re.fullmatch(r"/_sim/notices/(.+)", request.path)
        if request.method == "POST" and found:
            value = body(request)
            text = str(value.get("body", ""))
            said = base64.b64decode(text) if self._binary else text.encode()
            try:
                good = notices.answered(found[1], int(value.get("status", 200)), said)
            except LookupError:
                return json_answer({"code": "NOT_FOUND", "message": "没有这个通知"}, 404)
            return json_answer({"accepted": good})
        return None


def body(request: Request) -> dict[str, Any]:
    """Raises ValueError when it is no object."""
    value = json.loads(request.body or b"{}")
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value
