import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("testshop", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Bargain",
            fields=[],
            options={"proxy": True, "indexes": [], "constraints": []},
            bases=("testshop.article",),
        ),
        migrations.CreateModel(
            name="Boot",
            fields=[
                (
                    "article_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="testshop.article",
                    ),
                ),
                ("size", models.IntegerField(default=40)),
            ],
            bases=("testshop.article",),
        ),
        migrations.CreateModel(
            name="Poster",
            fields=[],
            options={"proxy": True, "indexes": [], "constraints": []},
            bases=("testshop.picture",),
        ),
    ]
