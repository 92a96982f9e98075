"""Ways of predicting, from a prompt's features, what each composition gains over the default.

All have one signature (:class:`router.policies.base.Policy`); ``POLICIES`` has them by name, plainest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from router.policies.base import Policy, Prediction
from router.policies.gaussian_process import GaussianProcess
from router.policies.neighbours import Neighbours
from router.policies.ridge import RidgePolicy
from router.policies.single import BestSingle

POLICIES: Mapping[str, type[Policy]] = MappingProxyType(
    {policy.name: policy for policy in (BestSingle, Neighbours, RidgePolicy, GaussianProcess)}
)

__all__ = ["POLICIES", "Policy", "Prediction"]
