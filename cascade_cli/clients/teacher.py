"""The teacher's call: a system prompt and several events at once; where it fails, one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cascade_cli.clients.answers import Reply, align_events
from cascade_cli.clients.calling import Caller
from cascade_cli.clients.failures import UNREADABLE, CallFailed

Said = dict[str, object] | CallFailed
"""What came of one event: its extraction, or why there is none."""


@dataclass(frozen=True, slots=True)
class TeacherClient:
    """Asks a teacher.

    Attributes:
        caller: sends the requests.
        system_prompt: of every call.
        max_tokens: of an answer about one event; a call about n may have n times as many. None leaves it to the
            endpoint.
        answered: told of every answer, whatever it is worth.
    """

    caller: Caller
    system_prompt: str
    max_tokens: int | None = None
    answered: Callable[[Reply], object] = lambda _reply: None

    async def ask(self, blocks: Sequence[str], event_ids: Sequence[str]) -> list[Said]:
        """Ask about several events, one call for all of them.

        A failed call is repeated event by event, so that one that always fails costs the others nothing. An answer
        that leaves some events out loses only those, which are then asked about alone.

        Args:
            blocks: their event blocks, numbered from 0 as :func:`~cascade_cli.event_block.event_block` does.
            event_ids: of the same length.

        Returns:
            What came of each, in their order. Where the endpoint went away only between two calls, what was answered
            before stays, and the rest has the failure that says so, whose kind is an outage or fatal.

        Raises:
            CallFailed: the first call found that the endpoint is away, or that nothing can succeed before somebody
                changes the configuration: that says nothing of any event.
        """
        said = await self._together(blocks, event_ids)
        if len(blocks) == 1:
            return said
        away: CallFailed | None = None
        for place, each in enumerate(said):
            if not isinstance(each, CallFailed):
                continue
            try:
                said[place] = away or (await self._together([blocks[place]], [event_ids[place]]))[0]
            except CallFailed as failure:
                said[place] = away = failure
        return said

    async def _together(self, blocks: Sequence[str], event_ids: Sequence[str]) -> list[Said]:
        try:
            reply = await self.caller.call(self._body(blocks), event_ids[0] if len(event_ids) == 1 else None)
        except CallFailed as failure:
            if failure.kind.outage or failure.kind.fatal:
                raise
            return [failure] * len(blocks)
        self.answered(reply)
        absent = CallFailed(UNREADABLE, "the teacher's answer leaves this event out")
        return [absent if found is None else found for found in align_events(reply.text or "", len(blocks))]

    def _body(self, blocks: Sequence[str]) -> bytes:
        body: dict[str, object] = {
            "model": self.caller.endpoint.model,
            "messages": [
                {"role": "system", "content": self.system_prompt},
                {"role": "user", "content": "\n\n".join(blocks)},
            ],
            "temperature": 0,
        }
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens * len(blocks)
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
