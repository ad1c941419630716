"""The loop: prune a little, recover, look, until the budgets hold.

The reductions follow a schedule. Each round of the loop is a *segment*: channels go until the costs have come
a fraction of the way to the budgets, then the model is fine-tuned for some steps. The last segments only
fine-tune; where it is not said how many, as long as that gains (`gains.py`). A segment after which accuracy
has collapsed is rolled back and done in two smaller ones. Every finished segment is saved, so that an
interrupted build goes on from there.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeprune.config.budgets import BUDGETS
from edgeprune.methods.channel_step import PrunedStep, Pruner, prune_step
from edgeprune.methods.gains import MOST_EPOCHS, Gains, round_steps
from edgeprune.methods.layers import layer_step
from edgeprune.methods.method import Applied
from edgeprune.methods.pricing import Price, exceeded
from edgeprune.methods.start import Start, describe_step
from edgeprune.progress import Checkpoints, Progress
from edgeprune.report.sections.equivalence import EquivalencePart
from edgeprune.report.sections.steps import StepPart

if TYPE_CHECKING:
    import keras

    from edgeprune.config.training_options import Duration
    from edgeprune.keras_bridge.training.evaluation import Evaluator
    from edgeprune.keras_bridge.training.train import Recovery, Trained, Training
    from edgeprune.keras_bridge.training.trainer import Trainer

PRUNING_SHARE = 0.16
"""Fraction of all recovery steps that is spent between the pruning steps; the rest comes after the last."""
MAX_PRUNING_STEPS = 8
LEAST_BETWEEN = 200
"""Optimizer steps between two cuts: moving statistics of BatchNormalization, at a momentum of 0.99, then keep
an eighth of what they were before the first. Ranked earlier, channels go by statistics of a model that is no
more: cut six times, 96 steps apart, a DS-CNN ended three points below the same cut once."""
SETTLED_STEPS = 500
"""After so many the moving statistics of BatchNormalization, at a momentum of 0.99, are those of now."""
COLLAPSE_DROP = 0.3
"""A validation drop after a segment's recovery that counts as collapse (as in `Task.drop`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One round of the loop.

    Attributes:
        fraction: how much of the way to the budgets the costs must have come; 0 prunes nothing.
        layers: whether the branches of the pruner go first.
        steps: optimizer steps of recovery afterwards.
        halvings: how often this segment was halved after a collapse.
    """

    fraction: float
    steps: int
    layers: bool = False
    halvings: int = 0

    @property
    def kind(self) -> str:
        """What a row of the report's steps calls it."""
        return "layers" if self.layers else "prune" if self.fraction else "recover"


