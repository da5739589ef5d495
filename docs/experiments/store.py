"""What is kept on disk: the claims that were tried, and the runs of those that were cut off."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.progress import track

from experiments import problems, training
from experiments.record import Check, Claim, Estimate
from experiments.training import Job, Run, train
from penstock.atomic import replacing


@dataclass(frozen=True)
class Journal:
    """Runs of networks, one a line, written as they come."""

    path: Path

    def __call__(self, jobs: Sequence[Job]) -> list[Run]:
        """Return the runs of jobs; those that are written already are not made again."""
        known, code = self.read(), fingerprint()
        with self.path.open("a", encoding="utf-8") as file:
            for job in track(jobs, description=f"training {len(jobs)} networks"):
                if job not in known:
                    known[job] = train(job)[0]
                    # The newline goes first, as the line before may have been cut off.
                    file.write("\n" + json.dumps({"code": code, **asdict(known[job])}))
                    file.flush()
        return [known[job] for job in jobs]

    def read(self) -> dict[Job, Run]:
        """Return what is written and whole, and was run by the present code."""
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        code = fingerprint()
        found = [line for line in map(parse, lines) if line.pop("code", None) == code]
        jobs = [Job(**line.pop("job")) for line in found]
        return {job: Run(job, **line) for job, line in zip(jobs, found, strict=True)}


def parse(line: str) -> dict[str, Any]:
    """Return a line's record; an empty one where it was cut off."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def fingerprint() -> str:
    """Return what is different where the code that trains is, or torch."""
    files = (Path(str(module.__file__)) for module in (problems, training))
    code = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(code + torch.__version__.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Tried:
    """A claim, and how it came about."""

    claim: Claim
    about: str


@dataclass(frozen=True)
class Record:
    """The claims that were tried, by name, in a file beside the page."""

    path: Path

    def journal(self, name: str) -> Journal:
        """Return where the runs of a claim are kept until it is tried to the end."""
        return Journal(self.path.with_suffix(f".{name}.jsonl"))

    def read(self) -> dict[str, Tried]:
        """Return what is recorded."""
        found = json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}
        return {name: Tried(to_claim(x["claim"]), x["about"]) for name, x in found.items()}

    def keep(self, name: str, tried: Tried) -> dict[str, Tried]:
        """Put a claim in place of what was recorded of it; return all; drop its journal."""
        found = {**self.read(), name: tried}
        written = {n: {"about": x.about, "claim": from_claim(x.claim)} for n, x in found.items()}
        with replacing(self.path) as file:
            file.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")
        self.journal(name).path.unlink(missing_ok=True)
        return found


def from_claim(claim: Claim) -> dict[str, Any]:
    """Return a claim as JSON has it, where limits are finite or absent."""
    checks: Iterable[dict[str, Any]] = (asdict(check) for check in claim.checks)
    finite = [{k: v for k, v in c.items() if v not in (math.inf, -math.inf)} for c in checks]
    return {**asdict(claim), "checks": finite}


def to_claim(found: dict[str, Any]) -> Claim:
    """Return the claim of a record."""
    checks = [Check(**{**c, "figure": to_estimate(c["figure"])}) for c in found["checks"]]
    rows = [tuple(row) for row in found["rows"]]
    return Claim(found["title"], found["method"], checks, tuple(found["head"]), rows)


def to_estimate(found: dict[str, Any]) -> Estimate:
    """Return the figure of a record."""
    bounds = found["interval"]
    return Estimate(found["mean"], bounds and (bounds[0], bounds[1]))
