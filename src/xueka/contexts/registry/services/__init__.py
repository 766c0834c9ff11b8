"""What may be done to students besides importing them."""
