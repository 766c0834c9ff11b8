"""What `zipfile` raises for an archive that a stranger made: broken, encrypted, or lying about itself."""

import lzma
import struct
import zipfile
import zlib

#: Encrypted members raise RuntimeError, unknown methods NotImplementedError, names in no code ValueError.
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
