"""What options of the scripts may say; what they may not is an error that says what they may."""

import argparse

from contenders import CONTENDERS, Contender


def positive(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number above 0")
    return int(text)


def chosen(text: str) -> list[Contender]:
    """Some of the servers, by name."""
    known = {contender.name: contender for contender in CONTENDERS}
    for name in text.split(","):
        if name not in known:
            raise argparse.ArgumentTypeError(f"`{name}` is none of {', '.join(known)}")
    return [known[name] for name in text.split(",")]
