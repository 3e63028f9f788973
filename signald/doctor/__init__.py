"""The checks of `signald doctor`: what is wrong around the daemon, each fault with its remedy."""
