"""The configuration: a tree of checked settings, and the sources that it is read from."""
