"""The endpoint for Prometheus: what it answers, what it refuses, and what happens where it cannot listen."""

import http.client
import json
import socket
import threading
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pglore_host import endpoint, errors, metrics, prometheus, settings
from pglore_host.errors import HostError
from pglore_host.metrics import Metrics, Served
from pglore_host.usage import Usage

from ..ports import free_port


@pytest.fixture(scope="module")
def numbers():
    usage = Usage()
    usage.add(4, 60, 80, 0.0, 0.5)
    served = [Served("small", True, "cpu", 1000, {"interactive": 2, "bulk": 3}, usage), Served("borrower", True)]
    numbers = Metrics(lambda alias, task: "small", lambda: served)
    for error in (None, HostError(errors.HOST_BUSY, "x")):
        try:
            with numbers.observe(SimpleNamespace(op="embed", arguments={"texts": ["secret"]}, traceparent=None)):
                metrics.named("small")
                metrics.ran("interactive", 1.0, 1.002, 7, 1)
                if error:
                    raise error
        except HostError:
            pass
    return numbers


@pytest.fixture(scope="module")
def port(numbers):
    server = prometheus.start(f"127.0.0.1:{free_port()}", numbers.used)
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def ask(port, method="GET", path="/metrics", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def samples(text) -> dict:
    """Value by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_numbers_of_each_model_are_there(port):
    status, text = ask(port)
    found = samples(text)
    assert status == 200
    assert found["pglore_requests_total", "interactive", "small"] == 2
    assert found["pglore_errors_total", "LO302", "small"] == 1
    assert found["pglore_batch_padded_tokens_total", "small"] == 80
    assert found["pglore_engine_busy_seconds_total", "small"] == 0.5
    assert found["pglore_queue_texts", "bulk", "small"] == 3
    assert found["pglore_model_memory_bytes", "small"] == 1000
    assert found["pglore_request_seconds_count", "interactive", "queue", "small"] == 1
    assert found["pglore_request_seconds_sum", "interactive", "queue", "small"] == pytest.approx(0.002)
    assert found["pglore_request_seconds_bucket", "+Inf", "interactive", "small", "total"] == 1
    assert found["process_resident_memory_bytes",] > 0
    assert "secret" not in text


def test_a_host_that_hangs_is_told_as_such(numbers):
    def used():
        raise TimeoutError

    server = prometheus.start(f"127.0.0.1:{free_port()}", used)
    assert ask(server.server_address[1])[0] == 503
    server.shutdown()
    server.server_close()


def test_a_method_that_borrows_a_model_has_no_engine_of_its_own(port):
    found = samples(ask(port)[1])
    assert ("pglore_batches_total", "borrower") not in found and ("pglore_tokens_total", "borrower") in found


def test_every_metric_is_explained(port):
    text = ask(port)[1]
    own = [family for family in text_string_to_metric_families(text) if family.name.startswith("pglore_")]
    assert len(own) > 15 and all(family.documentation for family in own)


def test_the_openmetrics_format_can_be_had(port):
    assert ask(port, Accept="application/openmetrics-text; version=1.0.0")[1].endswith("# EOF\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/metrics/../x", 404), ("POST", "/metrics", 501), ("DELETE", "/metrics", 501)],
)
def test_anything_but_get_metrics_is_refused(port, method, path, status):
    assert ask(port, method, path)[0] == status


def test_clients_that_say_nothing_do_not_keep_others_out_for_long(port):
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(endpoint.CLIENTS - 1)]
    assert ask(port)[0] == 200
    more = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    assert threading.active_count() < 30
    for link in silent + more:
        link.close()


def test_a_port_in_use_is_a_line_in_the_log(port, numbers, capsys):
    assert prometheus.start(f"127.0.0.1:{port}", numbers.used) is None
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert line["event"] == "no metrics for Prometheus" and "in use" in line["reason"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("127.0.0.1:9187", ("127.0.0.1", 9187)),
        ("9187", ("127.0.0.1", 9187)),
        (":9187", ("127.0.0.1", 9187)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9187", ("::1", 9187)),
    ],
)
def test_an_address_is_the_loopback_one_unless_written_otherwise(value, found):
    assert prometheus.address(value) == found


@pytest.mark.parametrize("value", ["", "host", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "::1:80", "x:80", "1:-1"])
def test_what_is_no_address_is_refused(value):
    with pytest.raises(ValueError):
        prometheus.address(value)


@pytest.mark.parametrize(
    ("name", "value"), [("prometheus", "everywhere"), ("prometheus", 9187), ("otel", "collector:4318"), ("otel", ["x"])]
)
def test_settings_name_the_value_that_is_not_understood(tmp_path, name, value):
    path = tmp_path / "host.json"
    path.write_text(json.dumps({name: value}))
    with pytest.raises(ValueError, match=name):
        settings.load(tmp_path, path)


def test_settings_leave_both_off_unless_told(tmp_path):
    found = settings.load(tmp_path, None)
    assert (found.prometheus, found.otel) == ("", "")
