"""Addresses, origins, proxies and files: small rules of the network and the file system."""
