"""GET /metrics for Prometheus: the numbers of lore.host_metrics as counters, gauges and histograms.

Off unless host.json names an address; endpoint.py serves it.
"""

import ipaddress
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from . import __version__, log
from .metrics import LANES, PARTS, Requests, Served

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from .endpoint import Endpoint

OCTAVES = range(8, 27)  # bounds of the latency buckets: 2^8 us (0.26 ms) to 2^26 us (67 s)
ADDRESS = re.compile(r"((\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+))?:)?(?P<port>[0-9]{1,5})")
Used = Callable[[], list[tuple[Served, Requests]]]


def address(value: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:9187", "[::1]:9187" or "9187", where the host is the loopback address.

    raises  ValueError
    """
    found = ADDRESS.fullmatch(value)
    if not found or not 1 <= int(found["port"]) <= 65535:
        raise ValueError("not host:port with an IP address as host")
    return str(ipaddress.ip_address(found["six"] or found["four"] or "127.0.0.1")), int(found["port"])


def start(value: str, used: Used) -> "Endpoint | None":
    """Serve at an address of host.json; what stands in the way is a line in the log, not the end of the host.

    used  what Metrics.used gives; called in a thread of the server
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector

        from .endpoint import Endpoint  # here: few hosts need an HTTP server

        registry = CollectorRegistry()
        registry.register(Collector(used))
        ProcessCollector(registry=registry)
        server = Endpoint(address(value), registry)
    except (ImportError, OSError, ValueError) as error:
        log.write("no metrics for Prometheus", address=value, reason=str(error))
        return None
    threading.Thread(target=server.serve_forever, daemon=True, name="prometheus").start()
    log.write("metrics for Prometheus", address=list(server.server_address[:2]))
    return server


class Collector:
    """The host's numbers in the form of prometheus_client."""

    def __init__(self, used: Used) -> None:
        self._used = used

    def describe(self) -> list["Metric"]:
        """Nothing: the names are not asked for before the first scrape."""
        return []

    def collect(self) -> Iterable["Metric"]:
        """All metrics, each for every alias."""
        from prometheus_client.core import InfoMetricFamily

        used = self._used()
        yield InfoMetricFamily("pglore_host", "The model host.", {"version": __version__})
        info = InfoMetricFamily("pglore_model", "Where a model runs.", labels=["model"])
        for served, _ in used:
            info.add_metric([served.alias], {"device": served.device or ""})
        yield info
        yield from _requests(used)
        yield from _engines([served for served, _ in used])
        yield _latency(used)


def _requests(used: list[tuple[Served, Requests]]) -> Iterable["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    ended = CounterMetricFamily(
        "pglore_requests", "Requests that have ended, in whatever way.", labels=["model", "lane"]
    )
    failed = CounterMetricFamily(
        "pglore_errors", "Requests that failed, by code (LO302: refused as busy).", labels=["model", "code"]
    )
    cancelled = CounterMetricFamily("pglore_cancelled", "Requests whose client went away.", labels=["model"])
    texts = CounterMetricFamily("pglore_texts", "Texts of requests that were answered.", labels=["model"])
    tokens = CounterMetricFamily("pglore_tokens", "Tokens read for requests.", labels=["model"])
    last = GaugeMetricFamily("pglore_last_used_timestamp_seconds", "When the last request ended.", labels=["model"])
    for served, requests in used:
        alias = [served.alias]
        for lane in LANES:
            ended.add_metric([*alias, lane], requests.requests[lane])
        for code, count in list(requests.errors.items()):
            failed.add_metric([*alias, code], count)
        cancelled.add_metric(alias, requests.cancelled)
        texts.add_metric(alias, requests.texts)
        tokens.add_metric(alias, requests.tokens)
        last.add_metric(alias, requests.last_used_s)
    return ended, failed, cancelled, texts, tokens, last


ENGINE = (  # (attribute of Usage, name, what it is)
    ("batches", "pglore_batches", "Batches that the engine ran."),
    ("texts", "pglore_batch_texts", "Texts in them, windows of long texts each counted."),
    ("tokens", "pglore_batch_tokens", "Tokens in them, without padding."),
    ("padded_tokens", "pglore_batch_padded_tokens", "Tokens in them, with padding."),
    ("busy_s", "pglore_engine_busy_seconds", "Time that the engine ran."),
    ("loads", "pglore_model_loads", "Times that the model was loaded."),
    ("unloads", "pglore_model_unloads", "Times that the model was unloaded."),
)


def _engines(used: list[Served]) -> Iterable["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    queued = GaugeMetricFamily("pglore_queue_texts", "Texts that wait for the engine.", labels=["model", "lane"])
    memory = GaugeMetricFamily("pglore_model_memory_bytes", "Memory that loading the model took.", labels=["model"])
    for served in used:
        for lane, count in (served.queued or {}).items():
            queued.add_metric([served.alias, lane], count)
        if served.memory_bytes is not None:
            memory.add_metric([served.alias], served.memory_bytes)
    yield queued
    yield memory
    for attribute, name, what in ENGINE:
        family = CounterMetricFamily(name, what, labels=["model"])
        for served in used:
            if served.usage:
                family.add_metric([served.alias], getattr(served.usage, attribute))
        yield family


def _latency(used: list[tuple[Served, Requests]]) -> "Metric":
    from prometheus_client.core import HistogramMetricFamily
    from prometheus_client.utils import floatToGoString

    family = HistogramMetricFamily(
        "pglore_request_seconds", "Time of requests in the host, and of their parts.", labels=["model", "lane", "part"]
    )
    for served, requests in used:
        for lane in LANES:
            for name in PARTS:
                times = requests.latency[lane][name]
                if not times.sum_s:  # twenty series that say nothing
                    continue
                buckets = [(floatToGoString(bound), count) for bound, count in times.cumulative(OCTAVES)]
                family.add_metric([served.alias, lane, name], buckets, times.sum_s)
    return family
