"""The rest of the tables that `0001_squashed_0019_qualification` makes: what points at the first."""

import annotator.web.ids
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

OPERATIONS = [
    migrations.CreateModel('Tombstone', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('project', models.CharField(max_length=16)),
        ('subject', models.CharField(choices=[('patient', 'Patient'), ('note', 'Note'), ('project', 'Project')], max_length=20)),
        ('cause', models.CharField(choices=[('asked', 'Asked for'), ('retention', 'Retention date passed')], max_length=20)),
        ('patient_id', models.CharField(blank=True, max_length=200)), ('asked_at', models.DateTimeField()), ('document_ids', models.JSONField(default=list)),
        ('counts', models.JSONField(default=dict)), ('purged_at', models.DateTimeField(null=True)),
        ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('job', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.job')),
    ], {
        'indexes': [
            models.Index(fields=['project', '-asked_at'], name='tombstone_of_project'),
        ],
    }),
    migrations.CreateModel('Trial', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('number', models.PositiveSmallIntegerField(help_text="of the person's tries that count")),
        ('status', models.CharField(choices=[('open', 'Under way'), ('passed', 'Passed'), ('failed', 'Not passed')], default='open', max_length=10)),
        ('figures', models.JSONField(default=list, help_text='core.qualification.Figure, one a label')), ('started_at', models.DateTimeField()),
        ('finished_at', models.DateTimeField(null=True)),
        ('qualification', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='trials', to='annotator.qualification')),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('qualification', 'user', 'number'), name='trial_once'),
            models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('status', 'open')), models.Q(models.Q(('status', 'open'), _negated=True), ('finished_at__isnull', False)), _connector='OR'), name='trial_finished'),
        ],
    }),
    migrations.CreateModel('Choice', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('what', models.CharField(choices=[('agreed', 'Agreed'), ('version', 'Version'), ('all', 'All'), ('neither', 'Neither'), ('edit', 'Edit'), ('undo', 'Undo')], max_length=10)),
        ('case_key', models.CharField(blank=True, max_length=100)),
        ('digest', models.CharField(blank=True, help_text='of what the readings say in the case', max_length=16)),
        ('kind', models.CharField(blank=True, help_text='how the readings differ: core.cases.Kind', max_length=20)),
        ('version', models.CharField(blank=True, help_text='digest of the one taken, or edited', max_length=16)),
        ('edited', models.JSONField(default=dict, help_text='the third version: spans as [fragments, label, attributes]; value')),
        ('between', models.CharField(blank=True, help_text='the labels that the readings give', max_length=300)),
        ('label', models.CharField(blank=True, help_text='the one of them that was taken', max_length=300)),
        ('rule', models.CharField(blank=True, help_text='which rule chose, where no person did', max_length=20)),
        ('reason', models.CharField(blank=True, max_length=500)), ('proposes_example', models.BooleanField(default=False)),
        ('active_seconds', models.FloatField(help_text="of the adjudicator's work on it, as the page measured it", null=True)),
        ('idempotency_key', models.CharField(max_length=64, unique=True)),
        ('asked_sha256', models.CharField(blank=True, help_text='of the act in the words of who asked for it', max_length=64)),
        ('decided_at', models.DateTimeField()),
        ('adjudication', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='choices', to='annotator.adjudication')),
        ('adjudicator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('redoes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redone_by', to='annotator.choice')),
        ('undoes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='annotator.choice')),
    ], {
        'indexes': [
            models.Index(fields=['adjudication', 'id'], name='choice_of_adjudication'),
            models.Index(condition=models.Q(('between', ''), _negated=True), fields=['between', 'label'], name='choice_between'),
        ],
    }),
    migrations.CreateModel('DocumentValue', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('name', models.CharField(help_text='of the document label', max_length=40)), ('value', models.CharField(max_length=40)),
        ('status', models.CharField(choices=[('live', 'Live'), ('withdrawn', 'Withdrawn')], default='live', max_length=20)),
        ('created_at', models.DateTimeField()),
        ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('schema_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.schemaversion')),
        ('set', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='document_values', to='annotator.annotationset')),
    ], {
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('status', 'live')), fields=('set', 'name'), name='document_value_once'),
        ],
    }),
    migrations.CreateModel('Labeler', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('name', models.CharField(max_length=120)),
        ('backend', models.CharField(max_length=40)), ('model_id', models.CharField(max_length=200)), ('revision', models.CharField(max_length=64)),
        ('prompt_digest', models.CharField(blank=True, max_length=64)),
        ('decoding', models.JSONField(default=dict, help_text='windows, prompt template and sampling')),
        ('digest', models.CharField(help_text='of all of the above but the schema, which has its own', max_length=64)),
        ('created_at', models.DateTimeField()),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='labelers', to='annotator.project')),
        ('schema_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.schemaversion')),
        ('n_examples', models.PositiveSmallIntegerField(default=0, help_text='of the pool, in each prompt')),
        ('pool', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.examplepool')),
        ('guideline', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.guideline')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'schema_version', 'digest'), name='labeler_once'),
        ],
    }),
    migrations.CreateModel('PromptExample', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('patient_id', models.CharField(blank=True, max_length=200)), ('position', models.PositiveIntegerField()), ('text', models.TextField()),
        ('items', models.JSONField(default=list)),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.document')),
        ('pool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='examples', to='annotator.examplepool')),
    ], {
        'ordering': ['pool', 'position'],
        'constraints': [
            models.UniqueConstraint(fields=('pool', 'position'), name='prompt_example_position'),
        ],
    }),
    migrations.CreateModel('ReferenceNote', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.document')),
        ('qualification', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reference_notes', to='annotator.qualification')),
        ('reference', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.annotationset')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('qualification', 'document'), name='reference_note_once'),
        ],
    }),
    migrations.CreateModel('Relation', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('type', models.CharField(max_length=40)), ('head', models.CharField(help_text='thread of the annotation that it goes from', max_length=16)),
        ('tail', models.CharField(help_text='thread of the annotation that it goes to', max_length=16)),
        ('status', models.CharField(choices=[('live', 'Live'), ('withdrawn', 'Withdrawn')], default='live', max_length=20)),
        ('created_at', models.DateTimeField()),
        ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('schema_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.schemaversion')),
        ('set', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='relations', to='annotator.annotationset')),
    ], {
        'indexes': [
            models.Index(fields=['set', 'status'], name='relation_live'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('status', 'live')), fields=('set', 'type', 'head', 'tail'), name='relation_once'),
            models.CheckConstraint(condition=models.Q(('head', models.F('tail')), _negated=True), name='relation_of_two_spans'),
        ],
    }),
    migrations.CreateModel('TrialNote', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.document')),
        ('reference', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.annotationset')),
        ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notes', to='annotator.trial')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('trial', 'document'), name='trial_note_once'),
        ],
    }),
    migrations.CreateModel('LabelDay', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('day', models.DateField()),
        ('note_type', models.CharField(blank=True, max_length=100)), ('label', models.CharField(blank=True, max_length=40)),
        ('n_notes', models.PositiveIntegerField(default=0)), ('n', models.PositiveIntegerField(default=0)),
        ('n_squared', models.PositiveBigIntegerField(default=0)), ('n_all', models.PositiveBigIntegerField(default=0)),
        ('n_accepted', models.PositiveIntegerField(default=0)), ('accepted_squared', models.PositiveBigIntegerField(default=0)),
        ('accepted_n', models.PositiveBigIntegerField(default=0)), ('score', models.FloatField(default=0, help_text='sum over the suggestions')),
        ('labeler', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.labeler')),
        ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
    ], {
        'indexes': [
            models.Index(fields=['project', 'day'], name='label_day'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('labeler', None)), fields=('project', 'day', 'note_type', 'label'), name='label_day_once'),
            models.UniqueConstraint(condition=models.Q(('labeler__isnull', False)), fields=('project', 'day', 'labeler', 'note_type', 'label'), name='labeler_day_once'),
        ],
    }),
    migrations.CreateModel('LabelRun', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('number', models.PositiveIntegerField()),
        ('status', models.CharField(choices=[('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled')], default='running', max_length=20)),
        ('created_at', models.DateTimeField()), ('finished_at', models.DateTimeField(null=True)),
        ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('labeler', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='runs', to='annotator.labeler')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='label_runs', to='annotator.project')),
        ('trouble', models.CharField(blank=True, help_text='what its notes wait for, where the model is away; never note text', max_length=500)),
    ], {
        'ordering': ['project', '-number'],
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='label_run_number'),
        ],
    }),
    migrations.CreateModel('ReaderPair', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('key', models.CharField(max_length=60)),
        ('kind', models.CharField(choices=[('annotators', 'annotators'), ('labeler', 'labeler'), ('gold', 'gold')], max_length=10)),
        ('labeler', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.labeler')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reader_pairs', to='annotator.project')),
        ('reader_a', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('reader_b', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'key'), name='reader_pair_once'),
        ],
    }),
    migrations.CreateModel('Comparison', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('patient', models.PositiveIntegerField()),
        ('counts', models.JSONField(default=dict, help_text='by label: spans of a, of b, pairs that are equal, that overlap')),
        ('at', models.DateTimeField()),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.document')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
        ('pair', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comparisons', to='annotator.readerpair')),
    ], {
        'indexes': [
            models.Index(fields=['project', 'id'], name='comparison_newest'),
        ],
        'constraints': [
            models.UniqueConstraint(fields=('document', 'pair'), name='comparison_once'),
        ],
    }),
    migrations.CreateModel('Difference', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('kind', models.CharField(choices=[('label', 'label'), ('edges', 'edges'), ('label and edges', 'label and edges'), ('attributes', 'attributes'), ('only one', 'only one')], max_length=20)),
        ('label_a', models.CharField(blank=True, help_text='empty where a marks nothing', max_length=40)),
        ('label_b', models.CharField(blank=True, help_text='empty where b marks nothing', max_length=40)), ('start', models.PositiveIntegerField()),
        ('end', models.PositiveIntegerField()), ('cost', models.PositiveSmallIntegerField(help_text='how many of the spans find no equal one')),
        ('at', models.DateTimeField()),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.document')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
        ('pair', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='differences', to='annotator.readerpair')),
    ], {
        'indexes': [
            models.Index(fields=['project', '-cost', '-at', 'id'], name='difference_cost'),
            models.Index(fields=['pair', '-cost', '-at', 'id'], name='difference_of_pair'),
            models.Index(fields=['project', 'label_a', 'label_b', '-cost', '-at', 'id'], name='difference_of_labels'),
        ],
    }),
    migrations.CreateModel('LabelJob', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('status', models.CharField(choices=[('queued', 'Waiting'), ('running', 'Being read'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=20)),
        ('attempts', models.PositiveSmallIntegerField(default=0)), ('worker', models.CharField(blank=True, max_length=200)),
        ('run_token', models.CharField(blank=True, max_length=32)), ('lease_expires_at', models.DateTimeField(null=True)),
        ('error', models.CharField(blank=True, help_text='never note text', max_length=500)), ('n_suggestions', models.PositiveIntegerField(default=0)),
        ('n_unaligned', models.PositiveIntegerField(default=0)), ('started_at', models.DateTimeField(null=True)),
        ('finished_at', models.DateTimeField(null=True)), ('routed_at', models.DateTimeField(null=True)),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='label_jobs', to='annotator.document')),
        ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to='annotator.labelrun')),
        ('n_truncated', models.PositiveIntegerField(default=0, help_text='windows whose answer stayed cut off')),
        ('n_problems', models.PositiveIntegerField(default=0, help_text='parts of answers that could not be read')),
    ], {
        'indexes': [
            models.Index(fields=['run', 'status'], name='label_job_run_status'),
            models.Index(fields=['status', 'lease_expires_at'], name='label_job_lease'),
            models.Index(fields=['run', 'finished_at'], name='label_job_rate'),
        ],
        'constraints': [
            models.UniqueConstraint(fields=('run', 'document'), name='label_job_once'),
        ],
    }),
    migrations.CreateModel('Candidate', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('label', models.CharField(max_length=40)),
        ('fragments', models.CharField(help_text="'START END;START END', code points", max_length=500)), ('start', models.PositiveIntegerField()),
        ('end', models.PositiveIntegerField()), ('surface', models.TextField()), ('score', models.FloatField()),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='candidates', to='annotator.document')),
        ('job', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='candidates', to='annotator.labeljob')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('job', 'label', 'fragments'), name='candidate_once'),
            models.CheckConstraint(condition=models.Q(('end__gt', models.F('start')), ('start__gte', 0), models.Q(('fragments', ''), _negated=True)), name='candidate_has_a_place'),
        ],
    }),
    migrations.CreateModel('Suggestion', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('label', models.CharField(max_length=40)),
        ('fragments', models.CharField(blank=True, help_text="'START END;START END', code points", max_length=500)),
        ('start', models.PositiveIntegerField(null=True)), ('end', models.PositiveIntegerField(null=True)),
        ('surface', models.TextField(help_text="the model's quote where unaligned")), ('attributes', models.JSONField(default=dict)),
        ('alignment', models.CharField(choices=[('exact', 'Exact'), ('normalized', 'Normalized'), ('fuzzy', 'Fuzzy'), ('unaligned', 'Unaligned')], max_length=20)),
        ('score', models.FloatField()), ('signals', models.JSONField(default=dict)), ('audit_key', models.FloatField()),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suggestions', to='annotator.document')),
        ('job', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suggestions', to='annotator.labeljob')),
    ], {
        'indexes': [
            models.Index(fields=['document', 'label', 'fragments'], name='suggestion_span'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('fragments', ''), _negated=True), fields=('job', 'label', 'fragments'), name='suggestion_once'),
            models.CheckConstraint(condition=models.Q(models.Q(('alignment', 'unaligned'), ('end', None), ('fragments', ''), ('start', None)), models.Q(models.Q(('alignment', 'unaligned'), _negated=True), ('end__gt', models.F('start')), ('start__gte', 0), models.Q(('fragments', ''), _negated=True)), _connector='OR'), name='suggestion_has_a_place'),
        ],
    }),
    migrations.CreateModel('Annotation', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('label', models.CharField(max_length=40)), ('fragments', models.CharField(help_text="'START END;START END', code points", max_length=500)),
        ('start', models.PositiveIntegerField()), ('end', models.PositiveIntegerField()), ('surface', models.TextField()),
        ('attributes', models.JSONField(default=dict)),
        ('stage', models.CharField(choices=[('base', 'Base'), ('refined', 'Refined'), ('adjudicated', 'Adjudicated')], default='base', max_length=20)),
        ('status', models.CharField(choices=[('live', 'Live'), ('withdrawn', 'Withdrawn')], default='live', max_length=20)),
        ('created_at', models.DateTimeField()),
        ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('set', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='annotations', to='annotator.annotationset')),
        ('schema_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.schemaversion')),
        ('origin', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='annotations', to='annotator.suggestion')),
        ('surface_key', models.CharField(help_text='core.surfaces.surface_key', max_length=32)),
        ('first_version', models.CharField(blank=True, help_text='public id; empty in the first itself', max_length=16)),
    ], {
        'indexes': [
            models.Index(fields=['set', 'status'], name='annotation_live'),
            models.Index(fields=['surface_key', 'status', 'created_at'], name='annotation_surface'),
            models.Index(fields=['annotator', 'surface_key', 'status', 'created_at'], name='annotation_surface_own'),
            models.Index(condition=models.Q(('first_version', ''), _negated=True), fields=['first_version'], name='annotation_versions'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('status', 'live')), fields=('set', 'label', 'fragments'), name='annotation_once'),
            models.CheckConstraint(condition=models.Q(('end__gt', models.F('start')), ('start__gte', 0)), name='annotation_has_a_place'),
        ],
    }),
    migrations.CreateModel('Comment', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('thread', models.CharField(blank=True, help_text='of the annotation that is meant', max_length=16)),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('kind', models.CharField(choices=[('comment', 'Comment'), ('flag', 'Flag'), ('discuss', 'To discuss')], max_length=10)),
        ('body', models.CharField(blank=True, max_length=2000)),
        ('status', models.CharField(choices=[('open', 'Open'), ('withdrawn', 'Withdrawn')], default='open', max_length=10)),
        ('created_at', models.DateTimeField()),
        ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('set', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comments', to='annotator.annotationset')),
        ('suggestion', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.suggestion')),
    ], {
        'indexes': [
            models.Index(fields=['set', 'status'], name='comment_of_set'),
        ],
    }),
    migrations.CreateModel('ReviewItem', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('unit', models.CharField(choices=[('note', 'Note'), ('span', 'Span'), ('trial', 'Trial'), ('trial_span', 'Trial Span')], max_length=10)),
        ('slot', models.PositiveSmallIntegerField(default=1)),
        ('stream', models.CharField(choices=[('uncertain', 'Uncertain'), ('audit', 'Audit'), ('blind', 'Blind')], default='uncertain', max_length=20)),
        ('reason', models.CharField(blank=True, max_length=40)),
        ('status', models.CharField(choices=[('open', 'Open'), ('decided', 'Decided'), ('closed', 'Closed')], default='open', max_length=20)),
        ('confidence', models.FloatField(null=True)), ('priority', models.FloatField(default=0.0, help_text='higher is served first')),
        ('version', models.PositiveIntegerField(default=1)), ('skipped_at', models.DateTimeField(null=True)),
        ('lease_expires_at', models.DateTimeField(null=True)),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='review_items', to='annotator.document')),
        ('leased_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('suggestion', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='review_items', to='annotator.suggestion')),
        ('audit_key', models.FloatField(null=True)),
        ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
        ('assigned_to', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('handed_back_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('round', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='items', to='annotator.round')),
    ], {
        'indexes': [
            models.Index(fields=['document', 'slot', 'unit', 'status'], name='review_item_queue'),
            models.Index(fields=['project', 'unit', 'status', '-priority'], name='review_item_next'),
            models.Index(condition=models.Q(('skipped_at', None), ('status', 'open'), ('unit', 'span')), fields=['project', 'stream', 'audit_key'], name='review_item_audit'),
            models.Index(condition=models.Q(('leased_by__isnull', False)), fields=['leased_by', 'project', 'unit', 'status'], name='review_item_held'),
            models.Index(condition=models.Q(('round__isnull', False)), fields=['round', 'assigned_to', 'status'], name='review_item_round'),
            models.Index(condition=models.Q(('assigned_to__isnull', False)), fields=['assigned_to', 'status'], name='review_item_reader'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('suggestion__isnull', False)), fields=('suggestion', 'slot'), name='review_item_of_span'),
            models.UniqueConstraint(condition=models.Q(('assigned_to__isnull', False), ('unit', 'note')), fields=('document', 'assigned_to'), name='review_item_once_a_reader'),
            models.CheckConstraint(condition=models.Q(models.Q(('round__isnull', False), ('unit', 'note')), models.Q(('assigned_to', None), ('handed_back_by', None), ('round', None)), _connector='OR'), name='review_item_of_round'),
            models.UniqueConstraint(condition=models.Q(('unit__in', ['note', 'trial'])), fields=('document', 'slot'), name='review_item_of_note'),
            models.CheckConstraint(condition=models.Q(models.Q(('suggestion', None), ('unit__in', ['note', 'trial'])), models.Q(('suggestion__isnull', False), ('unit__in', ['span', 'trial_span'])), _connector='OR'), name='review_item_unit'),
            models.CheckConstraint(condition=models.Q(models.Q(('slot__lt', 1000), ('unit__in', ['note', 'span'])), models.Q(('slot__gte', 1000), ('unit__in', ['trial', 'trial_span'])), _connector='OR'), name='review_item_slot'),
        ],
    }),
    migrations.CreateModel('Decision', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('verdict', models.CharField(choices=[('accept', 'Accept'), ('reject', 'Reject'), ('edit', 'Edit'), ('add', 'Add'), ('skip', 'Skip'), ('relate', 'Relate'), ('unrelate', 'Unrelate'), ('classify', 'Classify'), ('dismiss', 'Dismiss'), ('undo', 'Undo'), ('note_done', 'Note Done')], max_length=20)),
        ('stream', models.CharField(help_text="stream of the item, or 'unasked'", max_length=20)),
        ('idempotency_key', models.CharField(max_length=64, unique=True)),
        ('asked_sha256', models.CharField(help_text='of the act in the words of who asked for it', max_length=64)), ('decided_at', models.DateTimeField()),
        ('made', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.annotation')),
        ('reviewer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('undoes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='undone_by', to='annotator.decision')),
        ('withdrew', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.annotation')),
        ('item', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='annotator.reviewitem')),
        ('note_item', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions_on_note', to='annotator.reviewitem')),
        ('active_seconds', models.FloatField(help_text="of the reviewer's work on it, as the page measured it", null=True)),
        ('batch', models.CharField(blank=True, help_text='decisions that are undone as one', max_length=64)),
        ('redoes', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redone_by', to='annotator.decision')),
        ('made_value', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.documentvalue')),
        ('withdrew_value', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.documentvalue')),
        ('made_relation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.relation')),
        ('withdrew_relation', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.relation')),
        ('dismissed_fragments', models.CharField(blank=True, max_length=500)), ('dismissed_label', models.CharField(blank=True, max_length=40)),
        ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
    ], {
        'indexes': [
            models.Index(fields=['note_item', 'reviewer', '-id'], name='decision_of_note'),
            models.Index(fields=['reviewer', 'decided_at'], name='decision_of_reviewer'),
            models.Index(condition=models.Q(('batch', ''), _negated=True), fields=['batch'], name='decision_of_batch'),
            models.Index(fields=['project', 'reviewer', 'decided_at'], name='decision_in_project'),
        ],
    }),
    migrations.CreateModel('Gold', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('annotation', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.annotation')),
        ('choice', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.choice')),
        ('relation', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.relation')),
        ('sources', models.ManyToManyField(related_name='+', to='annotator.annotation')),
        ('value', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='gold', to='annotator.documentvalue')),
    ], {
        'constraints': [
            models.CheckConstraint(condition=models.Q(models.Q(('annotation__isnull', False), ('relation', None), ('value', None)), models.Q(('annotation', None), ('relation__isnull', False), ('value', None)), models.Q(('annotation', None), ('relation', None), ('value__isnull', False)), _connector='OR'), name='gold_of_one_row'),
        ],
    }),
    migrations.AddField('Project', 'members', models.ManyToManyField(related_name='+', through='annotator.Membership', to=settings.AUTH_USER_MODEL)),
]
