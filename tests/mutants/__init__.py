"""Mutation testing: small faults are put into the core and the dialects one by one, and a test has to fail for each.

mutmut 3 runs pytest alone, and cosmic-ray runs one command for every mutant and changes the checkout's files in place.
Here each mutant meets the tests that concern its module, nearest first, in a fork in which only that module differs.
"""
