"""The services of a process: what exists once, under the policy in force."""

from __future__ import annotations

from functools import partial

from openshelf.chat.store import ConversationStore
from openshelf.paths import Paths
from openshelf.policy.gate import Gate
from openshelf.policy.store import PolicyState
from openshelf.services import Services
from openshelf.tasks import PoolTaskRunner, TaskRunner
from openshelf.wiring.once import Once
from openshelf.wiring.under_policy import services_under


def build_services(
    paths: Paths,
    *,
    runner: TaskRunner | None = None,
    keep_chats: bool = True,
    context_length: int | None = None,
    is_strict: bool = False,
) -> Services:
    """Everything wired for this process; cheap, touches no network and starts no child.

    Without `keep_chats` conversations live in memory only: a command asks one question and leaves,
    and must not touch what a window is streaming into the file. `context_length` stands before the
    settings'. Where the policy's file cannot be understood nothing is allowed, and `problems` says
    why; a command raises it instead (`is_strict`).
    """
    once = Once(paths, runner or PoolTaskRunner(), context_length)
    state = once.policies.current
    if state.problem is not None and is_strict:
        raise state.problem
    policy = state.policy
    store = ConversationStore(paths.chat_database if keep_chats else None)
    if policy.keep_chats_days is not None:
        store.delete_older_than(policy.keep_chats_days)
    services = services_under(policy, once, store)
    once.policies.announcer.subscribe(partial(_adopt, services.gate))
    services.gate.watch(once.policies.look_again)
    for announcer in (once.policies.announcer, once.settings.announcer):
        announcer.subscribe(lambda _: once.door.throw_switch(services))
    return services


def _adopt(gate: Gate, state: PolicyState) -> None:
    gate.adopt(state.policy)
