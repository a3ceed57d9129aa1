"""The stores of other programs, as they lie on a disk."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from tests.gguf.builder import STRING, Build, model_keys


def gguf(name: str, license: str = "") -> bytes:
    """A small model; each name makes other bytes."""
    keys = {"general__name": (STRING, name)}
    if license:
        keys["general__license"] = (STRING, license)
    return Build(model_keys(**keys)).bytes()


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def hf_cache(root: Path, repo: str, name: str, content: bytes, license: str = "") -> Path:
    folder = root / f"models--{repo.replace('/', '--')}"
    blob = put(folder / "blobs" / hashlib.sha256(content).hexdigest(), content)
    snapshot = folder / "snapshots" / ("a" * 40) / name
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    snapshot.symlink_to(blob)
    if license:
        put(folder / "snapshots" / ("a" * 40) / "LICENSE", license)
    return snapshot


def ollama(root: Path, name: str, content: bytes, *licenses: str) -> Path:
    """`name` is HOST/OWNER/MODEL/TAG. Returns the blob of the model."""

    def blob(data: bytes) -> tuple[str, Path]:
        digest = hashlib.sha256(data).hexdigest()
        return f"sha256:{digest}", put(root / "blobs" / f"sha256-{digest}", data)

    digest, path = blob(content)
    layers = [("model", digest, len(content)), ("params", blob(b"{}")[0], 2)]
    layers += [("license", blob(text.encode())[0], len(text)) for text in licenses]
    manifest = {
        "schemaVersion": 2,
        "layers": [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": known, "size": size}
            for kind, known, size in layers
        ],
    }
    put(root / "manifests" / name, json.dumps(manifest))
    return path
