"""Property tests in this folder build modules, so hypothesis has no deadline."""

from hypothesis import settings

settings.register_profile("design_space", deadline=None, derandomize=True)
settings.load_profile("design_space")
