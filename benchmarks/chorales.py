"""Made music, on which networks of the size that is searched for beat small ones.

python benchmarks/chorales.py [TIME]: writes four-part chorales by rule, compares a cell on them
with `--size small` and with `--size auto`, in TIME (10m) each, and prints both.

A chorale has a key and a mode, and four phrases of 16 half-beats in the form A A B A: the first
phrase comes three times as it was. A phrase goes by the functions of harmony, from the tonic by way
of subdominant and dominant to a cadence, which is a half cadence in B. The rules of part writing
are those of Piston (1941, Harmony): parts do not cross; the upper three lie within an octave
of the next; chords stand on their root, whole; the leading note is not doubled,
and rises to the tonic; parts move as little as they can, and two of them in parallel fifths or
octaves only where there is no choice. Of what is as good, chance takes one; and a third in the
soprano is filled by a passing note, or not, by chance.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

COUNT = 1000
BEATS = 8  # of a phrase, two frames each
LOWEST, HIGHEST = 38, 80
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 11)}
NEXT = {  # degrees from 0, and those that may follow
    0: (0, 1, 3, 3, 4, 5),
    1: (4, 4, 6),
    3: (0, 1, 4, 4),
    4: (0, 0, 0, 5),
    5: (1, 3, 3),
    6: (0,),
}
RANGES = ((60, 81), (55, 74), (48, 67), (38, 62))  # soprano, alto, tenor, bass

Chord = tuple[int, ...]


def chorale(draw: np.random.Generator) -> np.ndarray:
    """Return the frames of a chorale [64, 43], ones where a note sounds."""
    tonic, mode = int(draw.integers(12)), str(draw.choice(list(SCALES)))
    first = phrase(draw, tonic, mode, half=False)
    other = phrase(draw, tonic, mode, half=True)
    frames = np.zeros((8 * BEATS, HIGHEST - LOWEST + 1), np.int64)
    for row, notes in enumerate([*first, *first, *other, *first]):
        frames[row, [note - LOWEST for note in notes]] = 1
    return frames


def phrase(draw: np.random.Generator, tonic: int, mode: str, *, half: bool) -> list[Chord]:
    """Return the notes of each half-beat of a phrase."""
    degrees = [0]
    while len(degrees) < BEATS - 2:
        degrees.append(int(draw.choice(NEXT[degrees[-1]])))
    degrees += [1, 4] if half else [4, 0]
    scale = SCALES[mode]
    voicings, leading = list[Chord](), (tonic + scale[6]) % 12
    for degree in degrees:
        chord = [(tonic + scale[(degree + k) % 7]) % 12 for k in (0, 2, 4)]
        voicings.append(voiced(draw, chord, leading, voicings[-1] if voicings else None))
    frames = []
    for now, then in itertools.zip_longest(voicings, voicings[1:]):
        frames.append(now)
        frames.append(passing(draw, now, then, {(tonic + step) % 12 for step in scale}))
    return frames


def voiced(
    draw: np.random.Generator, chord: list[int], leading: int, before: Chord | None
) -> Chord:
    """Return soprano, alto, tenor and bass of a chord, near to those before."""
    bass = [note for note in range(*RANGES[3]) if note % 12 == chord[0]]
    upper = [[note for note in range(*span) if note % 12 in chord] for span in RANGES[:3]]
    able = [
        (s, a, t, b)
        for s, a, t, b in itertools.product(*upper, bass)
        if 0 < s - a <= 12 and 0 < a - t <= 12 and t > b and whole((s, a, t, b), chord, leading)
    ]
    if before is None:
        return able[int(draw.integers(len(able)))]
    costs = np.array([cost(before, one, leading) for one in able])
    best = np.flatnonzero(costs <= costs.min() + 1)
    return able[int(draw.choice(best))]


def whole(notes: Chord, chord: list[int], leading: int) -> bool:
    """Return whether every note of a chord is there, and the leading note no more than once."""
    classes = [note % 12 for note in notes]
    return {*classes} == {*chord} and classes.count(leading) <= 1


def cost(before: Chord, after: Chord, leading: int) -> float:
    """Return how far the parts move, and more for every rule that is broken."""
    moves = [y - x for x, y in zip(before, after, strict=True)]
    parallel = sum(
        moves[j] * moves[k] > 0
        and (before[j] - before[k]) % 12 == (after[j] - after[k]) % 12
        and (after[j] - after[k]) % 12 in (0, 7)
        for j, k in itertools.combinations(range(4), 2)
    )
    to_tonic = after[3] % 12 == (leading + 1) % 12
    falls = sum(
        note % 12 == leading and to_tonic and move != 1
        for note, move in zip(before, moves, strict=True)
    )
    moved = sum(map(abs, moves)) - abs(moves[3]) / 2
    return moved + 8 * (parallel + falls) + (2 if moves[0] == 0 else 0)


def passing(draw: np.random.Generator, now: Chord, then: Chord | None, scale: set[int]) -> Chord:
    """Return a chord's second half: the soprano may pass through the note between."""
    if then is None or abs(now[0] - then[0]) not in (3, 4) or draw.random() < 0.5:
        return now
    between = [n for n in range(min(now[0], then[0]) + 1, max(now[0], then[0])) if n % 12 in scale]
    return (between[0], *now[1:]) if between else now


def corpus() -> pl.DataFrame:
    """Return all chorales, a row a frame."""
    draw = np.random.default_rng(0)
    pieces = [chorale(draw) for _ in range(COUNT)]
    frames = np.concatenate(pieces)
    table = pl.DataFrame(frames, schema=[f"n{note}" for note in range(LOWEST, HIGHEST + 1)])
    ids = np.repeat([f"chorale {k:03}" for k in range(COUNT)], [len(piece) for piece in pieces])
    return table.insert_column(0, pl.Series("id", ids))


def compared(data: Path, size: str, time: str) -> str:
    """Return a line on the best cell of a comparison, and on the baselines."""
    out = data.parent / size
    command = ["penstock", "compare", str(data), "--task", "frames", "--id", "id", "--cells", "gru"]
    command += ["--seeds", "3", "--size", size]
    subprocess.run([*command, "--time", time, "--out", str(out)], check=True)
    results = json.loads((out / "results.json").read_text())
    found = {one["name"]: one for one in results["contestants"] if one["metrics"]}
    cell = found.pop("gru")
    nll = {name: f"{one['metrics']['NLL per frame']:.3f}" for name, one in found.items()}
    low, high = cell["intervals"]["NLL per frame"]
    return (
        f"--size {size}: gru of {cell['recurrent_parameters']:,} parameters, NLL per frame "
        f"{cell['metrics']['NLL per frame']:.3f} ({low:.3f} to {high:.3f}), frame accuracy "
        f"{cell['metrics']['frame accuracy']:.3f}, in {results['times']['total']:.0f} s; {nll}"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as held:
        file = Path(held) / "chorales.csv"
        corpus().write_csv(file)
        limit = sys.argv[1] if len(sys.argv) > 1 else "10m"
        lines = [compared(file, size, limit) for size in ("small", "auto")]
    print("\n".join(lines))
