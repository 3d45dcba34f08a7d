"""Plain: the text of a document as a language model is given it: it ends no tag and opens no turn.

What is broken is broken by one character more, so that a reader still sees what the document says.
"""

import re
from collections.abc import Mapping

# What the chat templates of current models take for the end or the beginning of a turn, a tool call or a text: a server
# elsewhere may read these words as control tokens wherever they stand. A model that runs here breaks its own as well.
_CONTROL = re.compile(
    r"<(?=[|\uff5c])(?=[^<>\n]{1,80}[|\uff5c]>)"  # <|im_start|>, and DeepSeek's with its wide bars
    r"|<(?=/?(?:s|bos|eos|pad|unk|mask|think|thinking|tool_call|tool_calls|tool_response|function_call|start_of_turn"
    r"|end_of_turn|start_of_image|end_of_image|start_of_audio|extra_id_\d{1,3}|unused\d{1,4}|reserved_\d{1,4}"
    r"|system|user|assistant|human)>)"
    r"|<(?=/?SYS>>)|(?<=<)<(?=/?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|PREFIX|SUFFIX|MIDDLE|THINK|ARGS"
    r"|CALL_ID)\])",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(?=\s*/?\s*source)", re.IGNORECASE)
# Characters that nobody sees, with which a text says more to a model than to its reader: Unicode's tags, what turns the
# direction of writing, the signs for nothing at all.
_UNSEEN = re.compile("[\U000e0000-\U000e007f\u200b\u2060-\u2064\u202a-\u202e\u2066-\u2069\ufeff\u00ad\x00]")

# [1], [1, 2], [^1], [source 1], and the wide brackets of some models.
MARK = re.compile(
    r"[\[\u3010]\s*(?:sources?\s*|\^|#)?\d+(?:\s*[,;&]\s*(?:\^|#)?\d+)*\s*(?:\u2020[^\[\u3010\]\u3011\n]{0,40})?[\]\u3011]",
    re.IGNORECASE,
)


def plain(text: str) -> str:
    """A text without unseen characters, with words of control broken by a space and tags of sources by a backslash."""
    text = _UNSEEN.sub("", text)
    return _TAG.sub(r"<\\", _CONTROL.sub(lambda found: f"{found[0]} ", text))


def said(turn: Mapping) -> str:
    """A message of a conversation as a language model reads it: an answer without its marks, whose sources are gone."""
    text = MARK.sub("", turn["content"]) if turn["role"] == "assistant" else turn["content"]
    return plain(text)
