"""What Croissant's RAI vocabulary asks: how data were collected, what is personal in them, what they lack."""

from __future__ import annotations

from typing import Any

from curate.exports.cards.about import About
from curate.exports.cards.facts import Facts
from curate.exports.cards.making import balanced_how, made_how


def responsible(facts: Facts, about: About) -> dict[str, Any]:
    """Properties of the dataset by their names; ``None`` where nothing is known."""
    days = about.days
    return {
        "rai:dataCollection": (
            "Videos named by lists were fetched from their sites or taken from local files, and nothing was filmed "
            "for this dataset." + _by_lists(about)
        ),
        "rai:dataCollectionType": ["Secondary Data Analysis", "Web Scraping"],
        "rai:dataCollectionRawData": "The videos named in the column source of videos.parquet.",
        "rai:dataCollectionTimeFrame": [days[0], days[-1]] if days else None,
        "rai:dataCollectionMissingData": (
            f"{len(facts.record.get('left_out', {}))} videos could not be read and "
            f"{len(facts.record.get('without_frames', ()))} have no frame that was taken. Procedures, channel, case "
            "and licence are empty where the source states none."
        ),
        "rai:dataPreprocessingProtocol": [made_how(facts).replace("`", "")],
        "rai:dataAnnotationProtocol": [
            "Verdicts and regions are made by networks; procedures are those that the lists name."
            + (" People reviewed some verdicts (decisions.jsonl)." if facts.reviewed else "")
        ],
        "rai:machineAnnotationTools": [f"{name} {value[:64]}" for name, value in sorted(facts.made_with.items())],
        "rai:personalSensitiveInformation": [
            "The pictures show the inside of patients. Faces, names, dates and identifiers may occur in surgical "
            "videos; there is no sound here.",
            _audited(facts),
        ],
        "rai:dataBiases": [
            "Videos that are published show what surgeons chose to publish: teaching cases, good outcomes, few sites "
            "and devices. Patients' age, sex and origin are not known.",
            f"Procedures are not equally frequent; sampling weights are given: {balanced_how(facts)}.",
        ],
        "rai:dataLimitations": [
            "Not for clinical use. Verdicts and masks are those of networks that err; see the card for what was done."
        ],
        "rai:dataUseCases": ["Self-supervised pretraining of networks for surgical video, and their evaluation."],
        "rai:dataSocialImpact": (
            "Models of surgery may help teaching and safety; pictures of patients call for care: do not try to "
            "identify anyone."
        ),
        "rai:dataReleaseMaintenancePlan": (
            "Authors of videos and people shown in them can have a video taken out"
            + (f": ask {about.card.contact}" if about.card.contact else "")
            + ". The publisher runs curate purge with its id, which writes all files without it and this file anew; "
            f"version {about.card.version} is then replaced. Copies elsewhere are not reached."
        ),
    }


def _by_lists(about: About) -> str:
    if not about.lists:
        return ""
    named = sum(one.videos for one in about.lists)
    return f" {len(about.lists)} lists name {named} videos; README.md tells what became of them."


def _audited(facts: Facts) -> str:
    told = facts.record.get("privacy") or {}
    if not told.get("audited_videos"):
        return "Nobody looked for faces, names, dates or identifiers."
    fate = {"keep": "are shown as they are", "mask": "are painted over there", "drop": "are left out or black"}
    return (
        f"{told['frames']} frames were searched for faces, names, dates and identifiers; the "
        f"{told['frames_with_findings']} on which something was found {fate[facts.options.get('privacy', 'mask')]}. "
        "The search misses some."
    )
