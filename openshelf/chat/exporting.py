"""A conversation as a file: Markdown and HTML to be read, JSON with everything.

What people and models wrote is hostile: in HTML all of it is text, and the page loads nothing.
"""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path

from openshelf import wording
from openshelf.chat import exporting_attachments as files
from openshelf.chat.answer_parts import split_answer
from openshelf.chat.archive import Archive, ExportForm
from openshelf.chat.conversation import Message, Role
from openshelf.durable import replace_file
from openshelf.errors import BadChatFile
from openshelf.reasons import Reason

FORMAT, VERSION = "openshelf-chat", 1
MARK = "<!-- openshelf:"
_LIKE_A_MARK = re.compile(rf"^(\\*{re.escape(MARK)})", re.MULTILINE)
_FENCE = re.compile(
    r"^(`{3,}|~{3,})(?![`~])[^\n]*\n(.*?)(?:^\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL
)
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
h2 { font-size: .8rem; opacity: .7; margin: 1.6rem 0 .3rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.user { background: color-mix(in srgb, CanvasText 7%, Canvas); border-radius: 10px;
        padding: .6rem .9rem; }
img { max-width: 100%; }
pre { border: 1px solid color-mix(in srgb, CanvasText 25%, Canvas); border-radius: 8px;
      padding: .7rem; overflow-x: auto; }
footer, details { font-size: .85rem; opacity: .75; }
"""


def write_export(archive: Archive, path: Path, form: ExportForm) -> None:
    """For its owner only. Raises BadChatFile (unwritable)."""
    match form:
        case ExportForm.JSON:
            text = as_json(archive)
        case ExportForm.HTML:
            text = as_html(archive)
        case ExportForm.MARKDOWN:
            text = as_markdown(archive)
    try:
        replace_file(path, text.encode("utf-8"), is_private=True)
    except OSError as error:
        raise BadChatFile(str(error.strerror or error), str(path), "unwritable") from error


def as_json(archive: Archive) -> str:
    """Every branch; what failed in the engine is left out, it may name files of this machine."""
    conversation = archive.conversation
    document = {
        "format": FORMAT,
        "version": VERSION,
        "title": conversation.title,
        "created_at": conversation.created_at,
        "model_id": conversation.model_id,
        "folder": archive.folder,
        "shown": archive.leaf_id,
        "messages": [_as_data(message) for message in archive.messages],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def _as_data(message: Message) -> dict[str, object]:
    return {
        "id": message.id,
        "parent": message.parent_id,
        "role": message.role.value,
        "content": message.content,
        "state": message.state.value,
        "created_at": message.created_at,
        "model_id": message.model_id,
        "figures": None if message.figures is None else dataclasses.asdict(message.figures),
        "thought_seconds": message.thought_seconds,
        "attachments": [files.as_data(one) for one in message.attachments],
    }


def as_markdown(archive: Archive) -> str:
    """The branch shown. A comment before each message lets it be read back; a line of a message
    that looks like one gets a backslash."""
    parts = [f"# {archive.conversation.title or _words('chat_export.untitled')}\n"]
    for message in archive.branch():
        whole = message.content + files.as_markdown(message.attachments)
        content = _LIKE_A_MARK.sub(r"\\\1", whole)
        who, thought = _who(message), message.thought_seconds
        mark = message.role.value
        if thought is not None:
            mark = f'{mark} thought="{thought:.1f}"'
            who = f"{who} · {_thought_for(message)}"
        parts.append(f"{MARK}{mark} -->\n**{who}**\n\n{content}\n")
    return "\n".join(parts)


def as_html(archive: Archive) -> str:
    """The branch shown, one page without scripts, that loads nothing from anywhere."""
    title = html.escape(archive.conversation.title or _words("chat_export.untitled"))
    body = "\n".join(_message_html(message) for message in archive.branch())
    note = html.escape(_words("chat_export.note"))
    return (
        "<!DOCTYPE html>\n"
        '<html><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body><h1>{title}</h1>\n{body}\n<footer><p>{note}</p></footer></body></html>\n"
    )


def _message_html(message: Message) -> str:
    thoughts, answer = _parted(message)
    folded = ""
    if thoughts:
        label = html.escape(_thought_for(message))
        folded = (
            f'<details><summary>{label}</summary><div class="text">'
            f"{html.escape(thoughts)}</div></details>\n"
        )
    return (
        f'<h2>{html.escape(_who(message))}</h2>\n{folded}<div class="{message.role.value}">'
        f"{_blocks(answer)}</div>{files.as_html(message.attachments)}"
    )


def _thought_for(message: Message) -> str:
    if message.thought_seconds is None:
        return _words("chat_export.thoughts")
    return _words("chat_export.thought_for", seconds=message.thought_seconds)


def _parted(message: Message) -> tuple[str, str]:
    if message.role is not Role.ASSISTANT:
        return "", message.content.strip()
    parts = split_answer(message.content)
    calls = [f"```json\n{call.name} {call.arguments}\n```" for call in parts.calls]
    return parts.reasoning.strip(), "\n\n".join([parts.answer.strip(), *calls]).strip()


def _blocks(text: str) -> str:
    """Code in boxes, everything else as it was written."""
    parts: list[str] = []
    at = 0
    for fence in _FENCE.finditer(text):
        parts.append(_text(text[at : fence.start()]))
        parts.append(f"<pre><code>{html.escape(fence[2])}</code></pre>")
        at = fence.end()
    parts.append(_text(text[at:]))
    return "\n".join(part for part in parts if part)


def _text(text: str) -> str:
    return f'<div class="text">{html.escape(text.strip())}</div>' if text.strip() else ""


def _who(message: Message) -> str:
    match message.role:
        case Role.USER:
            return _words("chat_export.you")
        case Role.SYSTEM:
            return _words("chat_export.system")
        case Role.ASSISTANT:
            if message.model_id:
                return _words("chat_export.model", model=message.model_id)
            return _words("chat_export.answer")


def _words(code: str, **data: object) -> str:
    return wording.sentence(Reason(code, data))
