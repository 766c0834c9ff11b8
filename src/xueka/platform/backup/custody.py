"""Setting up the custodians of the backups."""

import os
from collections.abc import Sequence
from pathlib import Path

from xueka.kernel.errors import Refused
from xueka.platform.audit import services as audit
from xueka.platform.backup import configuration, seals
from xueka.platform.crypto import sealing
from xueka.platform.identity.actor import Actor


def set_up(actor: Actor, threshold: int, names: Sequence[str], folder: Path) -> list[Path]:
    """A new custody; the share of each person is written to a file of its own in `folder`, for handing over.

    Backups made before stay with those who can open them. Raises Refused if a share would be overwritten.
    """
    actor.require("city:backup:run")
    custody, shares = seals.make_custody(threshold, list(names))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = [folder / f"{place}-{Path(name).name}.txt" for place, name in enumerate(names, start=1)]
    if there := [file for file in files if file.exists()]:
        raise Refused("SHARE_EXISTS", "份额文件已经存在。", found=str(there[0]), action="请换一个空目录。")
    for file, words in zip(files, shares, strict=True):
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(words + "\n")
    sealing.write_custody(configuration.custody_file(), custody)
    detail = {"threshold": threshold, "names": list(names), "fingerprint": custody.fingerprint}
    audit.record(actor, "backup.custodians", "backup", "", detail=detail)
    return files
