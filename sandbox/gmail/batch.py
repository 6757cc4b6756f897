"""Google's batch endpoint: up to 100 calls in one multipart/mixed request, each answered in its own part."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from sandbox.gmail.api import answer, method_name
from sandbox.google_errors import ApiError, Reply

if TYPE_CHECKING:
    from sandbox.world import World

LARGEST = 100
REQUEST_LINE = re.compile(rb"^\s*([A-Z]+) (\S+)(?: HTTP/[\d.]+)?\r?\n")


class Part(NamedTuple):
    content_id: str
    verb: str
    path: str
    query: str
    authorization: str
    body: bytes


def read_parts(content_type: str, body: bytes, authorization: str) -> list[Part]:
    """Split a batch into its calls; a part without its own Authorization header uses the batch's."""
    mail = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    if not mail.is_multipart():
        raise ApiError(400, "Failed to parse batch request, error: Missing or invalid multipart boundary.")
    parts = [read_part(part, authorization) for part in mail.get_payload() if isinstance(part, Message)]
    if len(parts) > LARGEST:
        raise ApiError(400, f"The batch request has {len(parts)} calls; the limit is {LARGEST}.")
    return parts


def read_part(part: Message, authorization: str) -> Part:
    content = part.get_payload(decode=True)
    content = content if isinstance(content, bytes) else b""
    line = REQUEST_LINE.match(content)
    if line is None:
        raise ApiError(400, "Failed to parse batch request, error: Invalid HTTP request line.")
    head, _, body = content[line.end() :].replace(b"\r\n", b"\n").partition(b"\n\n")
    headers = BytesParser().parsebytes(head + b"\n\n")
    target = re.sub(r"^https?://[^/]+", "", line[2].decode("latin-1"))
    path, _, query = target.partition("?")
    own = str(headers.get("Authorization", "")) or authorization
    return Part(str(part.get("Content-ID", "")), line[1].decode(), path, query, own, body)


async def answer_batch(world: World, content_type: str, body: bytes, authorization: str) -> Reply:
    """Answer every part side by side, each with its own fault, delay, quota cost and line in the log."""
    try:
        parts = read_parts(content_type, body, authorization)
    except ApiError as error:
        return error.reply(api="batch")
    replies = await asyncio.gather(*(answer_part(world, part) for part in parts))
    boundary = f"batch_{uuid.uuid4().hex}"
    content = b"".join(rendered(boundary, part, reply) for part, reply in zip(parts, replies, strict=True))
    content += f"--{boundary}--\r\n".encode()
    headers = [
        (b"content-type", f'multipart/mixed; boundary="{boundary}"'.encode()),
        (b"content-length", str(len(content)).encode()),
    ]
    return Reply(200, headers, content, "batch", replies[0].account if replies else "")


async def answer_part(world: World, part: Part) -> Reply:
    started = time.perf_counter()
    delay = world.faults.delay(part.path)
    if delay:
        await asyncio.sleep(delay)
    fault = world.faults.take(part.path)
    if fault is not None:
        reply = ApiError(fault.status, reason=fault.reason).reply(api=method_name(part.verb, part.path))
    else:
        reply = answer(world, part.verb, part.path, part.query, part.authorization, part.body)
    world.requests.add(
        part.verb,
        part.path,
        part.query,
        reply.status,
        api=reply.api,
        account=reply.account,
        started=started,
        batched=True,
    )
    return reply


def rendered(boundary: str, part: Part, reply: Reply) -> bytes:
    content_id = f"<response-{part.content_id.strip().removeprefix('<')}" if part.content_id else ""
    status = f"{reply.status} {HTTPStatus(reply.status).phrase}"
    lines = [f"--{boundary}", "Content-Type: application/http"]
    if content_id:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {status}"]
    lines += [f"{name.decode().title()}: {value.decode()}" for name, value in reply.headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + reply.body + b"\r\n"
