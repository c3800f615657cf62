"""A student and a teacher that answer at once with what stands in the prompt; the script prints its address.

`fixtures/stand_in.py` behaves as endpoints do and costs accordingly. This one reads no JSON, for what is measured
beside it has two cores.
"""

from __future__ import annotations

import asyncio
import re

SAID = re.compile(rb'\\n(\{\\"entities(?:[^"\\]+|\\[^n])*)')


def answer(question: bytes) -> bytes:
    """The body of an answer: what the prompt holds, still escaped as it was; several of it are a teacher's."""
    said = SAID.findall(question)
    # A student has one turn, a teacher is told first what to do.
    if b'"role": "system"' in question:
        told = b", ".join(b'{\\"index\\": %d, %s' % (index, each[1:]) for index, each in enumerate(said))
        text = b'{\\"events\\": [%s]}' % told
    else:
        text = said[0] if said else b"{}"
    return b'{"choices": [{"message": {"content": "%s"}}]}' % text


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, rest = self._read.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE) if end else None
        if length and len(rest) >= int(length[1]):
            self._read = b""
            body = answer(rest)
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            self._transport.write(head + body)  # type: ignore[attr-defined]


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
