from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0005_server_permission'),
    ]

    operations = [
        migrations.AlterField(
            model_name='suggestion',
            name='alignment',
            field=models.CharField(choices=[('exact', 'Exact'), ('normalized', 'Normalized'), ('fuzzy', 'Fuzzy'), ('unaligned', 'Unaligned')], max_length=20),
        ),
    ]
