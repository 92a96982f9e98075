"""Numbers for Prometheus: what the engine counts, read when asked for, and requests by route and kind of answer.

Labels are bounded: routes are templates, and of adapters' names only the first ones get a label of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.engine import Engine

#: Adapters that are counted by their names; the others are counted together.
MAX_ADAPTERS = 32
OTHERS = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The numbers of one server."""

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(EngineNumbers(engine))
        self.requests = Counter(
            "choirmaster_http_requests",
            "Requests answered, by template of the route and class of the status.",
            ("route", "method", "status"),
            registry=self.registry,
        )

    def text(self) -> bytes:
        """All numbers in Prometheus' text format."""
        return generate_latest(self.registry)


class EngineNumbers(Collector):
    """What an engine counts."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._named: dict[str, None] = {}
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        return ()  # names are known without asking an engine

    def collect(self) -> Iterator[Metric]:
        known = self.engine.statistics
        for name, about, value in (
            ("queue_depth", "Songs that wait.", known.queued),
            ("queue_limit", "Songs that may wait.", self.engine.settings.max_queue),
            ("songs_singing", "Songs in the denoising loop.", known.running),
            ("songs_decoding", "Songs being made into sound.", known.decoding),
            ("batch_rows", "Rows of the latest forward pass.", known.batch_rows),
        ):
            yield GaugeMetricFamily(f"choirmaster_{name}", about, value=value)
        buckets = [
            ("+Inf" if bound == float("inf") else str(bound), count) for bound, count in known.step_seconds_buckets
        ]
        yield HistogramMetricFamily(
            "choirmaster_step_seconds",
            "Seconds of a denoising step.",
            buckets=buckets,
            sum_value=known.step_seconds_sum,
        )
        outcomes = CounterMetricFamily("choirmaster_songs", "Songs ended, by outcome.", labels=("outcome",))
        for outcome, count in known.outcomes.items():
            outcomes.add_metric((outcome,), count)
        yield outcomes
        adapters = CounterMetricFamily(
            "choirmaster_adapter_songs", "Songs sung with an adapter; base: with none.", labels=("adapter",)
        )
        for adapter, count in self._bounded(known.adapters).items():
            adapters.add_metric((adapter,), count)
        yield adapters

    def _bounded(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Counts of the first names seen, which keep their label for good, and of all others together."""
        bounded: dict[str, int] = {}
        with self._lock:
            for name, count in counts.items():
                if name not in self._named and len(self._named) < MAX_ADAPTERS:
                    self._named[name] = None
                label = name if name in self._named else OTHERS
                bounded[label] = bounded.get(label, 0) + count
        return bounded


class RequestCounter:
    """Counts requests, whoever answers them; ``routes``: the templates that get a label of their own."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: frozenset[str]) -> None:
        self.app, self.metrics, self.routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 499  # where no answer is begun: the client went away

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_counted)
        except Exception:
            status = 500
            raise
        finally:
            route = getattr(scope.get("route"), "path", None)
            method = scope["method"] if scope["method"] in _METHODS else OTHERS
            named = route if route in self.routes else OTHERS
            self.metrics.requests.labels(named, method, f"{status // 100}xx").inc()
