"""What a job asks of the methods, and how its models are priced."""

from edgeprune.build.artefact import encode_for_device, make_file
from edgeprune.build.job import Job
from edgeprune.device.check import budget_limits
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.method import Asked
from edgeprune.methods.pricing import Pricing
from edgeprune.methods.start import Start


def ask_methods(job: Job, *, start: Start) -> Asked:
    """What must hold, and where pruning starts.

    Args:
        job: budgets, limits and settings.
        start: the model to be pruned.
    """
    request = job.request
    return Asked(
        profile=job.profile,
        scheme=request.scheme,
        budgets=budget_limits(job.budgets),
        limits=job.limits,
        criterion=job.criterion,
        normalise=request.normalise,
        schedule=request.schedule,
        whole_layers=request.whole_layers,
        pricing=make_pricing(job),
        start=start,
        low_rank=request.low_rank,
        source=job.inputs.training.source,
        seed=request.seed,
    )


def make_pricing(job: Job) -> Pricing:
    """Models as files of the job's scheme, measured on its device."""
    backend = backend_of(job.profile)
    return Pricing(
        convert=lambda model, samples: make_file(job, model, samples=samples),
        measure=lambda tflite: backend.measure(tflite, where="model.tflite").figures,
        encode=lambda tflite: encode_for_device(tflite, job).figures,
        per_op=backend.op_costs(),
        flash_slack=backend.planning_slack,
    )
