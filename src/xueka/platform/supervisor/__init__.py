"""Child processes under one supervisor: started together, restarted when they die, stopped together."""
