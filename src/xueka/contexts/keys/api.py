"""Key management, as the other contexts see it."""

from xueka.contexts.keys.ports import KeySpec, KeyStore, StoredKey

__all__ = ["KeySpec", "KeyStore", "StoredKey"]
