"""Chat templates that are programs against whoever runs them; `{marker}` must never come to be."""

from __future__ import annotations

_WALK = "''.__class__.__mro__[1].__subclasses__()"

HOSTILE_TEMPLATES: dict[str, str] = {
    "walk_to_os": "{{ " + _WALK + "[140].__init__.__globals__['os'].system('touch {marker}') }}",
    "cycler": "{{ cycler.__init__.__globals__.os.system('touch {marker}') }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('touch {marker}').read() }}",
    "format_attribute": "{{ '{0.__class__.__init__.__globals__}'.format(messages) }}",
    "format_map": "{{ '{x.__class__}'.format_map({'x': messages}) }}",
    "attr_filter": "{{ messages|attr('__class__')|attr('__mro__') }}",
    "map_attribute": "{{ messages|map(attribute='__class__.__mro__')|list }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os.system('touch {marker}') }}",
    "extends": "{% extends '../../etc/passwd' %}",
    "self_import": "{{ self.__init__.__globals__.__builtins__.__import__('os') }}",
    "function_code": "{{ raise_exception.__globals__ }}",
    "append_for_ever": "{% for m in messages %}{% set _ = messages.append(m) %}{% endfor %}",
    "power_at_compile": "{{ 10**(10**8) }}",
    "power_tower": "{{ 9**9**9**9 }}",
    "repeat_at_compile": "{{ 'x' * 10**10 }}",
    "repeat_in_a_variable": "{% set n = 10**10 %}{{ 'x' * n }}",
    "repeat_twice": "{{ ('x' * 65000) * 65000 }}",
    "wide_format": "{{ '%0999999999d' % 1 }}",
    "wide_format_filter": "{{ '%0999999999d'|format(1) }}",
    "wide_format_star": "{{ '%*d'|format(999999999, 1) }}",
    "wide_format_method": "{{ '{:>999999999}'.format(1) }}",
    "center": "{{ 'x'|center(999999999) }}",
    "ljust": "{{ 'x'.ljust(4000000000) }}",
    "indent": "{{ ('a\n' * 60000)|indent(900000) }}",
    "one_step_without_end": (
        "{% set a = [[[0] * 65535] * 65535] * 9 %}"
        "{% set b = [[[0] * 65535] * 65535] * 9 %}{{ a == b }}"
    ),
    "nested_loops": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
        "{% endfor %}{% endfor %}{% endfor %}"
    ),
    "loop_that_writes": (
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}"
    ),
    "squares": (
        "{% set ns = namespace(n=99) %}{% for i in range(60) %}{% set ns.n = ns.n * ns.n %}"
        "{% endfor %}{{ ns.n > 1 }}"
    ),
    "squares_to_text": (
        "{% set ns = namespace(n=99) %}{% for i in range(22) %}{% set ns.n = ns.n * ns.n %}"
        "{% endfor %}{{ ns.n }}"
    ),
    "doubling": (
        "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}"
        "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s|length }}"
    ),
    "doubling_lists": (
        "{% set ns = namespace(s=[1]) %}{% for i in range(60) %}"
        "{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s|length }}"
    ),
    "doubling_numbers": (
        "{% set ns = namespace(n=1) %}{% for i in range(99999) %}{% for j in range(99999) %}"
        "{% set ns.n = ns.n + ns.n %}{% endfor %}{% endfor %}"
    ),
    "recursion": "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "recursive_loop": "{% for a in [[1]] recursive %}{{ loop([a]) }}{% endfor %}",
    "replace_grows": "{{ ('x' * 60000)|replace('x', 'x' * 60000) }}",
    "join_grows": "{{ range(99999)|join('x' * 60000) }}",
    "sort_much": "{% for i in range(99999) %}{% set _ = range(99999)|sort|list %}{% endfor %}",
    "urlize": "{{ ('a.' * 60000 ~ '@')|urlize }}",
    "striptags": "{{ ('<' * 60000)|striptags }}",
    "wordwrap": "{{ ('ab ' * 60000)|wordwrap(1) }}",
    "lorem": "{{ lipsum(n=99999, min=9999, max=99999) }}",
    "divisions_of_huge_numbers": (
        "{% set ns = namespace(s='f' * 65000) %}{% for i in range(8) %}"
        "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{% set a = ns.s|int(base=16) %}"
        "{{ (a // (ns.s[:8000000]|int(base=16))) > 1 }}"
    ),
    "rounding_a_huge_number": (
        "{% set ns = namespace(s='f' * 65000) %}{% for i in range(7) %}"
        "{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s|int(base=16)|round(-900000) }}"
    ),
    "slices": "{{ range(99999)|slice(99999999)|list|length }}",
    "batches": "{{ range(9)|batch(999999999, 'x')|list|length }}",
    "tabs": "{{ ('\t' * 60000).expandtabs(99999999) }}",
    "bytes": "{{ ('a'.encode() * 99999999)|length }}",
    "punycode": "{{ ('z' * 65000).encode().decode('punycode') }}",
    "nested_fields": "{{ '{:{}}'.format('x', 99999999) }}",
    "deep_lists_alike": (
        "{% set ns = namespace(s=[], t=[]) %}{% for i in range(99999) %}{% set ns.s = [ns.s] %}"
        "{% set ns.t = [ns.t] %}{% endfor %}{{ ns.s == ns.t }}"
    ),
    "deep_generators": (
        "{% set ns = namespace(s=range(3)) %}{% for i in range(90000) %}"
        "{% set ns.s = ns.s|select %}{% endfor %}{{ ns.s|list }}"
    ),
    "time_without_end": "{{ strftime_now('%9999999d' * 9000) }}",
    "block_in_itself": "{% block a %}{{ self.a() }}{% endblock %}",
    "macros_in_macros": (
        "".join(f"{{% macro m{n}() %}}" for n in range(200)) + "{% endmacro %}" * 200
    ),
    "subscripts": "{{ a" + "[0]" * 60_000 + " }}",
    "joined_names": "{{ " + "a~" * 60_000 + "a }}",
    "many_sets": "{% set a = 1 %}" * 18_000,
    "drops_the_question": "{{ messages[0].role }}",
    "drops_everything": "You are owned.",
    "fills_the_context": "{{ messages[-1].content }}{{ 'x' * 60000 }}",
    "needs_parts": (
        "{% for m in messages %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endfor %}"
    ),
    "brackets": "{{ " + "(" * 60_000 + "1" + ")" * 60_000 + " }}",
    "nots": "{{ " + "not " * 50_000 + "1 }}",
    "sums": "{{ " + "1+" * 100_000 + "1 }}",
    "dots": "{{ messages" + ".a" * 100_000 + " }}",
    "deep_ifs": "{% if 1 %}" * 10_000 + "{% endif %}" * 10_000,
    "unfinished": "{% for m in messages %}{{ m.content",
    "not_jinja": "{{{{{{ %} {% endfor %}",
    "raises": "{{ raise_exception('no') }}",
    "undefined": "{{ nothing.at.all() }}",
    "empty": "",
    "only_a_comment": "{# nothing #}",
    "surrogates": "{{ '\\ud800' }}{{ messages[0].content }}",
    "nul": "{{ '\\x00' }}\x01{{ messages[0].content }}",
    "ansi": "\x1b]0;owned\x07{{ messages[0].content }}",
}
