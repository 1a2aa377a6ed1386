"""Property tests here build modules: how long an example takes says nothing."""

from hypothesis import settings

settings.register_profile("mobile", deadline=None, derandomize=True)
settings.load_profile("mobile")
