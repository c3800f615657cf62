"""The student's call: one event, one user turn, no system prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from cascade_cli.clients.answers import Reply
from cascade_cli.clients.calling import Caller


@dataclass(frozen=True, slots=True)
class StudentRequest:
    """What a request to a student holds beside the event.

    Attributes:
        model: the student's name.
        max_tokens: of an answer.
        temperature: of the samples after the first answer, which is always the likeliest one.
        logprobs: whether to ask for the tokens' probabilities.
    """

    model: str
    max_tokens: int = 768
    temperature: float = 0.7
    logprobs: bool = False

    def body(self, event_id: str, prompt: str, sample_index: int = 0) -> dict[str, object]:
        """What is sent about one event; of a further sample the seed depends on event and index alone."""
        body: dict[str, object] = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": self.temperature if sample_index else 0,
            "max_tokens": self.max_tokens,
        }
        if sample_index:
            body["seed"] = int(sha256(f"{event_id}:{sample_index}".encode("utf-8", "replace")).hexdigest()[:7], 16)
        return body | ({"logprobs": True, "top_logprobs": 2} if self.logprobs else {})


@dataclass(frozen=True, slots=True)
class StudentClient:
    """Asks a student.

    Attributes:
        caller: sends the requests.
        request: what each of them holds.
    """

    caller: Caller
    request: StudentRequest

    async def ask(self, event_id: str, prompt: str, sample_index: int = 0) -> Reply:
        """Ask about one event.

        Args:
            event_id: travels in a header.
            prompt: the event block.
            sample_index: 0 for the answer that counts, 1.. for others that show how sure the student is.

        Raises:
            CallFailed: there is no answer.
        """
        body = json.dumps(self.request.body(event_id, prompt, sample_index), ensure_ascii=False)
        return await self.caller.call(body.encode("utf-8", "replace"), event_id)
