"""The rules of choice on made-up numbers: noise, ties, one cell, none."""

import pytest

from darts.errors import UserError
from darts.statistics.components import pooled_difference
from darts.sweeps.choice import WARNINGS, Candidate, choose
from darts.sweeps.chosen import CellOutcome, deviations_sentence, outcome_table


def trained(*groups: tuple[float, ...]) -> list[Candidate]:
    return [Candidate((seed,), values, 100) for seed, values in enumerate(groups)]


def test_a_clear_winner() -> None:
    cells = trained((80.0, 80.4), (90.0, 90.2), (70.1, 70.3))
    choice = choose("retrain", cells)
    assert choice.seed == 1
    assert [one.seeds for one in choice.candidates] == [(1,), (0,), (2,)]
    groups = [(90.0, 90.2), (80.0, 80.4), (70.1, 70.3)]
    assert choice.difference == pooled_difference(groups, 0, 1)
    assert choice.within_noise is False
    sentence = choice.sentence()
    assert "Chosen: the cell of seed 1, for the highest accuracy on set-aside" in sentence
    assert "90.10 %, mean of 2 short trainings; seed 0: 80.20 %" in sentence
    assert "beyond the noise" in sentence
    assert choice.components is not None
    assert choice.components.within == pytest.approx((0.12 / 3) ** 0.5)
    assert "deviate by 0.20 points, the cells themselves by 9.95" in deviations_sentence(choice)


def test_a_difference_within_the_noise_is_called_so() -> None:
    choice = choose("retrain", trained((80.0, 82.0), (81.0, 81.5)))
    assert (choice.seed, choice.within_noise) == (1, True)
    assert "within the noise, so another cell may be as good" in choice.sentence()


def test_of_equal_cells_the_first_is_taken_and_that_is_said() -> None:
    choice = choose("retrain", trained((79.0, 79.0), (80.0, 82.0), (81.0, 81.0)))
    assert choice.seed == 1
    assert "seed 2 has the same accuracy" in choice.sentence()
    assert "the first one is taken" in choice.sentence()


def test_one_training_of_each_cell_knows_no_noise() -> None:
    choice = choose("retrain", trained((80.0,), (81.0,)))
    assert choice.within_noise is None
    assert "one short training" in choice.sentence()
    assert "not known" in choice.sentence()
    assert deviations_sentence(choice) == ""


def test_one_cell() -> None:
    shared = choose("retrain", [Candidate((0, 2, 3), (), 0)])
    assert shared.seed == 0
    assert "seeds 0, 2, 3, because these searches found the same cell" in shared.sentence()
    assert shared.as_dict()["candidates"][0]["mean"] is None
    alone = choose("one-shot", [Candidate((4,), (50.0,), 100)])
    assert "seed 4, because no other cell could be judged" in alone.sentence()
    assert alone.warning == ""


def test_no_cell() -> None:
    with pytest.raises(UserError, match="no cell"):
        choose("retrain", [])


@pytest.mark.parametrize("rule", ["one-shot", "validation"])
def test_the_noise_of_few_images(rule: str) -> None:
    few = choose(rule, [Candidate((0,), (60.0,), 100), Candidate((1,), (64.0,), 100)])
    assert few.seed == 1
    # 1.96 · √(64·36 / 100 + 60·40 / 100) = 13.44 points
    assert few.difference is not None
    assert few.difference.high == pytest.approx(4 + 13.44, abs=0.01)
    assert few.within_noise
    many = choose(rule, [Candidate((0,), (60.0,), 10**4), Candidate((1,), (64.0,), 10**4)])
    assert many.within_noise is False
    assert many.warning == WARNINGS[rule] != ""
    assert many.components is None


def test_the_table_of_seeds() -> None:
    choice = choose("retrain", [Candidate((0, 3), (80.0, 82.0), 10), Candidate((1,), (79.0,), 10)])
    rows = outcome_table(
        [
            CellOutcome(seed=0, cell="A", validation_accuracy=50.0, accuracies=(80.0, 82.0),
                        skips=2, macs=1234567),
            CellOutcome(seed=1, cell="B", error="1 of 2 trials failed: no"),
            CellOutcome(seed=2, error="line\nThe loss became infinite."),
        ],
        choice,
    )  # fmt: skip
    assert rows[1] == ("0", "A", "50.00 %", "81.00 ± 1.41 %", "2", "1,234,567", "chosen")
    assert rows[2][-1] == "1 of 2 trials failed: no"
    assert rows[3] == ("2", "–", "–", "–", "–", "–", "failed: The loss became infinite.")


def test_a_random_cell_can_win() -> None:
    cells = [*trained((80.0, 80.2)), Candidate((), (90.0, 90.2), 100, random=3)]
    choice = choose("retrain", cells)
    assert choice.seed is None
    assert "Chosen: random cell 3, for the highest accuracy" in choice.sentence()
    assert "; seed 0: 80.10 %" in choice.sentence()
    assert choice.as_dict()["candidates"][0]["random"] == 3
    rows = outcome_table(
        [CellOutcome(seed=0, cell="A"), CellOutcome(random=3, accuracies=(90.0,), macs=12)], choice
    )
    assert rows[1][-1] == ""
    assert rows[2] == ("random 3", "–", "–", "90.00 %", "–", "12", "chosen")


def test_of_equal_means_the_searched_cell_is_taken() -> None:
    choice = choose("retrain", [*trained((80.0,)), Candidate((), (80.0,), 100, random=1)])
    assert choice.seed == 0
    assert "although random cell 1 has the same" in choice.sentence()
