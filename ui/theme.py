"""How the page looks: Gradio's theme in our colours and the system's own fonts. Nothing is fetched from elsewhere."""

from __future__ import annotations

import gradio as gr

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Liberation Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Liberation Mono", "monospace")

HEADER = (
    '<header class="masthead"><svg viewBox="0 0 40 40" width="40" height="40" aria-hidden="true">'
    '<rect width="40" height="40" rx="10"/><g><rect x="8" y="23" width="7" height="5" rx="2.5"/>'
    '<rect x="16" y="17" width="7" height="5" rx="2.5"/><rect x="24" y="11" width="9" height="5" rx="2.5"/></g></svg>'
    "<div><h1>Choirmaster</h1><p>Sings your words, and listens whether they came through.</p></div></header>"
)


def make_theme() -> gr.themes.Base:
    """The theme, light and dark."""
    return gr.themes.Base(
        primary_hue="teal", secondary_hue="teal", neutral_hue="stone", radius_size="md", font=SANS, font_mono=MONO
    ).set(
        body_background_fill="#f7f4ee",
        body_background_fill_dark="#171614",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#211f1c",
        block_background_fill="#ffffff",
        block_background_fill_dark="#211f1c",
        block_border_width="0px",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_title_text_weight="600",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="#fbfaf7",
        input_background_fill_dark="#191816",
        input_border_width="1px",
        input_border_color="#8f887c",
        input_border_color_dark="#6f6a62",
        input_border_color_focus="*primary_700",
        input_border_color_focus_dark="*primary_300",
        input_placeholder_color="#736d64",
        input_placeholder_color_dark="#979086",
        button_primary_background_fill="*primary_800",
        button_primary_background_fill_hover="*primary_900",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#0b2522",
        button_secondary_background_fill="#ece7dc",
        button_secondary_background_fill_hover="#e0d9ca",
        button_secondary_background_fill_dark="#35322d",
        button_secondary_background_fill_hover_dark="#45413a",
        button_secondary_text_color="#2b2823",
        button_secondary_text_color_dark="#eeeae2",
    )
