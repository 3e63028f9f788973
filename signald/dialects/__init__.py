"""Wire protocols: one module a dialect, frames on one side and messages on the other."""
