"""Model cards as they occur, and as somebody with bad intent would write them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from openshelf.errors import OpenshelfError
from openshelf.hub.cards import ModelCard
from openshelf.tasks import CancelToken
from tests.fakes.example_data import COMMIT

EXAMPLE_CARD = """<p align="center">
    <img src="https://example.org/logo.png" alt="Qwen logo" width="400"/>
</p>

# Qwen3-14B

<a href="https://chat.example.org/" target="_blank"><img alt="Chat" src="x.svg"/></a>

## Highlights

Qwen3 is a model with **thinking** and *non-thinking* modes, see [the blog](https://example.org/blog)
and the [license](LICENSE).

- Type: causal language model
- Parameters: 14.8B
  - without embedding: 13.2B
- Context: 32,768 natively

| Variant | Size | Quality |
|---|--:|---|
| Q4_K_M | 9.0 GB | good |
| Q8_0 | 15.7 GB | very good |

```python
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("Qwen/Qwen3-14B")
```

> Use `enable_thinking=False` for short answers. The tokens are <think> and <s>.

<details>
<summary>Citation</summary>

    @misc{qwen3}

</details>
"""

HOSTILE_CARD = """<script>alert(1)</script><style>body { display: none }</style>
# \u202eebirud elttiL\u202c card <img src="file:///etc/passwd" onerror="alert(1)">

[press me](javascript:alert(1)) [read](file:///etc/passwd) [here](\\\\server\\share)
[data](data:text/html;base64,PHNjcmlwdD4=) <a href="javascript:alert(2)">and me</a>
[home](//evil.example/x) [up](../../../settings) [part](#part)

![bomb](http://127.0.0.1:1/bomb.png) ![local](file:///etc/hostname)
![inline](data:image/png;base64,iVBORw0KGgo=)

<iframe src="https://evil.example"></iframe><!-- hidden
-->

<!-- never closed
"""


def nested_card() -> str:
    """Deep, wide and long in every way that Markdown has."""
    return "\n\n".join(
        [
            ">" * 5_000 + " quoted",
            "- " * 3_000 + "listed",
            "\n".join("  " * level + "- item" for level in range(300)),
            "[" * 5_000,
            "*a **b " * 2_000,
            "|" + "a|" * 2_000 + "\n|" + "-|" * 2_000 + "\n|" + "b|" * 2_000,
            "|a|b|\n|-|-|\n" + "|c|d|\n" * 5_000,
            "```\n" + "x" * 200_000 + "\n" + "y\n" * 20_000 + "```",
            "<div>" * 5_000,
            '<a href="' * 3_000,
            "`" * 5_000,
            "![a](http://x/y.png) " * 3_000,
            "\u0627\u202e" * 5_000,
            ("a" + "\u0301" * 300) * 50,
            "word" * 20_000,
        ]
    )


class FakeCards:
    """Hands out `text` as the card of whatever is asked; `error` is raised in place of it."""

    def __init__(self, text: str = "# Example\n\nA card.", **changes: Any) -> None:
        self.text, self.changes = text, changes
        self.error: OpenshelfError | None = None
        self.asked: list[tuple[str, str]] = []

    def card(self, repo: str, commit: str, cancel: CancelToken) -> ModelCard:
        self.asked.append((repo, commit))
        if self.error is not None:
            raise self.error
        facts = (("license", "apache-2.0"), ("language", "en, de"))
        card = ModelCard(
            repo, commit or COMMIT, self.text, facts, len(self.text), is_cut=False,
            page=f"https://huggingface.co/{repo}",
        )  # fmt: skip
        return replace(card, **self.changes)
