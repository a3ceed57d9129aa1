"""Sentences for fit."""

from __future__ import annotations

TEMPLATES: dict[str, str] = {
    # the verdict and what it rests on
    "fit_all_on_gpus": "Everything runs on the {gpus} GPUs; the fullest, {pool}, holds {needed_bytes:gib} of the {budget_bytes:gib} that can be used there now.",
    "fit_all_on_gpu": "Everything runs on the GPU: {needed_bytes:gib} of the {budget_bytes:gib} that can be used now.",
    "fit_split": "{gpu_layers} of {n_layers} layers run on the GPU, the rest on the CPU.",
    "fit_on_cpu": "Runs on the CPU: {needed_bytes:gib} of the {budget_bytes:gib} that can be used now.",
    "fit_too_large": "Too large by {missing_bytes:gib}: needs {needed_bytes:gib}, and {budget_bytes:gib} can be used now.",
    "fit_check_with_engine": "May fit: the memory rules of this architecture are not known here, and the upper bound of {needed_bytes:gib} is more than the {budget_bytes:gib} that can be used now. Check with the engine.",
    "fit_check_projector": "May fit: how much memory this projector works in is not known here, and with the upper bound {needed_bytes:gib} are needed of the {budget_bytes:gib} that can be used now. Check with the engine.",
    "fit_upper_bound": "The memory rules of the architecture {architecture} are not known here: the figures are an upper bound.",
    "fit_expected": "Expected figures: the file's own header has not been read yet.",
    "fit_from_sibling": "Worked out from the header of another variant of this model and this file's size.",
    "fit_experts_on_cpu": "The experts of {layers} of {n_layers} layers stay in memory beside the GPU.",
    "fit_projector_counted": "The projector for pictures or sound ({type}) is counted: {size_bytes:gib} as it is loaded; large pictures can take more while they are read.",
    "fit_projector_bound": "The projector for pictures or sound ({type}) is counted with an upper bound of {size_bytes:gib}: its memory rules are not known here.",
    "fit_projector_left_out": "Text only: the projector for pictures or sound is left out ({size_bytes:gib}).",
    "fit_context_clamped": "The context was shortened from {asked:tokens} to {trained:tokens} tokens, the length this model was trained for.",
    "fit_no_experts": "This model has no experts that could stay in memory beside the GPU.",
    "fit_flash_attention_needed": "Flash attention was turned on: context memory of type {kv_type} needs it.",
    "fit_gpu_not_usable": "The GPU {gpu} is not used: this engine build cannot use it.",
    "fit_gpu_unknown": "The GPU {gpu} is not counted: whether the engine can use it is not known yet.",
    "fit_gpu_memory_unknown": "The GPU {gpu} is not used: its memory could not be read.",
    # what the engine said of it
    "fit_confirmed": "Confirmed by the engine: it laid the model out, and these are its own figures.",
    "fit_dry_run_elsewhere": "The engine here has not the GPUs of this machine, so the figures are an estimate.",
    "fit_dry_run_needs_header": "The engine needs the file's own header, so the figures are an estimate.",
    "fit_engine_refuses": "The engine cannot load this: {detail}",
    "fit_engine_lacks_architecture": "The engine cannot load this: it does not know the architecture {architecture} yet.",
    "fit_engine_died": "The engine cannot load this: it stopped unexpectedly when it laid the model out ({signal}).",
    "fit_engine_hung": "The engine cannot load this: it did not finish laying the model out in time.",
    "fit_projector_refused": "The engine cannot load the projector: {detail}",
    "fit_projector_died": "The engine cannot load the projector: it stopped unexpectedly when it laid it out ({signal}).",
    "fit_projector_hung": "The engine cannot load the projector: it did not finish laying it out in time.",
    "fit_projector_not_measured": "This engine build does not tell what a projector takes, so that part is an estimate.",
    # what would make it fit
    "fit_without_projector": "Leave the projector out and use text only, which saves {size_bytes:gib}.",
    "fit_shorter_context": "Shorten the context to {context_length:tokens} tokens.",
    "fit_smaller_kv_type": "Store the context memory as {kv_type}, which takes about half.",
    "fit_smaller_quant": "Choose a smaller variant, of at most {largest_bytes:bytes}.",
    "fit_smaller_model": "Choose a smaller model, of at most {largest_bytes:bytes}.",
    "fit_run_on_server": "Run it on a server and chat with it from here.",
    # why this variant
    "rank_largest_that_fits": "The largest model of the family that fits.",
    "rank_finest_that_fits": "{quant} is the finest precision that fits.",
    "rank_faster_than_finer": "A finer precision than {quant} would fit too, at a lower speed.",
    "rank_quality": "{quant} agrees with the unquantized model on about {kept:percent} of tokens.",
    "rank_last_resort": "{quant} is a last resort: much of the model is lost at this precision.",
}
