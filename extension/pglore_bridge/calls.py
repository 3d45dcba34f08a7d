"""What PL/Python calls: embed() for vectors, host() for everything else."""

import json
from json.encoder import encode_basestring as quoted  # a str as JSON, written in C; an encoder's object costs more

from . import control
from .caller import caller, memberships
from .channel import exchange, frame
from .failure import Failure
from .trace import traceparent

GROUP_TEXTS = 256  # an array travels in groups, so that the host's queue stays short and a cancel is heard soon
GROUP_CHARACTERS = 1 << 18
TEXT_LIMIT = 1_000_000  # characters
REPORT = "Please report it, with the server's log."
BULK_TEXTS = 16  # arrays from this size on wait behind single texts
engine_us = None  # what the host's tokenizer and engine took for the last group of texts; bench/embed.py reads it
# The operator's operations: they come through lore._admin, which lore_admin alone may call. What changes something is
# never sent twice.
ADMIN_READS = ("model_sources", "all_budgets", "model_grants", "all_calls")
ADMIN_OPS = (
    *ADMIN_READS, "add_model", "drop_model", "set_default", "load_model", "unload_model", "stop",
    "set_budget", "drop_budget", "grant_model", "revoke_model",
)  # fmt: skip


def embed(plpy, inputs, model, input_type, truncate, dimensions):
    """Vectors of texts, as a row for lore._vectors.

    inputs      list of str or None, N
    truncate    whether a text longer than the window is cut to it; else it is read in windows
    dimensions  how many of the first numbers of each vector, None for all
    returns     dict: error JSON or None, vectors N pgvector literals (None for None), notice or None
    """
    reply, error = _guarded(
        _embed,
        plpy,
        inputs or [],
        {"model": model, "input_type": input_type, "truncate": truncate, "dimensions": dimensions},
    )
    return {"error": error, "vectors": reply and reply[0], "notice": reply and reply[1]}


def host(plpy, op, arguments, admin=False):
    """Any other operation of the host, as a row for lore._reply.

    arguments  JSON text of an object, passed on as it is
    admin      whether the operator's operations are allowed; no others are then
    returns    dict: error JSON or None, result JSON text or None
    """
    reply, error = _guarded(_host, plpy, op, arguments, admin)
    return {"error": error, "result": reply}


def _guarded(function, *arguments):
    """What a function returns and None, or None and its error as JSON text: nothing is raised into PL/Python."""
    try:
        return function(*arguments), None
    except Failure as failure:
        return None, json.dumps(failure.error)
    except MemoryError:
        return None, json.dumps(Failure("LO303", "the backend's memory is not enough", "Send fewer texts.").error)
    except Exception as error:
        return None, json.dumps(Failure("LO901", f"the bridge failed: {error!r}", REPORT).error)


def _embed(plpy, inputs, options):
    """Literals of the vectors, and a notice or None."""
    texts = [index for index, text in enumerate(inputs) if text is not None]
    for index in texts:
        if len(inputs[index]) > TEXT_LIMIT:
            raise Failure(
                "LO102",
                f"a text is {len(inputs[index]):,} characters, over the limit of {TEXT_LIMIT:,}",
                "Cut it with lore.chunk and embed the chunks.",
            )
    groups = list(_groups(inputs, texts))
    lane = "bulk" if len(texts) >= BULK_TEXTS else "interactive"
    vectors, long = [None] * len(inputs), []

    rest = f', "lane": "{lane}", {", ".join([f"{quoted(name)}: {_json(options[name])}" for name in options])}}}'

    def encode(number, header):
        group = ", ".join([quoted(inputs[index]) for index in groups[number]])
        return _request(number, "embed", f'{{"texts": [{group}]{rest}', header)

    def receive(number, header, body):
        global engine_us
        engine_us = header.get("engine_us")
        for index, literal in zip(groups[number], body.decode("ascii").split("\n")):  # noqa: B905  # Python 3.9
            vectors[index] = literal
        if "long" in header:
            long.append(header["long"])

    _exchange(plpy, len(groups), encode, receive)
    return vectors, _notice(long, len(texts))


def _host(plpy, op, arguments, admin):
    """The result's JSON text."""
    if admin != (op in ADMIN_OPS):
        raise Failure(
            "LO103", "this operation is not to be had here", "The functions of schema lore say what there is."
        )
    if op == "stop":
        return json.dumps(control.stop(plpy))
    replies = []

    def receive(number, header, body):
        replies.append(body.decode("utf-8"))

    again = not admin or op in ADMIN_READS
    _exchange(plpy, 1, lambda number, header: _request(number, op, arguments, header), receive, again)
    return replies[0]


def _exchange(plpy, count, encode, receive, again=True):
    """As channel.exchange, with who calls in the header; `encode` takes that too.

    A model that only some roles may use is refused with their list: the server says which of them the caller belongs
    to, and the request is sent once more with that. Nothing of it is kept: a right that is taken away is gone at once.
    """
    header = caller(plpy) + traceparent(plpy)
    try:
        exchange(plpy, count, lambda number: encode(number, header), receive, again=again)
    except Failure as failure:
        if not failure.roles:
            raise
        header += f', "member": {memberships(plpy, list(failure.roles))}'
        exchange(plpy, count, lambda number: encode(number, header), receive, again=again)


def _json(value):
    return quoted(value) if isinstance(value, str) else "null" if value is None else str(value).lower()


def _request(number, op, arguments, header):
    return frame(f'{{"id": {number}, "op": {quoted(op)}{header}, "arguments": {arguments}}}'.encode())


def _groups(inputs, texts):
    """Cut the indexes of the texts into groups of bounded count and size."""
    group, characters = [], 0
    for index in texts:
        size = len(inputs[index])
        if group and (len(group) == GROUP_TEXTS or characters + size > GROUP_CHARACTERS):
            yield group
            group, characters = [], 0
        group.append(index)
        characters += size
    if group:
        yield group


def _notice(long, count):
    """The NOTICE for texts longer than the model's window, or None."""
    if not long:
        return None
    if long[0]["texts"] is None:
        return "the model's server cuts texts longer than its window, and does not tell how many it has cut"
    longer, window = sum(entry["texts"] for entry in long), f"the model's window of {long[0]['window']} tokens"
    if long[0]["cut"]:
        return f"{longer} of {count} texts {'was' if longer == 1 else 'were'} cut to {window}"
    return (
        f"{longer} of {count} texts {'is' if longer == 1 else 'are'} longer than {window}: read in windows, "
        "whose vectors were averaged"
    )
