"""The audit chain: sealing it, accepting a head after a restore, verifying it."""

from xueka.platform.audit.sealing import adopt, seal
from xueka.platform.audit.verification import ChainReport, verify

__all__ = ["ChainReport", "adopt", "seal", "verify"]
