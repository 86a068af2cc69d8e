"""Stands in for YouTube's search: a hundred pages of results, made as they are asked for."""

import urllib.parse

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError

WORDS = ("robotic cholecystectomy", "Laparoscopic CHOLECYSTECTOMY", "animation of cholecystectomy", "live case")


class TestSearchIE(InfoExtractor):
    _VALID_URL = r"https?://www\.youtube\.com/results\?(?P<id>.*)"

    def _real_extract(self, url):
        asked = urllib.parse.parse_qs(self._match_id(url))
        query, filters = asked["search_query"][0], asked["sp"][0]
        return self.playlist_result(self._entries(query, filters), query, query)

    def _entries(self, query, filters):
        for n in range(400):
            if query == "broken" and n == 8:
                raise ExtractorError("Sign in to confirm you're not a bot", expected=True)
            if query == "endless" and n >= 40:
                raise AssertionError("asked for more than was needed")
            title = f"{WORDS[n % 4]} {n} \u202e=1+1\x07 ({query}, {filters})"
            yield {
                **self.url_result(f"https://www.youtube.com/watch?v={n:011d}", "Youtube", f"{n:011d}", title),
                "duration": None if n % 10 == 9 else 60 * n,
                "channel": 'A, "B" & C',
                "live_status": "is_live" if n % 4 == 3 else None,
            }
