"""Full-text search over all messages: parts of words, in any script, in upper or lower case."""

from __future__ import annotations

from openshelf.chat.conversation import FoundConversation
from openshelf.chat.titles import one_line, storable
from openshelf.database import Database

MOST_FOUND = 200
MOST_CHARACTERS, MOST_WORDS = 2_000, 50
"""Of what is looked for; SQLite refuses longer patterns and deeper questions."""
_TRIGRAM = 3
_BEFORE, _AFTER = 24, 80

# Per conversation its latest message with all the words.
_FOUND = """
    SELECT conversation_id, max(messages.id), messages.content
    FROM messages {join} WHERE role <> 'system' AND state <> 'streaming' {conditions}
    GROUP BY conversation_id ORDER BY max(messages.id) DESC LIMIT ?
"""
_TITLES = "SELECT id FROM conversations WHERE {conditions} ORDER BY updated_at DESC LIMIT ?"


def search(database: Database, text: str) -> tuple[FoundConversation, ...]:
    """Conversations with every word of `text` in one message or in the title, the latest first.

    At most MOST_FOUND of each; nothing for an empty text.
    """
    words = [*dict.fromkeys(storable(text.replace("\0", " "))[:MOST_CHARACTERS].split())]
    words = words[:MOST_WORDS]
    if not words:
        return ()
    found = {row[0]: _found(row, words) for row in _messages_with(database, words)}
    sql = _TITLES.format(conditions=" AND ".join(["title LIKE ? ESCAPE '\\'"] * len(words)))
    for (conversation_id,) in database.read(sql, *map(_like, words), MOST_FOUND):
        found.setdefault(conversation_id, FoundConversation(conversation_id))
    return tuple(found.values())


def _messages_with(database: Database, words: list[str]) -> list[tuple[int, int, str]]:
    long = [word for word in words if len(word) >= _TRIGRAM]
    short = [word for word in words if len(word) < _TRIGRAM]
    join, conditions, values = "", "", []
    if long:
        join = "JOIN message_words ON message_words.rowid = messages.id"
        conditions = " AND message_words MATCH ?"
        values.append(" AND ".join(_quoted(word) for word in long))
    # Too short for the index: looked for in what is left.
    conditions += " AND messages.content LIKE ? ESCAPE '\\'" * len(short)
    values += [_like(word) for word in short]
    sql = _FOUND.format(join=join, conditions=conditions)
    return database.read(sql, *values, MOST_FOUND)


def _quoted(word: str) -> str:
    """A string of FTS5's query language: nothing in it is an operator."""
    return '"' + word.replace('"', '""') + '"'


def _like(word: str) -> str:
    for special in ("\\", "%", "_"):
        word = word.replace(special, "\\" + special)
    return f"%{word}%"


def _found(row: tuple[int, int, str], words: list[str]) -> FoundConversation:
    conversation_id, message_id, content = row
    return FoundConversation(conversation_id, message_id, excerpt(content, words[0]))


def excerpt(content: str, word: str) -> str:
    """One line around the first place of `word`."""
    at = max(0, content.casefold().find(word.casefold()))
    start = max(0, at - _BEFORE)
    line = one_line(content[start : at + _AFTER])
    return f"{'…' if start else ''}{line}"
