"""Errors a person can act on: each message names the value, the limit and the remedy."""

from __future__ import annotations


class ChoirmasterError(Exception):
    """Base of every error this project raises on purpose; its text is fit to show to a user as it is."""


class AdapterError(ChoirmasterError):
    """An adapter, a composition of adapters or the shelf they stand on cannot be used as asked."""


class NoSuchAdapter(AdapterError):
    """The shelf holds no adapter of this name."""


class NameTaken(AdapterError):
    """Another adapter on the shelf has this name."""


class PickleRefused(AdapterError):
    """A file of weights is a pickle, which can run any code when it is read."""
