"""What a district does: see who is late, review, confirm transfers."""
