"""Networks that find regions: text, overlays, faces, and what YOLO detectors know."""
