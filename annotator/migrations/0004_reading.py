from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotator', '0003_prompts'),
    ]

    operations = [
        migrations.AddField(
            model_name='labelrun',
            name='trouble',
            field=models.CharField(blank=True, help_text='what its notes wait for, where the model is away; never note text', max_length=500),
        ),
        migrations.AddField(
            model_name='labeljob',
            name='n_truncated',
            field=models.PositiveIntegerField(default=0, help_text='windows whose answer stayed cut off'),
        ),
        migrations.AddField(
            model_name='labeljob',
            name='n_problems',
            field=models.PositiveIntegerField(default=0, help_text='parts of answers that could not be read'),
        ),
    ]
