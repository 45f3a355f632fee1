"""Answers as bytes: a page for people, JSON for programs, CSV for spreadsheets."""
