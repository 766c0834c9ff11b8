from django.db import migrations

# One check instead of two, and a stronger one: the class exists and belongs to the school named beside it
# (the school itself is guaranteed by the class's own foreign key).
TIE = """
ALTER TABLE registry_schoolclass ADD CONSTRAINT registry_class_with_school UNIQUE (id, school_id);
ALTER TABLE registry_student ADD CONSTRAINT registry_student_class_of_school
    FOREIGN KEY (school_class_id, school_id) REFERENCES registry_schoolclass (id, school_id);
ALTER TABLE registry_enrolment ADD CONSTRAINT registry_enrolment_class_of_school
    FOREIGN KEY (school_class_id, school_id) REFERENCES registry_schoolclass (id, school_id);
"""
UNTIE = """
ALTER TABLE registry_enrolment DROP CONSTRAINT registry_enrolment_class_of_school;
ALTER TABLE registry_student DROP CONSTRAINT registry_student_class_of_school;
ALTER TABLE registry_schoolclass DROP CONSTRAINT registry_class_with_school;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_initial")]
    operations = [migrations.RunSQL(TIE, UNTIE)]
