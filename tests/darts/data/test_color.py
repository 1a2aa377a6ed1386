import pytest
import torch

from darts.data import color
from darts.system.torchvision_compat import torchvision

functional = torchvision.transforms.functional
CHANGES = torch.tensor([-0.4, -0.1, 0.0, 0.2, 0.4])
STEPS = ["brightness", "contrast", "saturation", "hue"]


@pytest.fixture
def images(generator):
    result = torch.rand(5, 3, 7, 6, generator=generator)
    result[:, :, 0, 0] = 0.5  # grey: no hue
    result[:, :, 0, 1] = 0
    result[:, :, 0, 2] = 1
    result[:, 1, 0, 3] = result[:, 0, 0, 3]  # two channels tie for the largest or smallest
    return result


@pytest.mark.parametrize("step", STEPS)
def test_each_step_equals_torchvisions(images, step):
    changes = CHANGES / 2 if step == "hue" else CHANGES
    result = getattr(color, f"adjust_{step}")(images, changes.view(-1, 1, 1, 1))
    theirs = getattr(functional, f"adjust_{step}")
    for image, change, changed in zip(images, changes.tolist(), result, strict=True):
        factor = change if step == "hue" else 1 + change
        # torchvision's grey is 0.2989, 0.587, 0.114: the three do not add up to one.
        torch.testing.assert_close(changed, theirs(image, factor), atol=2e-4, rtol=0)


def test_a_third_of_a_turn_makes_green_of_red():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    turned = color.adjust_hue(red, torch.tensor(1 / 3).view(1, 1, 1, 1))
    torch.testing.assert_close(turned.flatten(), torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


def test_no_change_changes_nothing(images):
    torch.testing.assert_close(color.jitter(images, torch.zeros(4, 5), [3, 1, 0, 2]), images)


def test_steps_are_taken_in_the_order_asked_for(images):
    changes = torch.tensor([[0.4], [-0.3], [0.2], [0.1]]).expand(4, 5)
    one, other = (color.jitter(images, changes, order) for order in ([0, 1, 2, 3], [1, 0, 2, 3]))
    by_hand = images
    for step, change in zip(STEPS, (0.4, -0.3, 0.2, 0.1), strict=True):
        by_hand = getattr(color, f"adjust_{step}")(by_hand, torch.tensor(change))
    torch.testing.assert_close(one, by_hand)
    assert not torch.allclose(one, other)
