"""The vocabulary of card profiles: what may stand where, and how the screen calls it."""

CARD_NUMBER, CHIP_UID, TRANSIT_NUMBER = "card_number", "chip_uid", "transit_number"
#: What a card key may be diversified by; "" is a key that all blanks share.
FACTORS = {CARD_NUMBER: "学生卡号", CHIP_UID: "芯片UID", TRANSIT_NUMBER: "一卡通号"}

INITIALISE, PERSONALISE = "initialise", "personalise"
STAGES = {INITIALISE: "初始化", PERSONALISE: "个人化"}

#: Key type → (type byte of FMCOS, label). `control` is the external authentication key with id 00.
KEY_TYPES = {
    "control": (0x39, "主控密钥"),
    "external": (0x39, "外部认证密钥"),
    "internal": (0x34, "内部认证密钥"),
    "maintain": (0x36, "应用维护密钥"),
    "pin_unlock": (0x37, "PIN 解锁密钥"),
    "pin_reload": (0x38, "PIN 重装密钥"),
}
#: Those whose success sets a security state, so that an access condition can ask for them.
AUTHENTICATING = ("control", "external")

ALGORITHMS = {"3des": "3DES", "sm4": "SM4"}
KEY_SIZE = 16
FAMILIES = {"fmcos": "FMCOS 系列"}

FILE_TYPES = {"binary": 0x28}
#: Of files in a partner's data map.
MAP_TYPES = {"binary": "二进制文件", "record": "记录文件", "cyclic": "循环记录文件"}
FREE, NEVER = "free", "never"

#: Where the value of a field comes from. Personal pictures and certificates only where `allows` names them.
SOURCES = {
    "constant": "固定值",
    "card_number": "学生卡号",
    "chip_uid": "芯片UID",
    "transit_number": "一卡通号",
    "beijing_tong_number": "北京通号",
    "education_id": "教育ID",
    "holder_name": "姓名",
    "school_code": "学校代码",
    "valid_from": "启用日期",
    "valid_until": "有效期至",
    "photo": "照片",
    "certificate": "证书",
}
#: In a data map: what a partner writes of its own.
PARTNER = "partner"
ONLY_IF_ALLOWED = ("photo", "certificate")
ENCODINGS = ("hex", "bcd", "ascii", "gb18030", "date")
