"""What comes into Penstock: layers of Keras and ONNX, with their weights.

`from_keras` and `from_onnx` read into the same words, `links`, of which `making` makes modules.
"""
