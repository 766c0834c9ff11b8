"""Stable codes of what keeps a message from its end, and what people read of them."""

from xueka.kernel.masking import mask_numbers

#: Of a try; those of `FINAL` end it as a dead letter.
NO_ANSWER = "NO_ANSWER"
BUSY = "COUNTERPART_BUSY"
ERROR = "COUNTERPART_ERROR"
SIGNATURE = "SIGNATURE_REFUSED"
ADDRESS = "ADDRESS_WRONG"
GAP = "SEQUENCE_GAP"
REFUSED = "CONTENT_REFUSED"
TRIED = "TRIED_TOO_OFTEN"
FORGOTTEN = "CONTENT_FORGOTTEN"
UNREADABLE = "CONTENT_UNREADABLE"

#: Of what came.
KIND_UNKNOWN = "KIND_UNKNOWN"
BODY_WRONG = "BODY_WRONG"
FILE_MISSING = "FILE_MISSING"
HANDLER_FAILED = "HANDLER_FAILED"

WORDS = {
    NO_ANSWER: "对方没有应答",
    BUSY: "对方要求放慢",
    ERROR: "对方系统出错",
    SIGNATURE: "对方不认本系统的签名",
    ADDRESS: "对方没有这个地址",
    GAP: "对方缺少前面的消息，已从缺的那一条重发",
    REFUSED: "对方不接受内容",
    TRIED: "多次未成，停止重试",
    FORGOTTEN: "内容已过保存期，不能再发",
    UNREADABLE: "内容无法解开",
    KIND_UNKNOWN: "本系统不认识这种消息",
    BODY_WRONG: "消息的格式不对",
    FILE_MISSING: "消息所指的文件没有收到",
    HANDLER_FAILED: "本系统处理时出错",
}
#: Nothing is wrong with the message itself: the way to the counterpart is.
OF_THE_WAY = frozenset({NO_ANSWER, ERROR, SIGNATURE, ADDRESS, BUSY})


def words(code: str) -> str:
    """What a screen shows; a code of the counterpart's own handler is shown as it is."""
    return WORDS.get(code, code)


def said(told: object, most: int = 200) -> str:
    """Somebody else's words as they can be kept and shown: whole characters, and nobody's number."""
    text = str(told)[:1000].replace("\x00", "").encode("utf-8", "replace").decode()
    return mask_numbers(text)[:most]
