"""What a worker that writes shards of pictures has to load."""

from __future__ import annotations

import subprocess
import sys


def test_shards_of_pictures_need_no_decoder_of_videos():
    code = (
        "import sys; import curate.run.export_work; "
        "print(sorted({'av', 'cv2', 'PIL', 'torch', 'onnxruntime'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
