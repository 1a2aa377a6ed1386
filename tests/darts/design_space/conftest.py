"""Property tests here build modules: how long an example takes says nothing."""

from hypothesis import settings

settings.register_profile("design_space", deadline=None, derandomize=True)
settings.load_profile("design_space")
