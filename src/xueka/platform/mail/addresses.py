"""Mail addresses as they are typed: what is taken, and how they are shown."""

import re
from email.headerregistry import Address

from xueka.kernel.errors import BadInput
from xueka.kernel.masking import mask_all

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
LONGEST = 254


def clean(typed: str) -> str:
    """The address as it goes on the wire: ASCII, the domain in lower case, an international one in its ASCII
    form. Nothing that could end a header line gets through. Raises BadInput `MAIL_ADDRESS`.
    """
    local, at, domain = typed.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii").lower() if at else ""
    except UnicodeError:
        domain = ""
    labels = domain.split(".")
    good = _LOCAL.fullmatch(local) and len(labels) > 1 and all(map(_LABEL.fullmatch, labels))
    if not good or len(local) > 64 or len(local) + len(domain) + 1 > LONGEST:
        raise BadInput(
            "MAIL_ADDRESS",
            "邮箱地址不对。" if typed.strip() else "请填写邮箱地址。",
            where="邮箱",
            found=masked(typed[:80]),
            expected="形如 name@example.cn",
            action="请核对地址；一次只填一个。",
        )
    return f"{local}@{domain}"


def masked(address: str) -> str:
    """`zhangsan@example.cn` as `z*******@example.cn`; what is no address shows nothing of itself."""
    local, at, domain = address.rpartition("@")
    if not at or not local:
        return mask_all(address)
    shown = "".join(each for each in domain if each.isprintable())
    return f"{local[0]}{'*' * (len(local) - 1)}@{shown}"


def header(address: str, name: str = "") -> Address:
    """For a header field; the name may be Chinese, and holds no control characters."""
    plain = "".join(each for each in name if each.isprintable())[:60]
    return Address(display_name=plain, addr_spec=address)
