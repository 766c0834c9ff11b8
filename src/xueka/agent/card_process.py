"""`python -m xueka.agent.card_process`: the part that calls PC/SC and may be killed in the middle of a call.

`work READER` carries out runs: one JSON object a line on standard input, one on standard output. `watch
READER …` says what the readers show, when it changes and every other second. Either leaves when the service
of the readers is gone: a new process is the only one that surely has no stale handle.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from smartcard import scard

PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
PATIENCE = 3.0  # seconds, while another program holds the card, or none lies there yet
HEARTBEAT = 2.0
PARENT = os.getppid()
GET_RESPONSE = (0x00, 0xC0, 0x00, 0x00)
#: The card is away, or as good as: the reader itself may still be there.
CARD_GONE = {
    code & 0xFFFFFFFF
    for code in (
        scard.SCARD_E_NO_SMARTCARD,
        scard.SCARD_E_NOT_TRANSACTED,
        scard.SCARD_E_PROTO_MISMATCH,
        scard.SCARD_E_COMM_DATA_LOST,
        scard.SCARD_W_REMOVED_CARD,
        scard.SCARD_W_RESET_CARD,
        scard.SCARD_W_UNPOWERED_CARD,
        scard.SCARD_W_UNRESPONSIVE_CARD,
        scard.SCARD_W_UNSUPPORTED_CARD,
    )
}
#: Before the first command: who works there lets go, or the card is just being laid down. What the server
#: knew of the reader is as old as its last report.
WAITED_FOR = {
    code & 0xFFFFFFFF
    for code in (
        scard.SCARD_E_SHARING_VIOLATION,
        scard.SCARD_E_NO_SMARTCARD,
        scard.SCARD_W_REMOVED_CARD,
        scard.SCARD_W_UNPOWERED_CARD,
    )
}
#: Nothing to do with the readers' service: no need for a new process.
NO_READER = {code & 0xFFFFFFFF for code in (scard.SCARD_E_UNKNOWN_READER, scard.SCARD_E_READER_UNAVAILABLE)}


class CardError(Exception):
    """A call into PC/SC failed; `code` is its result, unsigned."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code & 0xFFFFFFFF:08x}")
        self.code = code & 0xFFFFFFFF


def _checked(result: Any) -> Any:
    """The value of a call, or CardError."""
    code, *values = result if isinstance(result, (list, tuple)) else [result]
    if code != scard.SCARD_S_SUCCESS:
        raise CardError(code)
    return values[0] if len(values) == 1 else values


def establish() -> Any:
    return _checked(scard.SCardEstablishContext(scard.SCARD_SCOPE_USER))


def list_readers(context: Any) -> list[str]:
    code, *found = scard.SCardListReaders(context, [])
    if code & 0xFFFFFFFF == scard.SCARD_E_NO_READERS_AVAILABLE & 0xFFFFFFFF:
        return []
    if code != scard.SCARD_S_SUCCESS:
        raise CardError(code)
    return list(found[0])


def resolve(wanted: str, listed: Sequence[str]) -> str | None:
    """The reader of this name, or the first that has it in its name: the numbers change with the port."""
    if wanted in listed:
        return wanted
    return next((name for name in listed if wanted.lower() in name.lower()), None)


