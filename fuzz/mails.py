"""Makes a mail from a seed and its number alone, so that each can be made again."""

import random

from grammar import Grammar
from mutations import Mutator


def make_mail(seed, number, seeds, addresses):
    """Return the source of a mail."""
    decide = random.Random(f"{seed}:{number}")
    if seeds and decide.random() < 0.3:
        raw = decide.choice(seeds)
    else:
        raw = Grammar(decide, addresses).mail()
    if decide.random() < 0.6:
        raw = Mutator(decide, seeds or [raw]).mutate(raw)
    return raw


def decide_way(seed, number):
    """Return the random numbers that decide how a mail comes in."""
    return random.Random(f"{seed}:{number}:way")
