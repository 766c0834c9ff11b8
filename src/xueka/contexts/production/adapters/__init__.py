"""What lies outside: the bureau's file server and the keys on our side of it."""
