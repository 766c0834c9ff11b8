"""Every component in each of its states, for those who build pages (and for the accessibility tests)."""
