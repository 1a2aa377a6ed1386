"""Property tests of models build modules, so the duration of an example is not checked."""

from hypothesis import settings

settings.register_profile("models", deadline=None, derandomize=True)
settings.load_profile("models")
