"""PostgreSQL: the embedded server, the three roles, migrations, bulk COPY; nothing of the business."""
