"""The statement files of the channels, read as strangers' files (docs/interfaces/statements.md)."""
