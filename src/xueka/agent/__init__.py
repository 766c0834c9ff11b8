"""The issuing agent of a counter PC: needs none of the server's parts and imports none."""

VERSION = "0.1.0"
