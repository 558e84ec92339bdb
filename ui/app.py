"""The web app's front door: the pages and what all of them share."""

import streamlit

streamlit.set_page_config(page_title="ML interview tutor", page_icon="🎓", layout="wide")
page = streamlit.navigation([streamlit.Page("pages/ask.py", title="Ask", icon="💬", default=True)])
page.run()
