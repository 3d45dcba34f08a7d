"""Chat: messages to the ids of a prompt, by the model's own template; ids back to text.

What stands in a message cannot end it: the words of a model's control tokens are broken where a message holds them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from .. import errors
from ..errors import HostError
from ..inspection import VOCABULARY_LIMIT, refused
from .files import LanguageFiles

ROLES = ("system", "user", "assistant", "tool")
HIDDEN_ROUNDS = 4
CHARACTERS = 16 << 20  # of a conversation: far more than any window


class Chat:
    """The tokenizer of a language model, with its chat template if it has one."""

    def __init__(self, files: LanguageFiles, thinking: bool = False) -> None:
        """Raises HostError LO204 for a tokenizer that cannot be read, or is not the model's."""
        try:
            if files.tokenizer.stat().st_size > VOCABULARY_LIMIT:
                raise refused("its tokenizer.json is too large")
            self.hf: Any = AutoTokenizer.from_pretrained(
                files.tokenizer.parent, local_files_only=True, trust_remote_code=False, use_fast=True
            )
            self.raw: Tokenizer = self.hf.backend_tokenizer
        except HostError:
            raise
        except Exception as error:
            raise refused(f"its tokenizer cannot be read ({type(error).__name__})") from error
        if (highest := max(self.raw.get_vocab().values(), default=0)) >= files.config.vocabulary:
            raise refused(f"its tokenizer gives the id {highest}, and the model knows {files.config.vocabulary:,}")
        self.raw.no_truncation()
        self.raw.no_padding()
        own = self.hf.eos_token_id
        self.ends = files.ends | ({own} if own is not None else set())
        self.has_template = bool(self.hf.chat_template)
        self._thinking = thinking
        control = [token.content for token in self.hf.added_tokens_decoder.values() if len(token.content) > 1]
        words = "|".join(map(re.escape, sorted(control, key=len, reverse=True)))
        self._control = re.compile(words) if words else None
        # Those that are looked for in what the tokenizer's normaliser makes of a text: only the ids tell where.
        self._hidden = (
            {number for number, token in self.hf.added_tokens_decoder.items() if token.special and token.normalized}
            - {self.hf.unk_token_id}
            if self.raw.normalizer is not None
            else set()
        )

    def ids(self, messages: Sequence[Mapping], tools: Sequence[Mapping] = ()) -> list[int]:
        """The prompt of a conversation; blocking.

        raises  HostError LO101 where there is nothing to read, LO102, LO103 for what is no conversation
        """
        checked = [self._message(message) for message in messages]
        if not any(isinstance(text := message.get("content"), str) and text.strip() for message in checked):
            raise HostError(errors.EMPTY_INPUT, "the conversation holds no text")
        if sum(len(str(message)) for message in checked) > CHARACTERS:
            raise HostError(errors.INPUT_TOO_LONG, f"the conversation is over {CHARACTERS:,} characters")
        if not self.has_template:
            if tools:
                raise HostError(errors.BAD_ARGUMENT, "the model knows no tools: it has no chat template")
            text = "\n\n".join(message["content"] for message in checked if message.get("content"))
            return self.raw.encode(text, add_special_tokens=True).ids
        try:
            text = self._rendered(checked, tools)
        except Exception as error:  # a template may raise whatever it likes
            first = (str(error).splitlines() or [type(error).__name__])[0][:200]
            try:
                text = self._rendered(_without_system(checked), tools)
            except Exception:
                why = f"the model's chat template refuses the messages: {first}"
                raise HostError(errors.BAD_ARGUMENT, why) from error
        return self.raw.encode(text, add_special_tokens=False).ids

    def _rendered(self, messages: list[dict], tools: Sequence[Mapping]) -> str:
        return self.hf.apply_chat_template(
            messages,
            tools=[dict(tool) for tool in tools] or None,
            tokenize=False,
            add_generation_prompt=True,
            enable_thinking=self._thinking,
        )

    def _message(self, message: object) -> dict:
        if not isinstance(message, Mapping) or message.get("role") not in ROLES:
            raise HostError(
                errors.BAD_ARGUMENT,
                f'a message is like {{"role": "user", "content": "..."}}; roles: {", ".join(ROLES)}',
            )
        if message.get("content") is not None and not isinstance(message["content"], str):
            raise HostError(errors.BAD_ARGUMENT, "the content of a message must be a text")
        found = {name: self._harmless(value) for name, value in message.items()}
        if isinstance(calls := found.get("tool_calls"), list):  # as templates read them
            inner = [call if "function" in call else {"type": "function", "function": call} for call in calls]
            found["tool_calls"] = inner
        return found

    def _harmless(self, value: Any) -> Any:
        """The same with a space in each word of control, so that it is read as text."""
        if isinstance(value, str):
            text = value.encode("utf-8", "replace").decode("utf-8")
            text = self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text) if self._control else text
            return self._unhidden(text) if self._hidden else text
        if isinstance(value, Mapping):
            return {str(name): self._harmless(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._harmless(inner) for inner in value]
        return value

    def _unhidden(self, text: str) -> str:
        """The same with a space in what the normaliser makes a word of control, such as its capital letters."""
        for _ in range(HIDDEN_ROUNDS):
            found = self.raw.encode(text, add_special_tokens=False)
            starts = zip(found.ids, found.offsets, strict=True)
            places = [start for number, (start, _) in starts if number in self._hidden]
            if not places:
                return text
            for start in reversed(places):
                while text[start].isspace() and start + 1 < len(text):
                    start += 1
                text = f"{text[: start + 1]} {text[start + 1 :]}"
        raise HostError(errors.BAD_ARGUMENT, "a message holds control tokens that cannot be made plain text")

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as one of a message, where it holds no special ones."""
        plain = [self._harmless(text) for text in texts]
        return [len(found.ids) for found in self.raw.encode_batch_fast(plain, add_special_tokens=False)]


def _without_system(messages: list[dict]) -> list[dict]:
    """The system's words put before the first of the user's, for the templates that know no system."""
    system, rest = messages[0], messages[1:]
    if system["role"] != "system" or not rest or rest[0]["role"] != "user":
        raise ValueError("no system to be put elsewhere")
    return [{**rest[0], "content": f"{system.get('content')}\n\n{rest[0].get('content')}"}, *rest[1:]]
