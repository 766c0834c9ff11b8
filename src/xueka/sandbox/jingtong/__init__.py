"""The citizens' one-stop platform: sign-on, container, cashier (docs/interfaces/jingtong.md)."""
