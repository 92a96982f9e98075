"""The pages of the browser. Set here, before Gradio is imported anywhere: nothing is reported to anyone."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