def plan_segments(
    pruner: Pruner, *, schedule: str, total_steps: int, steps_per_epoch: int, is_open: bool = False
) -> tuple[Segment, ...]:
    """The rounds of the loop: whole layers, channels along the schedule, then fine-tuning by epochs.

    Args:
        pruner: how to prune, and the budgets.
        schedule: a name in `SCHEDULES`.
        total_steps: of the whole loop.
        steps_per_epoch: optimizer steps.
        is_open: whether fine-tuning is planned later, round by round.
    """
    from edgeprune.keras_bridge.training.schedules import fractions

    over = exceeded(pruner.dense, pruner.budgets)
    if not over:
        size = round_steps(steps_per_epoch) if is_open else steps_per_epoch
        return _plan_tuning(size if is_open else total_steps, size=size)
    reduction = max(1 - pruner.budgets[name] / pruner.dense[name] for name in over)
    most = min(MAX_PRUNING_STEPS, int(PRUNING_SHARE * total_steps) // LEAST_BETWEEN)
    count = max(1, min(most, math.ceil(8 * reduction)))
    between = max(1, int(PRUNING_SHARE * total_steps / (count + bool(pruner.branches))))
    wanted = fractions(schedule, steps=count)
    pruning = [Segment(fraction=f, steps=between) for f in dict.fromkeys(wanted)]
    if pruner.branches:
        pruning.insert(0, Segment(fraction=0.0, steps=between, layers=True))
    left = 0 if is_open else total_steps - between * len(pruning)
    return (*pruning, *_plan_tuning(left, size=steps_per_epoch))


def _plan_tuning(steps: int, *, size: int) -> tuple[Segment, ...]:
    """Fine-tuning in rounds of a size; the last one takes what is left."""
    sizes = (min(size, steps - taken) for taken in range(0, max(steps, 0), size))
    return tuple(Segment(fraction=0.0, steps=each) for each in sizes)


def shrink(start: Start, *, pruner: Pruner, recovery: Recovery, schedule: str, trainer: Trainer) -> Applied:
    """A model whose measured costs are within the budgets, recovered for `recovery.total_steps`.

    Args:
        start: where pruning starts.
        pruner: how to prune, and the budgets.
        recovery: how to fine-tune.
        schedule: a name in `SCHEDULES`.
        trainer: data and teacher; its work keeps finished segments.

    Raises:
        InfeasibleError: no plan meets the budgets.
    """
    from edgeprune.keras_bridge.training.chance import watch_chance
    from edgeprune.keras_bridge.training.evaluation import settle_batch_norm
    from edgeprune.keras_bridge.training.own_loop import make_tuner
    from edgeprune.keras_bridge.training.train import Trained, Tunes, steps_per_epoch

    training, evaluator, progress = trainer.training, trainer.evaluator, trainer.progress
    per_epoch, started = steps_per_epoch(training, recovery), time.monotonic()
    run = _Run.resume(
        trainer.work,
        fresh=_Run(
            model=start.model,
            trained=Trained(step=0, optimizer=[], losses=[]),
            remaining=plan_segments(
                pruner,
                schedule=schedule,
                total_steps=recovery.total_steps,
                steps_per_epoch=per_epoch,
                is_open=trainer.duration.is_open,
            ),
            steps=start.steps,
            equivalence=start.equivalence,
            cost=start.cost,
            macs=start.macs,
        ),
    )
    reference = trainer.reference
    watch = watch_chance(evaluator, reference=reference)
    run.tell(progress, recovery, duration=trainer.duration)
    first = run.trained.step
    tuner: Tunes | None = None
    while run.remaining:
        segment, *rest = run.remaining
        before = replace(run)
        if segment.layers:
            run.take(layer_step(run.model, pruner=pruner, probe=evaluator.inputs))
        if segment.fraction and exceeded(run.cost, run.adapt(pruner).targets(segment.fraction)):
            seed = recovery.seed + run.count
            run.take(
                prune_step(
                    run.model,
                    segment.fraction,
                    pruner=run.adapt(pruner),
                    training=training,
                    probe=evaluator.inputs,
                    seed=seed,
                ),
            )
        run.reached = max(run.reached, segment.fraction)
        if tuner is None or tuner.student is not run.model:
            course = run.plan_course(recovery, duration=trainer.duration)
            tuner = make_tuner(run.model, trainer.teacher, training=training, recovery=course)
            run.model = tuner.student
        run.trained = tuner.tune(segment.steps, start=run.trained, advance=progress.advance)
        score = _judge(run.model, segment, evaluator=evaluator, training=training, seed=recovery.seed)
        # Without layers it may fall far: it was tried, and is foreseen to come back.
        was_cut = segment.kind == "prune" and run.cost is not before.cost
        usual = before.worse_of(reference, evaluator=evaluator)
        if was_cut and evaluator.drop(before=usual, after=score) > COLLAPSE_DROP and segment.halvings < 2:
            run = _roll_back(before, segment, score=score, per_epoch=per_epoch)
            progress.advance(-segment.steps)  # they are taken again
        else:
            run.remaining = tuple(rest)
            note = ", ".join(branch.name for branch in pruner.branches) if segment.layers else ""
            run.log(segment.kind, epochs=run.trained.step / per_epoch, accuracy=score, note=note)
            if segment.kind == "recover":
                watch = watch.after(segment.steps, score=score)
                run.gains = run.gains.after(
                    segment.steps, score=score, drop=lambda a, b: evaluator.drop(before=a, after=b)
                )
            if watch.is_stuck and (run.remaining or trainer.duration.is_open):
                progress.warn(watch.say(score))
                run.remaining = ()
            elif not run.remaining and trainer.duration.is_open and run.gains.falls_from is None:
                seconds = (time.monotonic() - started) / (run.trained.step - first)
                run.plan_on(
                    trainer, per_epoch=per_epoch, most=recovery.total_steps, seconds=seconds, since=started
                )
                if run.gains.falls_from is not None:
                    run.tell(progress, recovery, duration=trainer.duration)
                    tuner = None
        run.save(trainer.work, drop=evaluator.drop(before=reference, after=score))
        costs = [BUDGETS[name].say(amount) for name, amount in run.cost.items()]
        told = ", ".join([f"validation {evaluator.task.metric} {score:.3f}", *costs])
        progress.advance(0, detail=told)
    settled, score = settle_batch_norm(run.model, evaluator, source=training.source, seed=recovery.seed)
    note = "kept BatchNorm statistics" if settled is run.model else "re-estimated BatchNorm statistics"
    run.model = settled
    run.log("final", epochs=run.trained.step / per_epoch, accuracy=score, note=note)
    return Applied(
        model=run.model,
        accuracy=score,
        steps=run.steps[len(start.steps) :],
        equivalence=run.equivalence[len(start.equivalence) :],
    )


@dataclass(kw_only=True, slots=True)
class _Run:
    """Where the loop stands; the one thing in it that changes."""

    model: keras.Model
    trained: Trained
    remaining: tuple[Segment, ...]
    steps: list[StepPart]
    equivalence: list[EquivalencePart]
    cost: Price
    macs: int
    reached: float = 0.0
    gains: Gains = field(default_factory=Gains)
    count: int = 0

    def adapt(self, pruner: Pruner) -> Pruner:
        """The pruner, with the way to the budgets counted from where whole layers have left the model."""
        costs = [row["cost"] for row in self.steps if row["kind"] == "layers"]
        return replace(pruner, dense=costs[-1]) if costs else pruner

    def take(self, step: PrunedStep) -> None:
        """Goes on with a smaller model."""
        self.model, self.cost, self.macs = step.compacted.model, step.cost, step.macs
        self.trained = replace(self.trained, optimizer=[])  # its slots belong to the wider weights
        proof: EquivalencePart = {
            "step": len(self.steps),
            "error": step.compacted.error,
            "samples": step.compacted.samples,
            "tolerance": step.compacted.tolerance,
        }
        self.equivalence = [*self.equivalence, proof]

    def worse_of(self, reference: float, *, evaluator: Evaluator) -> float:
        """The reference, or the last segment's score where that is worse."""
        last = [row["accuracy"] for row in self.steps if row["kind"] != "rollback"][-1]
        return last if evaluator.drop(before=reference, after=last) > 0 else reference

    def log(self, kind: str, *, epochs: float, accuracy: float, note: str = "") -> None:
        """Adds a row to the report's steps."""
        row = describe_step(
            len(self.steps),
            kind,
            model=self.model,
            cost=self.cost,
            macs=self.macs,
            accuracy=accuracy,
            epochs=epochs,
            note=note,
        )
        self.steps = [*self.steps, row]

    def plan_course(self, recovery: Recovery, *, duration: Duration) -> Recovery:
        """Recovery with the step from which the learning rate falls, as far as that is known."""
        if not duration.is_open:
            return recovery
        if (start := self.gains.falls_from) is None:
            return replace(recovery, falls_from=None)
        return replace(recovery, falls_from=start, total_steps=start + self.gains.falls_for)

    def tell(self, progress: Progress, recovery: Recovery, *, duration: Duration) -> None:
        """Tells what is on, and how long it takes where that is known."""
        if not duration.is_open:
            progress.stage("prune and recover", total=recovery.total_steps)
            progress.advance(self.trained.step)
        elif self.gains.falls_from is None:
            progress.stage("prune, then recover while it gains")
        else:
            progress.stage("recover: the learning rate falls", total=self.gains.falls_for)
            progress.advance(self.trained.step - self.gains.falls_from)

    def plan_on(self, trainer: Trainer, *, per_epoch: int, most: int, seconds: float, since: float) -> None:
        """Plans another round of recovery, or its end.

        Args:
            trainer: how long it may take.
            per_epoch: optimizer steps.
            most: of the whole loop, where their number is given.
            seconds: that a step takes, all in all.
            since: when recovery began, by `time.monotonic`.
        """
        duration, size = trainer.duration, round_steps(per_epoch)
        ends = self.gains.fall(self.trained.step, least=size)
        last = MOST_EPOCHS * per_epoch if duration.goes_on else most - self.trained.step - ends.falls_for
        is_late = (
            duration.minutes is not None
            and time.monotonic() - since + (ends.falls_for + size) * seconds > 60 * duration.minutes
        )
        if is_late or (duration.goes_on and self.gains.are_over) or self.gains.steps >= last:
            self.gains = ends
            self.remaining += _plan_tuning(ends.falls_for, size=size)
        else:
            self.remaining = (Segment(fraction=0.0, steps=size),)

    def save(self, work: Checkpoints, *, drop: float) -> None:
        """Writes the state after a segment, and for who looks on how much worse than the original it is."""
        from edgeprune.keras_bridge.loading.save import save_model

        self.count += 1
        state = {
            "step": self.trained.step,
            "losses": self.trained.losses,
            "remaining": [asdict(segment) for segment in self.remaining],
            "steps": self.steps,
            "equivalence": self.equivalence,
            "cost": dict(self.cost),
            "macs": self.macs,
            "reached": self.reached,
            "gains": self.gains.to_json(),
            "drop": drop,
        }
        with work.finish(f"segment-{self.count:03d}", state) as folder:
            save_model(self.model, folder / "model.keras")
            np.savez(folder / "optimizer.npz", *self.trained.optimizer)

    @classmethod
    def resume(cls, work: Checkpoints, *, fresh: _Run) -> _Run:
        """The state after the last finished segment; `fresh` where there is none."""
        from edgeprune.keras_bridge.loading.save import open_saved
        from edgeprune.keras_bridge.training.train import Trained

        count, found = 0, None
        while (stage := work.load(f"segment-{count + 1:03d}")) is not None:
            count, found = count + 1, stage
        if found is None:
            return fresh
        folder, state = found
        with np.load(folder / "optimizer.npz") as arrays:
            optimizer = [arrays[name] for name in arrays.files]
        return cls(
            model=open_saved(folder / "model.keras", original=fresh.model),
            trained=Trained(step=state["step"], optimizer=optimizer, losses=state["losses"]),
            remaining=tuple(Segment(**segment) for segment in state["remaining"]),
            steps=state["steps"],
            equivalence=state["equivalence"],
            cost=state["cost"],
            macs=state["macs"],
            reached=state["reached"],
            gains=Gains(**state["gains"]),
            count=count,
        )


def _judge(
    model: keras.Model, segment: Segment, *, evaluator: Evaluator, training: Training, seed: int
) -> float:
    """The validation metric after a segment, with BatchNorm statistics that suit the model."""
    from edgeprune.keras_bridge.training.evaluation import score_settled

    if segment.kind == "recover" and segment.steps >= SETTLED_STEPS:
        return evaluator.score_model(model)
    return score_settled(model, evaluator, source=training.source, seed=seed)


def _roll_back(before: _Run, segment: Segment, *, score: float, per_epoch: int) -> _Run:
    """The run before the segment, which will now be reached in two steps of half the size."""
    middle = (before.reached + segment.fraction) / 2
    half = replace(segment, fraction=middle, halvings=segment.halvings + 1)
    again = replace(segment, halvings=segment.halvings + 1)
    before.remaining = (half, again, *_shorten(before.remaining[1:], segment.steps))
    before.log(
        "rollback",
        epochs=before.trained.step / per_epoch,
        accuracy=score,
        note=f"accuracy collapsed; going to {half.fraction:.2f} of the way first",
    )
    return before


def _shorten(segments: tuple[Segment, ...], steps: int) -> tuple[Segment, ...]:
    """The segments with some recovery steps fewer, taken from the end; pruning segments keep one at least."""
    shortened = []
    for segment in reversed(segments):
        least = 1 if segment.fraction else 0
        taken = min(steps, segment.steps - least)
        steps -= taken
        if segment.steps - taken:
            shortened.append(replace(segment, steps=segment.steps - taken))
    return tuple(reversed(shortened))
