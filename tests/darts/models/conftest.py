"""Property tests here build modules: how long an example takes says nothing."""

from hypothesis import settings

settings.register_profile("models", deadline=None, derandomize=True)
settings.load_profile("models")
