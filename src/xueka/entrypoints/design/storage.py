"""Static files under names that change with their content, so that browsers may keep them for ever."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class NamedByContent(CompressedManifestStaticFilesStorage):
    """Also where one script imports another: the modules of a page are then fetched once and never asked for
    again.
    """

    support_js_module_import_aggregation = True
