"""Certificates: the local authority, the running certificate, and the TLS context of a port."""
