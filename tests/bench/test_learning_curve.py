"""The learning curve's fit finds a law that is there and says so where there is none."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def beside(monkeypatch, request):
    """Benches import each other by name, as when they are run as scripts."""
    monkeypatch.syspath_prepend(str(request.path.parent))


def logged(loss, every):
    """Lines [n, 3] as the training loop writes them of a loss at every step."""
    mean, lines = loss[0], []
    for step, now in enumerate(loss, 1):
        mean = now if step == 1 else 0.99 * mean + 0.01 * now
        if step % every == 0:
            lines.append([step, mean, step])
    return np.array(lines)


def test_the_mean_between_two_lines_comes_back_out_of_the_running_mean():
    from bench_learning_curve import between

    steps = np.where(np.arange(200) < 100, 3.0, 1.0)
    points = between(logged(steps, 20))
    assert points[:, 1] == pytest.approx([3.0] * 4 + [1.0] * 5) and (points[:, 2] == 20).all()
    assert points[0, 0] == pytest.approx(30.5)


def test_a_law_is_found_and_a_flat_line_has_none():
    from bench_learning_curve import fitted, summary, value

    step = np.arange(10.0, 1000.0, 10.0)
    points = np.stack([step, 0.2 + 3.0 * step**-0.6, np.full(len(step), 10.0)], 1)
    law = fitted(points)
    assert law[2] == pytest.approx(0.6, rel=0.05) and value(law, 2000.0) == pytest.approx(
        0.2 + 3.0 * 2000**-0.6, rel=0.01
    )
    low, high = summary(points)["gain"][2]
    true = value((0.2, 3.0, 0.6), 1990.0) / value((0.2, 3.0, 0.6), 995.0) - 1
    assert low - 0.01 < true < high + 0.01
    rising = points.copy()
    rising[:, 1] = 0.5 + 1e-4 * step
    assert fitted(rising)[1] == 0.0
