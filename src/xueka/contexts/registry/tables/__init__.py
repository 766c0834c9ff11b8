"""Tables that people send: what kind of file it is, in which encoding, and which column is which."""
