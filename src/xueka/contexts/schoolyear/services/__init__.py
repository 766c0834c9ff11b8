"""Jobs of the school year: planned, agreed, carried out piece by piece, taken back."""
