"""e_fit: known lines are recovered, and it separates the spaces of the paper."""

import numpy as np
import pytest

from darts.design_space.budget import Budget
from darts.design_space.linear_fit import block_widths, fit_lines
from darts.design_space.sampling import sample
from darts.design_space.spaces import create_space
from darts.models.anynet.config import AnyNetConfig, Stage
from darts.models.anynet.regnet import RegNet

EXAMPLE = RegNet(depth=13, w0=24, wa=36.44, wm=2.49, group_width=8)


def test_the_example_of_the_paper_is_fitted_exactly() -> None:
    (fit,) = fit_lines([EXAMPLE.config()])
    assert fit.error == 0
    assert fit.widths(13).tolist() == [24, 56, *[152] * 4, *[368] * 7]
    assert fit.widths(13).tolist() == block_widths(EXAMPLE.config()).tolist()
    assert fit.line(3).tolist() == [24, 24 + fit.wa, 24 + 2 * fit.wa]


def test_constant_widths_have_no_slope() -> None:
    config = AnyNetConfig(stages=(Stage(depth=5, width=64), Stage(depth=2, width=64)))
    (fit,) = fit_lines([config])
    assert (fit.w0, fit.error) == (64, 0)
    assert fit.widths(7).tolist() == [64] * 7


def test_error_by_hand() -> None:
    # Falling widths: no line does better than a constant one at the longer stage's width, so that
    # one block of four is off by log 2.
    config = AnyNetConfig(stages=(Stage(depth=1, width=64), Stage(depth=3, width=32)))
    (fit,) = fit_lines([config])
    assert fit.error == pytest.approx(np.log(2) / 4)


def test_error_belongs_to_the_fitted_line() -> None:
    drawn = sample(create_space("anynetx_c"), 20, np.random.default_rng(0))
    configs = [one.config for one in drawn]
    for config, fit in zip(configs, fit_lines(configs), strict=True):
        ratio = fit.widths(config.depth) / block_widths(config)
        assert fit.error == pytest.approx(np.abs(np.log(ratio)).mean())
        assert fit.w0 % 8 == 0
        assert 8 <= fit.w0 <= 248
        assert 0 <= fit.wa < 256
        assert 1.5 <= fit.wm <= 3
    assert fit_lines([]) == ()


def test_mean_falls_from_c_to_d_to_e_to_regnet() -> None:
    # §3.3; in the paper's window of 360 to 400 M multiply-adds.
    window = Budget(min_macs=360e6, max_macs=400e6)
    means = []
    for name in ("anynetx_c", "anynetx_d", "anynetx_e", "regnetx"):
        drawn = sample(create_space(name), 60, np.random.default_rng(0), budget=window)
        means.append(np.mean([fit.error for fit in fit_lines([one.config for one in drawn])]))
    assert means[0] > means[1] > means[2] > means[3]
    # RegNets miss their line only by groups that were made to fit.
    assert means[3] < 0.04
