"""Administrative codes of Beijing's districts (GB/T 2260, domain facts §1.4)."""

DISTRICTS = {
    "110101": "东城区",
    "110102": "西城区",
    "110105": "朝阳区",
    "110106": "丰台区",
    "110107": "石景山区",
    "110108": "海淀区",
    "110109": "门头沟区",
    "110111": "房山区",
    "110112": "通州区",
    "110113": "顺义区",
    "110114": "昌平区",
    "110115": "大兴区",
    "110116": "怀柔区",
    "110117": "平谷区",
    "110118": "密云区",
    "110119": "延庆区",
}
"""The sixteen districts of today, in the order of their codes."""

RETIRED_DISTRICTS = {
    "110103": ("崇文区", "110101"),
    "110104": ("宣武区", "110102"),
    "110228": ("密云县", "110118"),
    "110229": ("延庆县", "110119"),
}
"""Codes that live on in identity numbers and on old cards: former name, code of the district of today."""


def present_district(code: str) -> str | None:
    """The district of today that `code` belongs to; None outside Beijing's districts."""
    if code in DISTRICTS:
        return code
    return RETIRED_DISTRICTS[code][1] if code in RETIRED_DISTRICTS else None
