"""What was proved along the way, stage by stage, in one list."""

from edgeprune.report.section import Document, Proof, Section


def gather_proofs(*proofs: Proof) -> Section:
    """The section that lists what each of the stages proved, in this order."""

    def summarise(report: Document) -> Document | None:
        sentences = [
            sentence for proof in proofs if report[proof.reads] for sentence in proof.say(report[proof.reads])
        ]
        return {"sentences": sentences} if sentences else None

    return Section(reads=tuple(proof.reads for proof in proofs), summarise=summarise, template="proofs.html")
