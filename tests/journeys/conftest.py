from tests.journeys.support import chromium, page

__all__ = ["chromium", "page"]