class Hand:
    """Holds the card of one session, exclusively, until it is told to let go."""

    def __init__(self, reader: str) -> None:
        self._wanted = reader
        self._context: Any = None
        self._card: Any = None
        self._protocol = 0
        self._session = ""
        self.lost = False  # the service is gone: this process is of no more use

    def run(self, order: dict[str, Any]) -> dict[str, str]:
        """Carry the commands out, each answer into the journal as it comes; outcome and answer to reset."""
        atr, outcome = "", "done"
        journal = os.open(order["journal"], os.O_WRONLY | os.O_APPEND)
        try:
            if order["reset"]:
                atr = self._reset(order["session"])
            elif self._card is None or self._session != order["session"]:
                return {"outcome": "interrupted", "atr": ""}  # what the run builds upon is lost
            for command in order["commands"]:
                if os.getppid() != PARENT:  # killed: whoever comes after it counts on nothing more being sent
                    sys.exit()
                begin = time.perf_counter()
                data, word = self._send(list(bytes.fromhex(command["apdu"])))
                took = round((time.perf_counter() - begin) * 1000)
                line = f'{{"data":"{data.hex()}","sw":"{word}","ms":{took}}}\n'
                os.write(journal, line.encode())
                if not expected(word, command["expect"]):
                    outcome = "stopped"
                    break
        except CardError as error:
            outcome = self._what_happened(error)
        finally:
            os.close(journal)
        return {"outcome": outcome, "atr": atr}

    def release(self) -> None:
        """Let the card go without power, so that nobody finds it open."""
        card, self._card, self._session = self._card, None, ""
        if card is not None:
            scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD)

    def _reset(self, session: str) -> str:
        if self._card is None:
            self._connect()
        mode = scard.SCARD_SHARE_EXCLUSIVE
        self._protocol = _checked(scard.SCardReconnect(self._card, mode, PROTOCOLS, scard.SCARD_UNPOWER_CARD))
        self._session = session
        *_, atr = _checked(scard.SCardStatus(self._card))
        return bytes(atr).hex()

    def _connect(self) -> None:
        if self._context is None:
            self._context = establish()
        name = resolve(self._wanted, list_readers(self._context))
        if name is None:
            raise CardError(scard.SCARD_E_UNKNOWN_READER)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                self._card, self._protocol = _checked(
                    scard.SCardConnect(self._context, name, scard.SCARD_SHARE_EXCLUSIVE, PROTOCOLS)
                )
                return
            except CardError as error:
                if error.code not in WAITED_FOR or time.monotonic() > until:
                    raise
            time.sleep(0.1)

    def _send(self, apdu: list[int]) -> tuple[bytes, str]:
        """Data and status word; what T=0 leaves to be fetched is fetched."""
        if self._protocol != scard.SCARD_PROTOCOL_T0:
            answer = self._transmit(apdu)
            return bytes(answer[:-2]), bytes(answer[-2:]).hex()
        if len(apdu) > 5 and len(apdu) == 6 + apdu[4]:
            apdu = apdu[:-1]  # T=0 has no place for Le beside data
        answer = self._transmit(apdu)
        if answer[-2] == 0x6C and len(apdu) <= 5:
            answer = self._transmit([*apdu[:4], answer[-1]])
        data = answer[:-2]
        while answer[-2] == 0x61:
            answer = self._transmit([*GET_RESPONSE, answer[-1]])
            data += answer[:-2]
        return bytes(data), bytes(answer[-2:]).hex()

    def _transmit(self, apdu: list[int]) -> list[int]:
        kind = scard.SCARD_PCI_T0 if self._protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
        answer: list[int] = _checked(scard.SCardTransmit(self._card, kind, apdu))
        if len(answer) < 2:
            raise CardError(scard.SCARD_E_COMM_DATA_LOST)
        return answer

    def _what_happened(self, error: CardError) -> str:
        """Pulled, if the reader is still there; then nothing of the connection is of use."""
        self.release()
        if error.code in NO_READER:
            return "reader_gone"
        if error.code in CARD_GONE:
            try:
                there = resolve(self._wanted, list_readers(establish()))
            except CardError:
                there = None
            if there:
                return "pulled"
        self.lost = True
        return "reader_gone"


def expected(word: str, wanted: Sequence[str]) -> bool:
    """`?` stands for any digit."""
    return any(
        len(word) == len(each) and all(b in {"?", a} for a, b in zip(word, each, strict=True))
        for each in wanted
    )


def work(reader: str) -> None:
    hand = Hand(reader)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "release":
            hand.release()
            continue
        _say(hand.run(order))
        if hand.lost:
            return


def watch(wanted: Sequence[str]) -> None:
    """Until the service goes: `{name: [state, atr], …}`. All are gone as long as there has been none."""
    context = None
    while context is None and os.getppid() == PARENT:
        try:
            context = establish()
        except CardError:
            _say({name: _shown(None) for name in wanted})
            time.sleep(HEARTBEAT / 2)
    if context is None:
        return
    said, at = "", 0.0
    known: dict[str, int] = {}
    while os.getppid() == PARENT:
        listed = list_readers(context)
        names = {each: resolve(each, listed) for each in wanted}
        there = [name for name in dict.fromkeys(names.values()) if name]
        found: dict[str, tuple[int, list[int]]] = {}
        if there:
            asked = [(name, known.get(name, scard.SCARD_STATE_UNAWARE)) for name in there]
            code, states = scard.SCardGetStatusChange(context, 400, asked)
            if code & 0xFFFFFFFF not in {0, scard.SCARD_E_TIMEOUT & 0xFFFFFFFF} | NO_READER:
                raise CardError(code)
            found = {name: (event, atr) for name, event, atr in states}
        else:
            time.sleep(0.4)
        known = {name: event & ~scard.SCARD_STATE_CHANGED for name, (event, _) in found.items()}
        shown = {each: _shown(found.get(name or "")) for each, name in names.items()}
        text = json.dumps(shown)
        if text != said or time.monotonic() > at + HEARTBEAT:
            _say(shown)
            said, at = text, time.monotonic()


def _shown(found: tuple[int, list[int]] | None) -> tuple[str, str]:
    if found is None or found[0] & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
        return "gone", ""
    event, atr = found
    if event & scard.SCARD_STATE_MUTE:
        return "mute", ""
    if event & scard.SCARD_STATE_PRESENT:
        return ("card", bytes(atr).hex()) if atr else ("mute", "")
    return "empty", ""


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    try:
        if sys.argv[1] == "list":
            _say(list_readers(establish()))
        elif sys.argv[1] == "watch":
            watch(sys.argv[2:])
        else:
            work(sys.argv[2])
    except CardError as error:
        sys.exit(f"pcsc {error}")
    except (BrokenPipeError, KeyboardInterrupt):
        pass


if __name__ == "__main__":
    main()
