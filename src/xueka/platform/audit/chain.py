"""The audit chain: sealing it, accepting a head after a restore, verifying it."""

from xueka.platform.audit.sealing import adopt, seal
from xueka.platform.audit.verification import ChainReport, ChainStatus, status, verify

__all__ = ["ChainReport", "ChainStatus", "adopt", "seal", "status", "verify"]
