"""Pages of single things and lists of them, the same for every role that reaches them by its scope."""
