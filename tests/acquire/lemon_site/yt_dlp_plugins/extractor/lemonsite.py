"""Stands in for YouTube's watch pages: asks the test's server on loopback what becomes of a video."""

import os

from yt_dlp.extractor.common import InfoExtractor


class LemonSiteIE(InfoExtractor):
    _VALID_URL = r"https?://www\.youtube\.com/watch\?v=(?P<id>[0-9A-Za-z_-]{11})$"

    def _real_extract(self, url):
        video = self._match_id(url)
        site = os.environ["CURATE_TEST_SITE"]
        answer = self._download_json(f"{site}/watch/{video}", video)
        if "said" in answer:
            self.raise_no_formats(answer["said"], expected=True, video_id=video)
        return {"id": video, "title": answer["title"], "url": f"{site}/data/{video}.mp4", "ext": "mp4", "duration": 1}
