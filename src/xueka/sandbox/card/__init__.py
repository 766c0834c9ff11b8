"""A smart card that nobody has to buy: a card operating system of the FMCOS family in a virtual reader.

Written from the published facts of such cards alone; it imports nothing of ours. `README.md` beside this
file says what it does, and what it assumes where the published facts are silent.
"""
