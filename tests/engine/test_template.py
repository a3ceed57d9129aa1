"""Chat templates out of model files: rendered as published, contained where they are hostile."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from openshelf.engine import worker_layout, worker_template
from openshelf.engine.protocol import ChatMessage
from openshelf.engine.worker_layout import merge_system, render_prompt
from openshelf.engine.worker_template import ChatTemplate, TemplateFailed

USER = ChatMessage("user", "Hi")
SYSTEM = ChatMessage("system", "Be brief.")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def template(source: str) -> ChatTemplate:
    return ChatTemplate(source, "<s>", "</s>")


def no_builtin(messages: object) -> None:
    return None


def test_the_models_own_template() -> None:
    rendered = render_prompt(template(CHATML), [SYSTEM, USER], no_builtin)
    assert rendered.source == "model"
    assert rendered.text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


def test_what_published_templates_use() -> None:
    source = (
        "{{ bos_token }}{%- set ns = namespace(n=0) -%}"
        "{% for m in messages %}{% if m['role'] == 'tool' %}{% continue %}{% endif %}"
        "{% set ns.n = ns.n + 1 %}{% generation %}{{ m['content'] | trim }}{% endgeneration %}"
        "{% endfor %}|{{ ns.n }}|{{ messages | tojson }}|{{ '%02d' % 7 }}|{{ '=' * 3 }}"
        "|{{ 2 ** 3 }}|{{ tools is none }}|{{ documents is defined }}"
        "|{{ strftime_now('%Y') | length }}"
    )
    text = template(source).render([ChatMessage("user", " Ü ")])
    assert text == '<s>Ü|1|[{"role": "user", "content": " Ü "}]|07|===|8|True|False|4'


def test_a_system_role_that_is_refused_goes_into_the_first_question() -> None:
    source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    source += "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    rendered = render_prompt(template(source), [SYSTEM, USER], no_builtin)
    assert (rendered.source, rendered.text) == ("merged_system", "[Be brief.\n\nHi]")
    assert merge_system([USER]) == (USER,)
    assert merge_system([SYSTEM]) == (SYSTEM,)


def test_the_fallbacks() -> None:
    broken = template("{% if %}")
    assert render_prompt(broken, [USER], lambda messages: "built in").source == "builtin"
    rendered = render_prompt(broken, [USER], no_builtin)
    assert rendered.source == "chatml"
    assert rendered.text == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert rendered.stop == ("<|im_end|>",)
    assert render_prompt(None, [USER], no_builtin).source == "chatml"
    with pytest.raises(TemplateFailed):
        render_prompt(template(CHATML), [], no_builtin)


ESCAPES = {
    "class walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ raise_exception.__globals__['__builtins__'] }}",
    "globals of a filter": "{{ messages.__init__.__globals__ }}",
    "format": "{{ '{0.__class__}'.format(messages) }}",
    "attr filter": "{{ messages | attr('__class__') | attr('__mro__') }}",
    "format_map": "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "import": "{% import 'os' as os %}{{ os }}",
    "include": "{% include '/etc/passwd' %}",
    "mutation": "{{ messages.append(1) }}",
    "cycler": "{{ cycler.__init__.__globals__.os.system('touch marker') }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('touch marker').read() }}",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_no_way_out_of_the_sandbox(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        text = template(ESCAPES[name]).render([USER])
    except TemplateFailed:
        text = ""
    for trace in ("<class", "type'", "root:", "builtins", "module"):
        assert trace not in text
    assert list(tmp_path.glob("marker")) == []


BOMBS = {
    "power at compile time": "{{ 10 ** (10 ** 8) }}",
    "power tower": "{{ 9 ** 9 ** 9 ** 9 }}",
    "repetition": "{{ 'x' * 400000000 }}",
    "list repetition": "{{ [0] * 10 ** 10 }}",
    "format width": "{{ '%0999999999d' % 1 }}",
    "star width": "{{ '%*d' % (999999999, 1) }}",
    "long range": "{% for i in range(10 ** 9) %}x{% endfor %}",
    "nested loops": "{% for i in range(99999) %}{% for j in range(99999) %}"
    "{% endfor %}{% endfor %}",
    "endless output": "{% for i in range(99999) %}{% for j in range(99999) %}" + "x" * 99
    + "{% endfor %}{% endfor %}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "division": "{{ 1 / 0 }}",
    "undefined": "{{ nothing.at.all }}",
    "broken": "{% for %}",
    "wrong type": "{{ messages + 1 }}",
    "too long": "x" * 300_000,
    "raises": "{{ raise_exception('no') }}",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_template, "RENDER_SECONDS", 0.5)
    started = time.monotonic()
    with pytest.raises(TemplateFailed) as raised:
        template(BOMBS[name]).render([USER])
    assert time.monotonic() - started < 3
    assert str(raised.value)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA")
def test_memory_is_limited_and_given_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setattr(worker_template, "RENDER_BYTES", 64 << 20)
    before = resource.getrlimit(resource.RLIMIT_DATA)
    doubling = (
        "{% set ns = namespace(s='xxxxxxxx') %}"
        "{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}"
    )
    with pytest.raises(TemplateFailed, match="MemoryError"):
        template(doubling).render([USER])
    with pytest.raises(TemplateFailed, match="MemoryError"):
        template("{{ 'x' | center(1000000000) }}").render([USER])
    assert resource.getrlimit(resource.RLIMIT_DATA) == before
    assert template("fine").render([USER]) == "fine"


def test_the_timer_of_others_goes_on() -> None:
    """pytest's own timeout uses the same timer."""
    if not hasattr(__import__("signal"), "setitimer"):
        pytest.skip("no timers on this system")
    import signal

    handler = signal.getsignal(signal.SIGALRM)
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    template("x").render([USER])
    assert signal.getsignal(signal.SIGALRM) == handler
    now_remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    assert (now_remaining > 0) == (remaining > 0)


