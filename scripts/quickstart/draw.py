"""Seeded choices, and a record of the word combinations that a sentence uses."""

import random


class Draw:
    """Chooses; notes which adjective stood with which noun and which verb with which object.

    Only `random.random` is used: its sequence is the same in all versions of Python.
    """

    def __init__(self, seed):
        self._random = random.Random(seed).random
        self.combinations = set()

    def chance(self, probability):
        return self._random() < probability

    def pick(self, options):
        return options[int(self._random() * len(options))]

    def between(self, low, high):
        """A whole number, both ends included."""
        return low + int(self._random() * (high - low + 1))

    def weighted(self, weights):
        """A key of a dictionary, by its weight."""
        left = self._random() * sum(weights.values())
        for option, weight in weights.items():
            left -= weight
            if left < 0:
                return option
        return option

    def note(self, *combination):
        self.combinations.add(combination)

    def maybe(self, option, probability):
        """The option or None."""
        return option if self.chance(probability) else None
