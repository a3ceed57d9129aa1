"""Folders of saved conversations: named, renamed, taken away without what is in them."""

from __future__ import annotations

import sqlite3

from openshelf.chat.conversation import Folder
from openshelf.chat.rows import row_id
from openshelf.chat.titles import given_title
from openshelf.database import Database
from openshelf.errors import BadWords, NotFound


class Folders:
    """FoldersLike over the conversations' database. Raises NotFound; UsageError for no name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[Folder, ...]:
        """By name, in upper and lower case alike."""
        rows = self._database.read("SELECT id, name FROM folders")
        folders = [Folder(*row) for row in rows]
        return tuple(sorted(folders, key=lambda one: (one.name.casefold(), one.id)))

    def add(self, name: str) -> Folder:
        """The one of that name, where there is one."""
        name = _name(name)
        with self._database.writing() as connection:
            return folder_named(connection, name)

    def rename(self, folder_id: int, name: str) -> None:
        """A name that another one has joins the two."""
        name = _name(name)
        with self._database.writing() as connection:
            other = _found(connection, name)
            if other is not None and other.id != folder_id:
                connection.execute(
                    "UPDATE conversations SET folder_id = ? WHERE folder_id = ?",
                    (other.id, folder_id),
                )
                sql, values = "DELETE FROM folders WHERE id = ?", (folder_id,)
                done = connection.execute(sql, values)
            else:
                done = connection.execute(
                    "UPDATE folders SET name = ? WHERE id = ?", (name, folder_id)
                )
            if not done.rowcount:
                raise NotFound("folder", str(folder_id))

    def delete(self, folder_id: int) -> None:
        """Its conversations stay, in no folder."""
        with self._database.writing() as connection:
            if not connection.execute("DELETE FROM folders WHERE id = ?", (folder_id,)).rowcount:
                raise NotFound("folder", str(folder_id))

    def put(self, conversation_id: int, folder_id: int | None) -> None:
        """Into a folder, or out of all; when it was used last stays as it is."""
        with self._database.writing() as connection:
            try:
                done = connection.execute(
                    "UPDATE conversations SET folder_id = ? WHERE id = ?",
                    (folder_id, conversation_id),
                )
            except sqlite3.IntegrityError as error:
                raise NotFound("folder", str(folder_id)) from error
            if not done.rowcount:
                raise NotFound("conversation", str(conversation_id))


def folder_named(connection: sqlite3.Connection, name: str) -> Folder:
    """In an open transaction: the one of that name, made where there is none."""
    found = _found(connection, name)
    if found is not None:
        return found
    cursor = connection.execute("INSERT INTO folders (name) VALUES (?)", (name,))
    return Folder(row_id(cursor), name)


def _found(connection: sqlite3.Connection, name: str) -> Folder | None:
    wanted = name.casefold()
    rows = connection.execute("SELECT id, name FROM folders ORDER BY id").fetchall()
    return next((Folder(*row) for row in rows if row[1].casefold() == wanted), None)


def _name(text: str) -> str:
    name = given_title(text)
    if not name:
        raise BadWords(why="folder_name")
    return name
