"""The checks of `signald doctor`, which find faults in the daemon's surroundings and name a remedy for each fault."""
