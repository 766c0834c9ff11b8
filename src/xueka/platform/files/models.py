"""Stored files: bytes live in the database, so that a file and the row that promises it commit together."""

from django.db import models

from xueka.platform.crypto.sealed_columns import SealedField


class StoredFile(models.Model):
    """A file as it came or as it left. `sealed` content is a field-encryption envelope (personal data)."""

    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    sm3 = models.BinaryField(max_length=32, db_index=True)
    sealed = models.BooleanField(default=False)
    content = SealedField(when="sealed", piece=5)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(size__gte=0), name="file_size_not_negative")]
