"""Settings, addresses and the wiring of ports to adapters: the only package that knows all the others."""
