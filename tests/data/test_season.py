import numpy as np
import pytest

from penstock.data import sunspots
from penstock.data.season import find_season

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
