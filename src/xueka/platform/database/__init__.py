"""PostgreSQL: the embedded server, the three roles, migrations, bulk COPY. Nothing here knows the business."""
