"""Servers that signald is measured beside: bare forwarders, and products with the same job."""
