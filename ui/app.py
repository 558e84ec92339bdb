"""The web app's front door: the pages and what all of them share."""

from pathlib import Path

import streamlit

HERE = Path(__file__).parent
PAGES = {
    "ask": "Ask",
    "library": "Library",
    "documents": "Documents",
    "lab": "Retrieval lab",
    "quality": "Quality",
}
"""Titles by file name, in the order in which the pages are listed. Without icons: not every machine has emoji."""

streamlit.set_page_config(page_title="ML interview tutor", page_icon="🎓", layout="wide")
streamlit.html(HERE / "style.css")
listed = [
    streamlit.Page(HERE / "views" / f"{name}.py", title=title, default=name == "ask")
    for name, title in PAGES.items()
    if (HERE / "views" / f"{name}.py").is_file()
]
streamlit.navigation(listed).run()
