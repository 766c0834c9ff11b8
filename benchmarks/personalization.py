"""Cards personalized by the agent's executor, 45 commands each, beside the bare loop over pyscard.

Both go through pcscd and a virtual reader to the same virtual card; both connect, send the script and let
the card go. Ours also keeps its journal and runs in a process that may be killed. No network on either
side.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from harness import ROOT, compare

SIZES = (100, 1000)
BLANK = {"script": ["80e0001507280400f0f0ffff", "80e00016072a1020f0f0ffff", *["00e200b420" + "00" * 32] * 4]}


def script() -> list[str]:
    """As a card is made: select, data in blocks, records, and all of it read again."""
    blocks = [f"00d6{0x9500 if not place else place * 64:04x}40{place:02x}{'5a' * 63}" for place in range(12)]
    reads = [f"00b0{place * 64:04x}40" for place in range(12)]
    records = [f"00dc{number:02x}b420{'a5' * 32}" for number in range(1, 5)]
    back = [f"00b2{number:02x}b420" for number in range(1, 5)]
    select, challenge = "00a40000023f00", "0084000008"
    found = [select, *blocks, *reads, challenge, *records, *back, select, *[challenge] * 10]
    assert len(found) == 45
    return found


def prepare(size: int) -> int:
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    return size


def ours(size: int) -> None:
    from xueka.agent.journal import Journal
    from xueka.agent.readers import Reader

    async def work(folder: Path) -> None:
        journal, reader = Journal(folder), Reader("Virtual PCD 00 00")
        commands = [{"apdu": apdu, "expect": ["9000"]} for apdu in script()]
        for number in range(size):
            run = {"run": str(number), "reset": True, "seconds": 10, "commands": commands}
            path = journal.begin_run("bench", str(number), "Virtual PCD 00 00")
            assert path is not None
            found = await reader.run("bench", run, path)
            report = journal.end_run(path, found["outcome"], found["atr"])
            if report.outcome != "done" or len(report.answers) != 45:
                raise AssertionError((report.outcome, len(report.answers)))
            journal.run_acknowledged(report)
            await reader.release()
        await reader.close()

    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as folder:
        asyncio.run(work(Path(folder)))


def floor(size: int) -> None:
    from smartcard.System import readers

    reader = readers()[0]
    commands = [list(bytes.fromhex(apdu)) for apdu in script()]
    for _ in range(size):
        connection = reader.createConnection()
        connection.connect()
        for command in commands:
            _, one, two = connection.transmit(command)
            if (one, two) != (0x90, 0x00):
                raise AssertionError(f"{one:02x}{two:02x}")
        connection.disconnect()


def main() -> None:
    from tests.support import pcsc

    if lacking := pcsc.missing():
        sys.exit("缺少：" + "、".join(lacking))
    with tempfile.TemporaryDirectory(prefix="xueka-bench-") as name:
        daemon = pcsc.Daemon(Path(name))
        daemon.start()
        try:
            with pcsc.CardProcess(daemon.port, Path(name), blank=BLANK):
                pcsc.until(_card_is_seen, "the reader sees no card")
                compare("personalization", "cards", SIZES, prepare, ours, floor)
        finally:
            daemon.stop()


def _card_is_seen() -> bool:
    from smartcard.Exceptions import CardConnectionException, NoCardException
    from smartcard.System import readers

    connection = readers()[0].createConnection()
    try:
        connection.connect()
    except (NoCardException, CardConnectionException):
        return False
    connection.disconnect()
    return True


if __name__ == "__main__":
    main()
