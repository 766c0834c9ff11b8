"""The texts that are sent. A gateway sends only texts that were registered with it, so they stand here."""

from string import Formatter

#: code → text with its values in braces; the gateway puts its signature before it.
TEMPLATES = {
    "SIGN_IN_CODE": "验证码{code}，{minutes}分钟内有效，用于家长登录。请勿告诉他人，学校不会向您索要。",
    "PHONE_ADDED": "{school}已把本号码登记为{child}的监护人手机，可用它登录家长页面。如非本人请联系学校。",
    "PHONE_REPLACED": "{school}已停用本号码查看{child}的学生卡。如非您本人要求，请联系学校。",
    "REPLACEMENT_TO_PAY": "学校已为{child}办理{what}，请在家长页面缴费{amount}，单号{number}。",
    "REPLACEMENT_ACCEPTED": "{child}的{what}已受理，单号{number}，承诺{promised}前送达。进度见家长页面。",
    "REPLACEMENT_ARRIVED": "{child}的新卡已到{place}，请按时领取。单号{number}。",
    "REPLACEMENT_POSTED": "{child}的新卡已寄出，{carrier}{waybill}。收到后请在家长页面确认。单号{number}。",
    "REPLACEMENT_SIGNED": "{child}的新卡快递已签收，新卡启用，旧卡作废。没有收到请联系学校。单号{number}。",
    "REPLACEMENT_BOUNCED": "{child}的新卡被退回：{reason}。请在家长页面核对地址或改为自取。单号{number}。",
    "REPLACEMENT_AGAIN": "{child}的新卡在寄送途中丢失，正在重新制作，不另收费。单号{number}。",
    "REPLACEMENT_STOPPED": "{child}的{what}没有办成，单号{number}：{reason}。{money}",
}
LONGEST_VALUE = 64


def fields_of(template: str) -> set[str]:
    """The names of the values that a template needs. An unknown one is a mistake in the program: KeyError."""
    return {name for _, name, _, _ in Formatter().parse(TEMPLATES[template]) if name}


def fitted(template: str, values: dict[str, str]) -> dict[str, str]:
    """The values as a gateway takes them: exactly those of the template, each within its length."""
    return {name: " ".join(values[name].split())[:LONGEST_VALUE] for name in sorted(fields_of(template))}
