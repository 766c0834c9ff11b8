"""What may be done to a school year, as rules and tables."""
