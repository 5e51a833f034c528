"""All kinds of sentences together."""

from . import described, joined, questions, statements  # noqa: F401  (importing them registers their kinds)
from .kinds import KINDS, Sentence, finished, sentence

__all__ = ["KINDS", "Sentence", "finished", "sentence"]
