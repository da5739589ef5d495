import numpy as np
import pytest

from penstock.data import sunspots
from penstock.data.time.season import calendar_seasons, find_season
from penstock.data.time.spacing import Spacing, parse_frequency

STEPS = np.arange(300)


@pytest.mark.parametrize("season", [4, 7, 12, 24])
def test_a_season_is_found_under_trend_and_noise(season: int) -> None:
    noise = np.random.default_rng(0).standard_normal(300)
    pattern = np.random.default_rng(season).standard_normal(season) * 4
    assert find_season([pattern[STEPS % season] + 0.1 * STEPS + noise]) == season


@pytest.mark.parametrize("season", [7, 12, 24])
@pytest.mark.parametrize("seed", range(5))
def test_weak_seasons_are_found(season: int, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(1000)
    wave = 0.5 * np.sin(2 * np.pi * np.arange(1000) / season)  # a ninth of the variance
    assert find_season([wave + noise]) == season
    walk = np.cumsum(0.2 * np.random.default_rng(seed + 5).standard_normal(1000))
    assert find_season([3 * wave + noise + walk]) == season


def test_the_sunspots_have_eleven_years() -> None:
    assert find_season([sunspots().series[0].values[:185]]) == 11


@pytest.mark.parametrize("seed", range(10))
def test_random_walks_and_noise_have_none(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(400)
    assert find_season([np.cumsum(noise)]) == 1
    assert find_season([noise]) == 1


def test_short_series_have_none() -> None:
    assert find_season([np.array([1.0, 2.0])]) == 1
    assert find_season([np.array([1.0])]) == 1


def test_series_are_pooled() -> None:
    rng = np.random.default_rng(0)
    parts = [np.sin(2 * np.pi * np.arange(40) / 6) + rng.standard_normal(40) for _ in range(50)]
    assert find_season(parts) == 6


def made(kind: str, season: int, length: int, seed: int) -> np.ndarray:
    draw, place = np.random.default_rng(seed), np.arange(length) % season
    if kind == "peak":  # one month, or one hour, above all others
        return 5.0 * (place == season // 3)
    if kind == "bell":  # as the sun in a day: long nights, and the lags beside are nearly as good
        return np.clip(np.sin(2 * np.pi * place / season), 0, None) * 4
    if kind == "thirds":  # the end of a quarter stands out more than the year does
        return 4.0 * (place % (season // 4) == 0) * (1 + 0.35 * (place == 0)) + (place == 5)
    return 3 * draw.standard_normal(season)[place]


KNOWN = [
    ("1mo", "peak", 12), ("1mo", "thirds", 12), ("1mo", "drawn", 12), ("1q", "drawn", 4),
    ("1d", "drawn", 7), ("1d", "peak", 7), ("1w", "peak", 52), ("1h", "bell", 24),
    ("30min", "bell", 48), ("15min", "bell", 96), ("1h", "peak", 24), ("1d", "drawn", 10),
]  # fmt: skip


@pytest.mark.parametrize("trend", [0.0, 0.03])
@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize(("step", "kind", "season"), KNOWN)
def test_known_seasons(step: str, kind: str, season: int, noise: float, trend: float) -> None:
    length = 5 * season + 60
    time, draw = np.arange(length), np.random.default_rng(season)
    walk = np.cumsum(0.2 * noise * draw.standard_normal(length))
    values = made(kind, season, length, 3) + trend * time + noise * draw.standard_normal(length)
    assert find_season([values + walk], parse_frequency(step)) == season


def test_the_week_of_hours_is_taken_where_it_says_more() -> None:
    hours = np.arange(24 * 7 * 9)
    day = np.sin(2 * np.pi * hours / 24)
    weekend = hours // 24 % 7 >= 5
    step = parse_frequency("1h")
    assert find_season([day + 0.3 * weekend], step) == 24
    assert find_season([day * (1 - weekend) + 2 * weekend], step) == 168


def test_half_a_year_is_kept_where_the_year_adds_nothing() -> None:
    pattern = np.array([0.0, 4, 1, -2, 3, 0])
    assert find_season([pattern[np.arange(120) % 6]], parse_frequency("1mo")) == 6


@pytest.mark.parametrize(
    ("step", "seasons"),
    [("1mo", (12,)), ("1q", (4,)), ("1y", ()), ("1d", (7, 365)), ("1w", (52,)), ("1h", (24, 168)),
     ("30min", (48, 336)), ("7min", ()), ("2d", ()), ("12h", (14,)), ("1min", ())],
)  # fmt: skip
def test_the_seasons_of_the_calendar(step: str, seasons: tuple[int, ...]) -> None:
    assert calendar_seasons(parse_frequency(step)) == seasons
    assert calendar_seasons(Spacing("business day")) == (5,)
    assert calendar_seasons(Spacing("number", yearly=True)) == calendar_seasons(None) == ()


@pytest.mark.parametrize("step", ["1mo", "1d", "1h", "1w"])
@pytest.mark.parametrize("seed", range(10))
def test_noise_has_no_season_of_the_calendar(seed: int, step: str) -> None:
    noise = np.random.default_rng(seed).standard_normal(400)
    for values in (noise, np.cumsum(noise), noise + 0.05 * np.arange(400)):
        assert find_season([values], parse_frequency(step)) == 1
