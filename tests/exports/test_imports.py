"""What a worker that writes shards of pictures has to load."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_shards_of_pictures_need_no_decoder_of_videos():
    code = (
        "import sys; import curate.run.shard_work; "
        "print(sorted({'av', 'cv2', 'PIL', 'torch', 'onnxruntime'} & sys.modules.keys()))"
    )
    assert run(code) == "[]"


def test_shards_need_neither_what_plans_and_describes_an_export_nor_lists_of_videos():
    code = (
        "import sys; import curate.run.shard_work; "
        "print([name for name in sys.modules if name.startswith(('curate.exports.exporter', 'curate.exports.cards',"
        " 'curate.manifests'))])"
    )
    assert run(code) == "[]"


def test_a_worker_builds_tables_without_pandas_until_it_is_closed():
    code = """
import sys
import pyarrow as pa
from curate.run.shard_work import ShardWork
first, second = ShardWork(), ShardWork()
first.setup()
second.setup()
print(pa.Table.from_pylist([{"a": "x"}]).num_rows, "pandas" in sys.modules)
first.close()
second.close()
import pandas
print(pandas.DataFrame({"a": [1]}).shape)
"""
    assert run(code) == "1 False\n(1, 1)"
