"""A model of the core's surroundings: clients that lose connections, outcomes that arrive late, and restarts."""
