"""Background work: sweeps that finish what was left, on Procrastinate (docs/adr/0060)."""
