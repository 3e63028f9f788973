"""The unit tests, which share one profile of hypothesis.

A deadline for each example fails on a machine that has other things to do, so that there is none. The variable with
which nothing may be skipped marks the runs that decide over a change: two of them try the same examples.
"""

import os

from hypothesis import settings

settings.register_profile("signald", deadline=None, derandomize=os.environ.get("TEST_REQUIRE_ALL") == "1")
settings.load_profile("signald")
