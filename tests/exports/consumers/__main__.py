"""Runs one of the modules beside this one, with a torchvision that can be imported."""

from __future__ import annotations

import runpy
import sys

from curate.nets.torchvision_repair import ensure_torchvision

ensure_torchvision()
sys.argv = sys.argv[1:]
runpy.run_module(f"tests.exports.consumers.{sys.argv[0]}", run_name="__main__")
