"""Sentences for the engine: its devices, and how an answer ended."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    "engine_plain_multiplication": (
        "The processor names instructions (Intel AMX) that fail when the engine uses them, as in "
        "some virtual machines. The engine does without; prompts are read more slowly."
    ),
    # engine/builds.py
    "engine_build_replaced": "The engine build in {folder} is not used; the one in {instead} is used instead.",
    "engine_build_replaced_by_installed": "The engine build in {folder} is not used; the installed one is used instead.",
    "engine_lost_gpu": "The engine no longer finds {names:list}, so that models run without it, and slower. Its driver may have failed or been updated: start the machine again, or look at the Hardware screen.",
    # chat/measuring.py
    "engine_left_gpu": "The engine put this model on the CPU, although it was to run on the GPU. Answers are slower.",
    "engine_silent": "The engine could not be asked what it can use. {detail}",
    # engine/devices.py
    "gpu_used_through": "The engine uses it through {backend} ({name}).",
    "engine_without_gpu": "This engine build has no support for GPUs. {name} works with a build for {wanted:list}.",
    "engine_without_backend": "This engine build has {backends:list} only. {name} works with {wanted:list}.",
    "gpu_not_listed": "The engine does not list {name}. Its driver may be missing or too old for {backends:list}.",
    "gpu_not_recognized": "The engine lists {listed:list}, and whether that is {name} could not be told.",
    # chat/session.py: below an answer that did not end by itself
    "engine_died": "The engine stopped unexpectedly. What it had written is kept; the next message starts it again.",
    "engine_killed": "The engine was ended by the system, maybe for lack of memory. What it had written is kept; the next message starts it again.",
    "engine_crashed": "The engine crashed ({signal}). What it had written is kept; the next message starts it again.",
    "engine_wrong_cpu": "This engine build uses instructions that this CPU does not have. Install a build made for this machine.",
    "engine_out_of_memory": "There was not enough memory, and the engine ended. What it had written is kept. Take a shorter context or a smaller build of this model, or close other programs.",
    "engine_driver_failed": "The GPU's driver failed, and the engine ended. What it had written is kept. Update the driver, or load the model without the GPU.",
    "engine_gave_up": "The engine ended itself over something in {path}, which may be damaged or made for another engine. What it had written is kept. Take another build of this model.",
    "engine_schema_hung": "Holding the answer to this JSON schema took too long for a single word, so the engine was ended. What it had written is kept. Ask with simpler patterns or fewer repetitions.",
    "engine_file_lost": "The engine lost {path} while it read it: the file was cut short, or its disk is gone. What it had written is kept. Verify the model before you go on.",
    "engine_hung": "The engine no longer answered and was ended. What it had written is kept; the next message starts it again.",
    "engine_died_loading": "The engine stopped while it loaded the model. The model may be too large for this machine or damaged.",
    "answer_interrupted": "Openshelf ended while this answer was written. What had been kept is shown.",
    # chat/store.py
    "chats_set_aside": "The file with the conversations was damaged. It was set aside as {path}, and a new one was begun.",
    "chats_not_kept": "Conversations cannot be kept ({detail}). What is written now is gone when Openshelf ends.",
    "chats_too_new": "The conversations in {path} belong to a newer Openshelf. They were left alone; what is written now is gone when Openshelf ends.",
    # chat/exporting.py
    "chat_export.untitled": "Chat",
    "chat_export.you": "You",
    "chat_export.system": "System prompt",
    "chat_export.answer": "Answer",
    "chat_export.model": "Answer by {model}",
    "chat_export.thoughts": "Thoughts before the answer",
    "chat_export.thought_for": "Thought for {seconds:duration}",
    "chat_export.file": "Attached: {name}, {tokens:,} tokens",
    "chat_export.attached_image": "Attached: {name}, a picture",
    "chat_export.note": "Exported from Openshelf. The answers were written by a language model and may be wrong.",
    "answer_empty": "The model ended its answer without a word that can be shown. Ask again, or ask in other words; where it happens each time, try another build.",
    "json_cut_off": "The answer ends before its JSON does. Allow a longer answer, or ask for less.",
    "answer_no_json": "The answer is not valid JSON, although it was held to a schema.",
    # ui/widgets/attachment_bar.py: chips
    "attached_file": "{name} · {tokens:,} tokens",
    "attached_file_guessed": "{name} · ≈ {tokens:,} tokens",
    "attached_picture": "{name} · picture",
    "attached_picture_counted": "{name} · picture · {tokens:,} tokens",
    "attached_pages": "{read:,} of {pages:,} pages read",
    "attached_cut": "its last {count:,} characters are left out",
    # ui/pages/chat_attaching.py: above the message that they go along with
    "attached_counted_fits": "{tokens:,} tokens of the {whole:,} that the context holds.",
    "attached_counted_drops": "{tokens:,} tokens of the {whole:,} that the context holds: the first {messages} messages of this chat would be left out.",
    "attached_counted_too_long": "{tokens:,} tokens, and the context holds {whole:,}: this cannot be sent whole. Attach less, or load the model with a longer context.",
    "attached_fits": "About {tokens:,} tokens of the {whole:,} that the context holds.",
    "attached_drops": "About {tokens:,} tokens of the {whole:,} that the context holds: the first {messages} messages of this chat would be left out.",
    "attached_too_long": "About {tokens:,} tokens, and the context holds {whole:,}: this cannot be sent whole. Attach less, or load the model with a longer context.",
    # chat/context.py
    "turns_dropped": "The first {messages} messages no longer fit into the context and were not sent.",
}
