"""The command line: the options and the commands `signald NAME`."""
