"""What is declared once and for all: tables, features, pages, the published champion. Pure."""
