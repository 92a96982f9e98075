"""A bare page of Gradio with one text field, served as ours is: ``python -m bench.bare_page PORT``."""

from __future__ import annotations

import sys


def main(port: int) -> None:
    """Serve it until told to end."""
    import gradio as gr
    import uvicorn
    from fastapi import FastAPI

    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox(label="Words")
    app = gr.mount_gradio_app(FastAPI(), page, path="/", ssr_mode=False)
    uvicorn.run(app, port=port, log_level="warning", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(int(sys.argv[1]))
