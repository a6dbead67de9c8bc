"""The model code beneath the book "Large Language Models, Line by Line".

One module per topic; a chapter builds a thing by hand, then imports it from here.
"""

from llmcourse.device import autocast, device, seed_everything
from llmcourse.glue import glue

__version__ = "0.1.0"
__all__ = ["autocast", "device", "glue", "seed_everything"]