def test_numbers_do_not_grow_without_end() -> None:
    """One product of huge numbers takes minutes, and no timer interrupts it."""
    source = (
        "{% set ns = namespace(n=99) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}"
        "{% endfor %}{{ ns.n > 1 }}"
    )
    started = time.monotonic()
    with pytest.raises(TemplateFailed, match="too large"):
        template(source).render([USER])
    assert time.monotonic() - started < 2


def test_a_template_that_reached_a_limit_is_not_waited_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_template, "RENDER_SECONDS", 0.2)
    source = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    hostile = template(source)
    assert render_prompt(hostile, [SYSTEM, USER], no_builtin).source == "chatml"
    monkeypatch.setattr(worker_template, "RENDER_SECONDS", 600.0)
    started = time.monotonic()
    assert render_prompt(hostile, [SYSTEM, USER], no_builtin).source == "chatml"
    assert time.monotonic() - started < 2


def test_an_answer_at_the_end_is_gone_on_with() -> None:
    asked = (ChatMessage("user", "count"),)
    begun = render_prompt(None, asked, lambda _: None)
    longer = render_prompt(None, (*asked, ChatMessage("assistant", "One, ")), lambda _: None)
    assert longer.text == f"{begun.text}One, "
    assert longer.stop == begun.stop
    with pytest.raises(TemplateFailed):
        render_prompt(None, (ChatMessage("assistant", "One, "),), lambda _: None)


def test_a_system_prompt_that_is_left_out_goes_into_the_first_question() -> None:
    source = (
        "{% for m in messages %}{% if m.role != 'system' %}[{{ m.content }}]{% endif %}{% endfor %}"
    )
    rendered = render_prompt(template(source), [SYSTEM, USER], no_builtin)
    assert (rendered.source, rendered.text) == ("merged_system", "[Be brief.\n\nHi]")


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages | tojson }}", "{{ messages[-1].content | upper }}{{ messages[0].content }}",
        "{% for m in messages %}{{ m.content | replace('.', '') | trim }}{% endfor %}",
        "{% for m in messages %}{{ m.content | list | join('_') }}{% endfor %}",
    ],
)  # fmt: skip
def test_what_a_template_writes_in_another_way_is_not_lost(source: str) -> None:
    assert render_prompt(template(source), [SYSTEM, USER], no_builtin).source == "model"


def test_lists_of_parts_are_tried_where_text_is_not_read() -> None:
    source = (
        "{% for m in messages %}<{{ m.role }}>{% for c in m.content %}{% if c.type == 'text' %}"
        "{{ c.text }}{% endif %}{% endfor %}{% endfor %}"
    )
    rendered = render_prompt(template(source), [SYSTEM, USER], no_builtin)
    assert (rendered.source, rendered.text) == ("model", "<system>Be brief.<user>Hi")


def test_a_slow_template_is_not_tried_in_every_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_layout, "TRYING_SECONDS", 0.0)
    tried: list[object] = []

    class Slow(ChatTemplate):
        def render(self, *arguments: object, **options: object) -> str:
            tried.append(options)
            raise TemplateFailed("no")

    assert render_prompt(Slow("", "", ""), [SYSTEM, USER], no_builtin).source == "chatml"
    assert len(tried) <= 1


@pytest.mark.parametrize("ending", ["<think>", "<think>\n", "<think>\n\n"])
def test_a_prompt_that_begins_the_thoughts_itself(ending: str) -> None:
    """DeepSeek R1, QwQ, Qwen3 Thinking: the answer has no mark where they begin."""
    source = template(CHATML + ending.replace("\n", "{{ '\\n' }}"))
    begun = render_prompt(source, [USER], no_builtin)
    assert begun.text.endswith(f"assistant\n{ending}")
    assert begun.opening == ending
    shown = ChatMessage("assistant", f"{ending}So ")
    longer = render_prompt(source, [USER, shown], no_builtin)
    assert longer.text == f"{begun.text}So "
    assert longer.opening == "", "it is shown already"
    off = template(CHATML + "<think>{{ '\\n' }}</think>")
    assert render_prompt(off, [USER], no_builtin).opening == ""
