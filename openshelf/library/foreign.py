"""Model files that other programs put on this disk: where they lie, and what is told beside them.

Read only. What is read here was written by strangers: names and texts are checked, and a file that
makes no sense tells nothing. Layouts, as seen in November 2026:

- Hugging Face cache: `models--OWNER--REPO/snapshots/COMMIT/FILE`, a link to `blobs/SHA256`.
- LM Studio: `.lmstudio/models/OWNER/REPO/FILE` (before: `.cache/lm-studio/models`).
- Ollama: `manifests/HOST/OWNER/NAME/TAG`, JSON with layers, and `blobs/sha256-HEX`.
- Jan: `llamacpp/models/…/model.yml` with `model_path`, mostly `model.gguf` beside it.
- GPT4All: a flat folder `GPT4All`.
- llama.cpp: `OWNER_REPO_FILE` with `FILE.json` (its address) or `manifest=OWNER=REPO=TAG.json`.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from openshelf.gguf.companions import projector_beside
from openshelf.gguf.names import MODEL, parse_name
from openshelf.gguf.split import shard_paths
from openshelf.hub.names import is_plain_name, is_repo_id
from openshelf.library.foreign_notes import (
    DIGEST,
    MOST_FILES,
    begins_like_gguf,
    digests_that_are_no_models,
    license_beside,
    lm_studio_folder,
    ollama_layers,
    ollama_manifests,
    read_json,
    read_text,
)

_ADDRESS = re.compile(r"https://(?:huggingface\.co|hf\.co)/([^/?#]+/[^/?#]+)/resolve/")
_HUB_HOSTS = ("hf.co", "huggingface.co")


class Origin(enum.StrEnum):
    HF_CACHE = "hf_cache"
    LM_STUDIO = "lm_studio"
    OLLAMA = "ollama"
    JAN = "jan"
    GPT4ALL = "gpt4all"
    LLAMA_CPP = "llama_cpp"
    PACKAGE = "package"
    """A starter model in Python packages (library/starter.py)."""
    FOLDER = "folder"


_FLAT = (Origin.OLLAMA, Origin.GPT4ALL, Origin.LLAMA_CPP)
"""In these stores the files of all models lie in one folder: what is beside one is not its own."""


@dataclass(frozen=True)
class ForeignModel:
    """`paths` are all its files, the first shard first, `names` what they are called in a library.

    `repo` is the repository that the program fetched it from, "" where it does not say; `projector`
    a file that may be the one by which it sees, which its header has to confirm.
    """

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    origin: Origin
    repo: str = ""
    license_text: str | None = None
    license_path: str = "LICENSE"
    projector: Path | None = None
    projector_name: str = ""


def describe(path: Path) -> ForeignModel:
    """What is told of the model that `path` belongs to, by the place where it lies."""
    paths = shard_paths(path)
    for look in (_in_ollama, _in_hub_cache, _in_lm_studio, _in_jan, _in_llama_cpp):
        found = look(path, paths)
        if found is not None:
            return found if found.projector or found.origin in _FLAT else _with_eyes(found, path)
    names = tuple(part.name for part in paths)
    if any(parent.name.casefold() == "gpt4all" for parent in path.parents):
        return ForeignModel(paths, names, Origin.GPT4ALL)
    text, name = license_beside(path.parent) if _is_alone(path) else (None, "LICENSE")
    return _with_eyes(ForeignModel(paths, names, Origin.FOLDER, "", text, name), path)


def _with_eyes(found: ForeignModel, path: Path) -> ForeignModel:
    """With the projector that lies beside it, in the same folder."""
    eyes = projector_beside(path)
    return found if eyes is None else replace(found, projector=eyes, projector_name=eyes.name)


def describe_file(path: Path, *, is_whole: bool) -> ForeignModel:
    """The same of a file whose header was read: one that is whole may be named like a shard."""
    found = describe(path)
    if is_whole and len(found.paths) > 1:
        name = found.names[found.paths.index(path)]
        return replace(found, paths=(path,), names=(name,))
    return found


def find_models(folder: Path) -> tuple[ForeignModel, ...]:
    """Every model below `folder`, each once, ordered by name; a file is one of its own.

    Projectors and further shards are part of another model; what cannot be read is left out.
    """
    if folder.is_file():
        return (describe(folder.absolute()),)
    found: dict[str, ForeignModel] = {}
    for path in _candidates(folder.absolute()):
        paths = shard_paths(path)
        if path != paths[0]:
            continue
        found.setdefault(os.path.realpath(path), describe(path))
    return tuple(sorted(found.values(), key=lambda model: (model.names[0].casefold(), model.paths)))


def usual_places(environment: Mapping[str, str], home: Path) -> tuple[tuple[Origin, Path], ...]:
    """The folders in which these programs keep models, as far as they exist."""
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    hub = environment.get("HF_HUB_CACHE") or (
        environment.get("HF_HOME", "") and (f"{environment['HF_HOME']}/hub")
    )
    support = home / "Library" / "Application Support"
    roaming = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    local = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    places = (
        (Origin.HF_CACHE, Path(hub) if hub else cache / "huggingface" / "hub"),
        (Origin.LM_STUDIO, home / ".lmstudio" / "models"),
        (Origin.LM_STUDIO, home / ".cache" / "lm-studio" / "models"),
        *((Origin.LM_STUDIO, folder) for folder in (lm_studio_folder(home),) if folder),
        (Origin.OLLAMA, Path(environment.get("OLLAMA_MODELS") or home / ".ollama" / "models")),
        (Origin.OLLAMA, Path("/usr/share/ollama/.ollama/models")),
        *((Origin.JAN, base / "Jan" / "data") for base in (data, support, roaming)),
        (Origin.JAN, home / "jan"),
        *((Origin.GPT4ALL, base / "nomic.ai" / "GPT4All") for base in (data, support, local)),
        (Origin.LLAMA_CPP, Path(environment.get("LLAMA_CACHE") or cache / "llama.cpp")),
        (Origin.LLAMA_CPP, home / "Library" / "Caches" / "llama.cpp"),
    )
    return tuple(dict.fromkeys((origin, path) for origin, path in places if path.is_dir()))


def _candidates(folder: Path) -> Iterator[Path]:
    """Files that may be models; links to files are followed, links to folders are not."""
    seen = 0
    parts: dict[str, set[str]] = {}
    for parent, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            seen += 1
            if seen > MOST_FILES:
                return
            path = Path(parent, name)
            lowered = name.casefold()
            if lowered in ("model.yml", "model.yaml"):
                if (elsewhere := _jan_path(path)) is not None:
                    yield elsewhere
            elif (match := DIGEST.fullmatch(name)) and Path(parent).name == "blobs":
                if parent not in parts:
                    parts[parent] = digests_that_are_no_models(Path(parent).parent)
                if match[1] not in parts[parent] and begins_like_gguf(path):
                    yield path
            elif lowered.endswith(".gguf") and _may_be_whole(path) and path.is_file():
                yield path


def _may_be_whole(path: Path) -> bool:
    """By its name neither a projector, an adapter or the like, nor half a download of GPT4All."""
    is_begun = path.name.startswith("incomplete-") and path.parent.name.casefold() == "gpt4all"
    return parse_name(path.name).kind == MODEL and not is_begun


def _in_hub_cache(path: Path, paths: tuple[Path, ...]) -> ForeignModel | None:
    for parent in path.parents:
        if parent.parent.name == "snapshots" and parent.parents[1].name.startswith("models--"):
            repo = parent.parents[1].name.removeprefix("models--").replace("--", "/", 1)
            if not is_repo_id(repo):
                return None
            names = tuple(part.relative_to(parent).as_posix() for part in paths)
            return ForeignModel(paths, names, Origin.HF_CACHE, repo, *license_beside(parent))
    return None


def _in_lm_studio(path: Path, paths: tuple[Path, ...]) -> ForeignModel | None:
    try:
        chosen = lm_studio_folder(Path.home())
    except RuntimeError:  # nobody's home is known
        chosen = None
    is_chosen = chosen is not None and chosen in path.parents
    if not is_chosen and not any(p.name in (".lmstudio", "lm-studio") for p in path.parents):
        return None
    repo = f"{path.parents[1].name}/{path.parent.name}"
    top = path.parents[2] if len(path.parents) > 2 else path
    is_deep = (top == chosen if is_chosen else top.name == "models") and is_repo_id(repo)
    names = tuple(part.name for part in paths)
    beside = license_beside(path.parent)
    return ForeignModel(paths, names, Origin.LM_STUDIO, repo if is_deep else "", *beside)


def _in_jan(path: Path, paths: tuple[Path, ...]) -> ForeignModel | None:
    note = next((n for n in ("model.yml", "model.yaml") if (path.parent / n).is_file()), None)
    if note is None:
        return None
    names = tuple(part.name for part in paths)
    if path.name.casefold() == "model.gguf" and is_plain_name(f"{path.parent.name}.gguf"):
        names = (f"{path.parent.name}.gguf",)
    return ForeignModel(paths, names, Origin.JAN)


def _jan_path(note: Path) -> Path | None:
    """The file that a `model.yml` names and that does not lie beside it."""
    text = read_text(note) or ""
    match = re.search(r"^model_path:\s*[\"']?([^\"'\n]+?)[\"']?\s*$", text, re.MULTILINE)
    if match is None:
        return None
    path = Path(match[1])
    is_meant = path.is_absolute() and path.suffix.casefold() == ".gguf" and path.is_file()
    return path if is_meant else None


def _in_llama_cpp(path: Path, paths: tuple[Path, ...]) -> ForeignModel | None:
    told = read_json(path.with_name(f"{path.name}.json")).get("url")
    match = _ADDRESS.match(told) if isinstance(told, str) else None
    if match is not None and is_repo_id(match[1]):
        names = tuple(_without_repo(part.name, match[1]) for part in paths)
        return ForeignModel(paths, names, Origin.LLAMA_CPP, match[1])
    for note in sorted(path.parent.glob("manifest=*=*=*.json"))[:MOST_FILES]:
        repo = "/".join(note.name.split("=")[1:3])
        manifest = read_json(note) if is_repo_id(repo) else {}
        if path.name != _cached_name(repo, manifest.get("ggufFile")):
            continue
        eyes = path.with_name(_cached_name(repo, manifest.get("mmprojFile")) or "none")
        names = tuple(_without_repo(part.name, repo) for part in paths)
        found = ForeignModel(paths, names, Origin.LLAMA_CPP, repo)
        if not eyes.is_file():
            return found
        return replace(found, projector=eyes, projector_name=_without_repo(eyes.name, repo))
    return None


def _cached_name(repo: str, file: object) -> str:
    """Under which name llama.cpp keeps a file of a manifest; "" for none."""
    inside = file.get("rfilename") if isinstance(file, dict) else None
    name = f"{repo}/{inside}".replace("/", "_")
    return name if isinstance(inside, str) and is_plain_name(name) else ""


def _without_repo(name: str, repo: str) -> str:
    return name.removeprefix(repo.replace("/", "_") + "_") or name


def _in_ollama(path: Path, paths: tuple[Path, ...]) -> ForeignModel | None:
    digest = DIGEST.fullmatch(path.name)
    root = path.parents[1]
    if digest is None or path.parent.name != "blobs" or not (root / "manifests").is_dir():
        return None
    for manifest in ollama_manifests(root):
        layers = ollama_layers(manifest)
        if digest[1] not in layers.get("model", ()):
            continue
        host, *middle, name, tag = ("", *manifest.relative_to(root / "manifests").parts)[-4:]
        repo = f"{middle[-1]}/{name}" if middle and host in _HUB_HOSTS else ""
        called = f"{name}-{tag}.gguf"
        texts = [read_text(path.with_name(f"sha256-{d}")) for d in layers.get("license", ())]
        name = called if is_plain_name(called) else f"{digest[1][:12]}.gguf"
        eyes = [path.with_name(f"sha256-{known}") for known in layers.get("projector", ())]
        return ForeignModel(
            paths,
            (name,),
            Origin.OLLAMA,
            repo if is_repo_id(repo) else "",
            next((text for text in texts if text), None),
            projector=eyes[0] if eyes else None,
            projector_name=f"mmproj-{name}",
        )
    return ForeignModel(paths, (f"{digest[1][:12]}.gguf",), Origin.OLLAMA)


def _is_alone(path: Path) -> bool:
    """Whether its folder holds no other model, so that a license there can only mean this one."""
    own = {part.name for part in shard_paths(path)}
    try:
        others = [p.name for p in path.parent.iterdir() if p.suffix.casefold() == ".gguf"]
    except OSError:
        return False
    return all(name in own or name.casefold().startswith("mmproj") for name in others)
