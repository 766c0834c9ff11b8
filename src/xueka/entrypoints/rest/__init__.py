"""Doors for programs: the partner interface and that of the issuing agents. No rule lives behind them."""
