"""A model of everything around the core: clients that lose their sockets, a registry that answers late, restarts."""
