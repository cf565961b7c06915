"""The exact loss of a model while it is trained, every so many steps."""

from collections.abc import Callable

from solvers.autoencoders.checkpoints.live import Model, sae_of
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.runtime.arguments import check_whole, checked
from theory.laws.law import Law

#: What takes metrics and a step, as `wandb.log` does by keyword.
Log = Callable[[dict[str, float], int], object]


class ExactLossCallback:
    """What `exact_loss_callback` returns: call it with every step and the model.

    Parameters
    ----------
    law : Law
    objective : Objective
    every : int
    log : function or None

    Attributes
    ----------
    losses : list of (int, ExpectedLoss)
        The steps at which the exact loss was evaluated, and what it was.
    """

    def __init__(self, law: Law, objective: Objective, every: int, log: Log | None) -> None:
        self.law = law
        self.objective = objective
        self.every = every
        self.log = log
        self.losses: list[tuple[int, ExpectedLoss]] = []

    def __call__(self, step: int, model: Model) -> dict[str, float]:
        """Evaluate the loss at a multiple of `every`; return what is logged, {} at other steps.

        Raises
        ------
        InputError
            As `as_sae` and `expected_loss`.
        """
        if check_whole("step", step, 0) % self.every:
            return {}
        loss = expected_loss(self.law, sae_of("model", model), self.objective)
        self.losses.append((step, loss))
        metrics = {"exact_loss": loss.total}
        if self.log is not None:
            self.log(metrics, step)
        return metrics


@checked
def exact_loss_callback(
    law: Law, objective: Objective, every: int = 100, log: Log | None = None
) -> ExactLossCallback:
    """Return a callback for a training loop: the exact loss every so many steps.

    Call it with the step and the model, after the optimiser's step or before; the model is left
    alone. The loss is that of the weights then, in the convention of `objective`: of no batch, and
    without noise.

    SAELens' trainer takes an evaluator, and logs what that returns where its other metrics go;
    how often is for its `LoggingConfig` to say, so that here `every` is 1::

        exact = exact_loss_callback(law, objective, every=1)
        trainer = SAETrainer(
            cfg, sae, data,
            evaluator=lambda sae, data, scaler: exact(trainer.n_training_steps, sae),
        )
        trainer.fit()

    With another loop, `log` may be ``lambda metrics, step: wandb.log(metrics, step=step)``.

    Parameters
    ----------
    law : Law
    objective : Objective
    every : int ≥ 1
        The loss is evaluated at the multiples of this step, 0 among them.
    log : function, optional
        Called with {"exact_loss": total} and the step.

    Raises
    ------
    InputError
        If an argument is none of these.

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> exact = exact_loss_callback(load_law("shared"), Objective(l1=0.1), every=2)
    >>> for step in range(4):
    ...     metrics = exact(step, frame_sae(0.0))
    >>> [(step, round(loss.total, 12)) for step, loss in exact.losses]
    [(0, 0.1), (2, 0.1)]
    """
    return ExactLossCallback(law, objective, check_whole("every", every, 1), log)
