"""Licences as people state them: their identifiers on the Hugging Face hub, and whether they forbid something."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

_URLS = {
    "cc0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "mit": "https://opensource.org/license/mit",
}

_CREATIVE_COMMONS = re.compile(
    r"cc[ -]?by(?P<parts>(?:[ -](?:nc|nd|sa))*)(?:[ -]v?(?P<version>[1-4]\.[0-9]))?(?: (?:international|unported))?"
)

_WORDS = {
    "attribution": "by",
    "non commercial": "nc",
    "noncommercial": "nc",
    "no derivatives": "nd",
    "noderivatives": "nd",
    "noderivs": "nd",
    "share alike": "sa",
    "sharealike": "sa",
}

_OPEN = re.compile(
    r"\b(?:cc ?0|public domain|pddl|cc by(?: sa)?|creative commons (?:attribution|zero|0)|odc by|odbl|mit|apache|bsd|"
    r"unlicense)\b"
)
_NARROWED = re.compile(
    r"\b(?:nc|nd|non ?commercial(?:ly)?|no ?deriv\w*|non ?deriv\w*|research|academic|only|none|not stated|unknown|"
    r"repository|permission|agreement|terms|registration|restricted|private|confidential|all rights reserved)\b"
)

OTHER = "other"
"""Identifier of licences that the hub does not know, and of several at once."""


def hub_licence(stated: str) -> str:
    """Identifier of a licence on the hub; empty where nothing is stated or it is none that is known.

    Args:
        stated: As the source states it, such as ``CC BY-NC 4.0`` or YouTube's name of CC BY 3.0.
    """
    text = " ".join(re.sub(r"[_/()]", " ", stated.lower()).split())
    if text in ("mit", "mit licence", "mit license"):
        return "mit"
    if text in ("apache-2.0", "apache 2.0", "apache licence 2.0", "apache license 2.0"):
        return "apache-2.0"
    if re.fullmatch(r"(creative commons )?(cc0|cc-zero|cc zero|public domain)([ -]1\.0)?( universal)?", text):
        return "cc0-1.0"
    if text == "creative commons attribution license reuse allowed":
        return "cc-by-3.0"
    if found := re.search(r"creativecommons\.org licenses ([a-z-]+) ([1-4]\.[0-9])", text):
        text = f"cc-{found[1]}-{found[2]}"
    elif text.startswith("creative commons"):
        text = text.removeprefix("creative commons").replace("-", " ").replace("license", "").replace("licence", "")
        for words, short in _WORDS.items():
            text = text.replace(words, short)
        text = "cc " + " ".join(text.split())
    found = _CREATIVE_COMMONS.fullmatch(text)
    if not found:
        return ""
    parts = {part for part in re.split(r"[ -]", found["parts"]) if part}
    ordered = [part for part in ("nc", "nd", "sa") if part in parts]
    return "-".join(["cc", "by", *ordered, found["version"]]) if found["version"] else ""


def licence_url(stated: str) -> str:
    """Where the text of a licence stands; empty where that is not known."""
    known = hub_licence(stated)
    if known.startswith("cc-"):
        *parts, version = known.removeprefix("cc-").split("-")
        return f"https://creativecommons.org/licenses/{'-'.join(parts)}/{version}/"
    return _URLS.get(known, "")


def is_open(stated: str) -> bool:
    """Whether a licence lets everybody use the work and pass it on: then nobody need be asked to accept terms.

    It is if it is one of the open ones by its name (CC0, CC BY, CC BY-SA, ODC-BY, ODbL, MIT, Apache, BSD, the public
    domain) and says nothing that narrows it. What is not known is not open.
    """
    words = " ".join(re.findall(r"[a-z]+|\d+", stated.lower()))
    return _OPEN.search(words) is not None and _NARROWED.search(words) is None


def asking(licences: Iterable[str]) -> list[str]:
    """Those of some licences that are not open, sorted; ``not stated`` for none at all."""
    found = {licence.strip() for licence in licences}
    return sorted(licence or "not stated" for licence in found if not is_open(licence))


def of_all(stated: Collection[str]) -> str:
    """Identifier of the licence of a dataset whose videos have these: theirs if it is one, else `OTHER`."""
    known = {hub_licence(one) for one in stated}
    return known.pop() if len(known) == 1 and "" not in known else OTHER
