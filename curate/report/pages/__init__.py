"""The report as pages: an overview of the corpus, a page a video, and the frames worth a look.

Static HTML that opens from disk: `facts` reads what a workspace knows of a video, `choice` picks the seconds to show,
`pictures` draws them, `overview` counts over all videos, `render` fills the templates, `write` does it all and only
where something changed.
"""
