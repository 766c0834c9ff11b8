"""`xueka lab …`, as people script against it."""

import json
import subprocess
import sys

import pytest

from tests.support.size import dial
from tests.unit.platform.crypto.test_card_ciphers import (
    BY_ROUNDS,
    DIVERSIFIED,
    LEVELS,
    MACS,
    MASTER,
    PUBLISHED_MACS,
    TRANSPORT,
)
from xueka.entrypoints.cli import main as command


@pytest.fixture
def lab(monkeypatch, capsys):
    """Runs `xueka lab` as the shell would; answers exit code, standard output and standard error."""
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["xueka", "lab", *words])
        with pytest.raises(SystemExit) as left:
            command.main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.mark.parametrize("alg", ["3des", "sm4"])
def test_diversify(lab, alg):
    checks = {"3des": "c87dd6", "sm4": "0fce72"}
    factors = [word for level in LEVELS for word in ("--factor", level)]
    code, out, err = lab("diversify", "--alg", alg, "--key", MASTER, *factors, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"key": DIVERSIFIED[alg][-1], "kcv": checks[alg]}


def test_the_published_diversification(lab):
    words = ("--key", "0011223344556677 8899AABBCCDDEEFF", "--factor", "1122334455667788")
    code, out, _ = lab("diversify", "--alg", "sm4", *words, "--json")
    assert (code, json.loads(out)["key"]) == (0, "5a9f65876227746d95606233700543a9")
    assert lab("diversify", "--alg", "3des", *words) == (
        0,
        "key: 496bd7a3513644533100b54e71196528\nkcv: 913d30\n",
        "",
    )


@pytest.mark.parametrize(("alg", "key", "challenge", "apdu", "expected"), PUBLISHED_MACS + MACS)
def test_mac(lab, alg, key, challenge, apdu, expected):
    code, out, _ = lab("mac", "--alg", alg, "--key", key, "--challenge", challenge, "--apdu", apdu, "--json")
    assert (code, json.loads(out)) == (0, {"mac": expected})


def test_encrypt(lab):
    def cipher(*words: str) -> str:
        code, out, _ = lab("encrypt", *words, "--json")
        assert code == 0
        return json.loads(out)["cipher"]

    body = "0DF9F0F0AAFF1122334455667788"
    expected = "7c87bc23140021b3afea67e6359ddcfe"
    assert cipher("--alg", "des", "--key", TRANSPORT, "--data", f"{body}8000") == expected
    assert cipher("--alg", "des", "--key", TRANSPORT, "--data", body, "--pad") == expected
    back = cipher("--alg", "des", "--key", TRANSPORT, "--data", "0D39F0F0AAFF1122334455667788", "--pad")
    assert back == "7e65de142f66ca41afea67e6359ddcfe"
    whole = cipher("--alg", "3des", "--key", MASTER, "--data", "1122334455667788", "--pad")
    assert whole == "e3013b7ce360adeb29c4c1428b7f5a83"  # a whole block of padding follows a whole block
    standard = "0123456789abcdeffedcba9876543210"
    assert cipher("--alg", "sm4", "--key", standard, "--data", standard) == "681edf34d206965e86b3e94f536e4246"
    times = dial(1_000, 1_000_000)
    again = cipher("--alg", "sm4", "--key", standard, "--data", standard, "--times", str(times))
    assert again == BY_ROUNDS[times]


@pytest.mark.parametrize(
    ("alg", "key", "value"),
    [
        ("3des", "404142434445464748494a4b4c4d4e4f", "8baf47"),
        ("3des", "000102030405060708090a0b0c0d0e0f", "ddada1"),
        ("sm4", "0123456789abcdeffedcba9876543210", "2677f4"),
        ("aes", MASTER * 2, "a939b8"),
    ],
)
def test_kcv(lab, alg, key, value):
    assert lab("kcv", "--alg", alg, "--key", key, "--json") == (0, json.dumps({"kcv": value}) + "\n", "")


@pytest.mark.parametrize(
    ("words", "code", "where"),
    [
        (("kcv", "--alg", "sm4", "--key", "012"), "HEX_INVALID", "--key"),
        (("kcv", "--alg", "sm4", "--key", "zz" * 16), "HEX_INVALID", "--key"),
        (("kcv", "--alg", "sm4", "--key", ""), "HEX_INVALID", "--key"),
        (("kcv", "--alg", "sm4", "--key", "٣٣" * 16), "HEX_INVALID", "--key"),
        (("kcv", "--alg", "aes", "--key", "00" * 17), "CARD_KEY_LENGTH", None),
        (("kcv", "--alg", "des", "--key", "00" * 8), "USAGE_VALUE", None),
        (("kcv", "--alg", "sm4"), "USAGE_MISSING", None),
        (("diversify", "--alg", "sm4", "--key", MASTER), "USAGE_MISSING", None),
        (("diversify", "--alg", "des", "--key", MASTER, "--factor", "00"), "USAGE_VALUE", None),
        (("diversify", "--alg", "sm4", "--key", MASTER, "--factor", "0011"), "CARD_FACTOR_LENGTH", None),
        (("diversify", "--alg", "sm4", "--key", MASTER, "--factor", "xy"), "HEX_INVALID", "--factor"),
        (("encrypt", "--alg", "sm4", "--key", MASTER, "--data", "00" * 15), "CARD_DATA_LENGTH", None),
        (
            ("mac", "--alg", "des", "--key", TRANSPORT, "--challenge", "00" * 5, "--apdu", "00"),
            "CARD_CHALLENGE_LENGTH",
            None,
        ),
        (
            ("mac", "--alg", "3des", "--key", TRANSPORT, "--challenge", "00" * 4, "--apdu", "00"),
            "CARD_KEY_LENGTH",
            None,
        ),
    ],
)
def test_refusals_are_chinese_and_wrong_usage(lab, words, code, where):
    status, out, err = lab(*words, "--json")
    error = json.loads(out)["error"]
    assert (status, error["code"], err) == (2, code, "")
    assert where is None or error["where"] == where
    status, out, err = lab(*words)
    assert (status, out) == (2, "")
    assert code in err and error["message"] in err


def test_neither_framework_nor_database_is_touched(tmp_path):
    script = (
        "import sys; from xueka.entrypoints.cli.main import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(' '.join({'django', 'psycopg', 'numpy'} & set(sys.modules)))"
    )
    words = ["lab", "kcv", "--alg", "sm4", "--key", MASTER, "--json"]
    ran = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert json.loads(ran.stdout) == {"kcv": "0ff4f5"}
    assert ran.stderr == ""
    assert list(tmp_path.iterdir()) == []
