"""Inputs of any kind to whatever reads what others wrote: coverage-guided, and kept where one was found to do harm."""
