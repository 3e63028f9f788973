"""The configuration: a tree of validated settings, and the sources that it is read from."""
