"""Examples in docstrings as blocks of code: markdown would take `>>>` for nested quotations."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

_EXAMPLE = re.compile(r"(?m)^(>>> .*(?:\n(?!\s*$).*)*)")
_DIRECTIVE = re.compile(r"[ \t]+# doctest:.*")


def fenced(text: str) -> str:
    """A docstring whose examples are fenced.

    >>> fenced("Add.\\n\\n>>> 1 + 1\\n2\\n").splitlines()
    ['Add.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    return _EXAMPLE.sub(lambda match: f"```pycon\n{_DIRECTIVE.sub('', match[1])}\n```", text)


class DoctestBlocks(Extension):
    """Fence the examples of every docstring."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Change the docstring of an object that was read."""
        if obj.docstring is not None and ">>>" in obj.docstring.value:
            obj.docstring.value = fenced(obj.docstring.value)
