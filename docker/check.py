"""Checks the containers where no Docker engine is at hand.

    python docker/check.py          reads the Dockerfiles and the compose file and checks what they promise
    python docker/check.py --run    also runs every RUN line: in a clean environment, under a scratch root,
                                    with /opt/venv, /src, /app and /data moved there; apt-get is simulated

Prints one JSON object; exits 1 when a problem was found. What is never run here: FROM (the base images),
COPY --from, HEALTHCHECK and CMD.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILES = ("docker/web.Dockerfile", "docker/worker.Dockerfile")
MOVED = ("/opt/venv", "/src", "/app", "/data")
LIMIT_SECONDS = 1200


@dataclass
class Stage:
    """One FROM with its instructions, in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)


def stages(text: str) -> list[Stage]:
    """The stages of a Dockerfile; continued lines are joined."""
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name))
        elif word and not word.startswith("#"):
            found[-1].steps.append((word, rest))
    return found


def promises(path: str, parsed: list[Stage]) -> list[str]:
    """What every shipped stage must have: a user that is not root, a health check, files that exist."""
    found = []
    for stage in parsed:
        steps = dict(stage.steps)
        if not stage.name.endswith("build"):
            for need in ("USER", "HEALTHCHECK", "CMD"):
                if need not in steps:
                    found.append(f"{path} [{stage.name or 'last'}]: no {need}")
            if steps.get("USER") in ("root", "0"):
                found.append(f"{path}: runs as root")
        for word, rest in stage.steps:
            if word == "COPY" and not rest.startswith("--from"):
                sources = rest.split()[:-1]
                found += [f"{path}: COPY {s}: no such file" for s in sources if not (ROOT / s).exists()]
    return found


def compose_problems() -> list[str]:
    """References of the compose file that lead nowhere."""
    spec = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
    services, found = spec["services"], []
    for name, service in services.items():
        build = service.get("build")
        if not (build or service.get("image")):
            found.append(f"compose {name}: neither image nor build")
        if build:
            file = ROOT / build["dockerfile"]
            names = {s.name for s in stages(file.read_text())} if file.exists() else set()
            if build.get("target") and build["target"] not in names:
                found.append(f"compose {name}: no target {build['target']} in {build['dockerfile']}")
        for other, rule in service.get("depends_on", {}).items():
            if other not in services:
                found.append(f"compose {name}: depends on {other}, which is not there")
            elif rule["condition"] == "service_healthy" and "healthcheck" not in services[other]:
                found.append(f"compose {name}: waits for {other} to be healthy, which has no check")
        for volume in service.get("volumes", []):
            if volume.split(":")[0] not in spec["volumes"]:
                found.append(f"compose {name}: unknown volume {volume}")
    return found


def run_stage(stage: Stage, scratch: Path) -> list[dict[str, object]]:
    """Run a stage's RUN lines in order, copying what it copies; stops at the first failure."""
    here, done = scratch, []
    (scratch / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow", "gshadow"):
        (scratch / "etc" / name).touch()
    for word, rest in stage.steps:
        if word == "WORKDIR":
            here = scratch / rest.lstrip("/")
            here.mkdir(parents=True, exist_ok=True)
        elif word == "COPY" and not rest.startswith("--from"):
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, here / target)
        elif word == "RUN":
            done.append(_run(rest, here, scratch))
            if done[-1]["exit"] != 0:
                break
    return done


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _run(line: str, here: Path, scratch: Path) -> dict[str, object]:
    moved = line
    for path in MOVED:
        moved = re.sub(rf"(?<![\w/]){path}(?![\w])", str(scratch) + path, moved)
    moved = moved.replace("useradd ", f"useradd --prefix {scratch} ").replace(
        "chown shop:shop", "chown 10001"
    )
    moved = moved.replace("apt-get install", "apt-get install --simulate").replace(
        "rm -rf /var/lib/apt/lists/*", "true"
    )
    keep = {k: v for k, v in os.environ.items() if k in ("HOME", "LANG") or k.startswith(("PIP_", "SSL_"))}
    env = {**keep, "PATH": os.environ["PATH"]}
    ran = subprocess.run(  # noqa: S603 - lines of our own Dockerfiles
        ["/bin/bash", "-ec", f"mkdir -p {scratch}/home; {moved}"],
        cwd=here,
        env=env,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return {"run": line, "exit": ran.returncode, "error": ran.stderr[-500:] if ran.returncode else ""}


def main() -> int:
    """Check, run if asked, print, and say by the exit code how it went."""
    report: dict[str, object] = {"problems": compose_problems(), "ran": {}}
    problems: list[str] = report["problems"]  # type: ignore[assignment]
    for path in DOCKERFILES:
        parsed = stages((ROOT / path).read_text())
        problems += promises(path, parsed)
        for stage in parsed if "--run" in sys.argv else []:
            with tempfile.TemporaryDirectory() as scratch:
                results = run_stage(stage, Path(scratch))
            report["ran"][f"{path} {stage.name}"] = results  # type: ignore[index]
            problems += [f"{path}: {r['run']}: exit {r['exit']}" for r in results if r["exit"] != 0]
    print(json.dumps(report, indent=1))  # noqa: T201 - a command
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
