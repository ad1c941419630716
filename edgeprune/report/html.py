"""The pages of edgeprune: the report of a build, of `quantize`, and of `inspect --sensitivity`.

The report is a list of sections in the order of the page; a stage that is added gives one and is added here.
"""

from collections.abc import Sequence

from markupsafe import Markup

from edgeprune.report.page import draw_section, render
from edgeprune.report.section import Document, Section
from edgeprune.report.sections.agreement import AGREEMENT
from edgeprune.report.sections.answers import ANSWERS
from edgeprune.report.sections.cards import CARDS
from edgeprune.report.sections.checks import CHECKS
from edgeprune.report.sections.deployment import DEPLOYMENT
from edgeprune.report.sections.engine import IMAGE
from edgeprune.report.sections.equivalence import EQUIVALENCE
from edgeprune.report.sections.figures import FIGURES
from edgeprune.report.sections.frozen import FROZEN
from edgeprune.report.sections.head import HEAD
from edgeprune.report.sections.layers import LAYERS
from edgeprune.report.sections.memory import MEMORY
from edgeprune.report.sections.minimized import MINIMIZED
from edgeprune.report.sections.origin import ORIGIN
from edgeprune.report.sections.plans import PLANS
from edgeprune.report.sections.proofs import gather_proofs
from edgeprune.report.sections.quantization import (
    LADDER,
    NOISE,
    QUANTIZED,
    TENSORS,
    summarise_errors,
    summarise_rungs,
)
from edgeprune.report.sections.samples import SAMPLES
from edgeprune.report.sections.sensitivity import summarise_sensitivity
from edgeprune.report.sections.sparsity import SPARSITY
from edgeprune.report.sections.steps import STEPS
from edgeprune.report.sections.times import TIMES
from edgeprune.report.sections.tradeoff import TRADEOFF

SECTIONS: tuple[Section, ...] = (
    HEAD,
    CARDS,
    DEPLOYMENT,
    TRADEOFF,
    TIMES,
    MEMORY,
    NOISE,
    ANSWERS,
    SAMPLES,
)
"""Of `report.html`, from top to bottom."""
EVIDENCE: tuple[Section, ...] = (
    CHECKS,
    FIGURES,
    MINIMIZED,
    PLANS,
    STEPS,
    LAYERS,
    IMAGE,
    LADDER,
    TENSORS,
    FROZEN,
    gather_proofs(EQUIVALENCE, AGREEMENT, SPARSITY, QUANTIZED),
    ORIGIN,
)
"""Below them, folded."""


def render_html(report: Document) -> str:
    """`report.html`.

    Args:
        report: as `Report.to_json` gives it.
    """
    return render(
        "report.html",
        {
            "title": f"{report['model']['name']} on {report['device']['id']}",
            "sections": _draw(SECTIONS, report),
            "evidence": _draw(EVIDENCE, report),
        },
    )


def _draw(sections: Sequence[Section], report: Document) -> list[Markup]:
    drawn = [draw_section(section, report) for section in sections]
    return [part for part in drawn if part is not None]


def render_quantization(document: Document) -> str:
    """The page of `edgeprune quantize`.

    Args:
        document: as `QuantizeResult.to_json` gives it.
    """
    page = {"title": f"Quantization of {document['model']}", "unfolded": True}
    shown = {**summarise_rungs(document), **summarise_errors(document)}
    return render("quantization.html", {**document, **shown, **page})


def render_sensitivity(document: Document) -> str:
    """The page of `edgeprune inspect --sensitivity`.

    Args:
        document: as `Inspection.to_json` gives it, with its sensitivity.
    """
    return render("sensitivity.html", summarise_sensitivity(document))
