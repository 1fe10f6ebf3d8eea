"""The first of the tables that `0001_squashed_0019_qualification` makes: what others point at."""

import annotator.web.ids
import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

OPERATIONS = [
    migrations.CreateModel('AuditChain', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('project', models.CharField(max_length=16, unique=True)), ('n_events', models.PositiveBigIntegerField(default=0)),
        ('head_sha256', models.CharField(default='0000000000000000000000000000000000000000000000000000000000000000', max_length=64)),
    ]),
    migrations.CreateModel('Project', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('slug', models.SlugField(max_length=60, unique=True)), ('name', models.CharField(max_length=120)),
        ('n_readers', models.PositiveSmallIntegerField(default=1, help_text='how many people read each note')), ('created_at', models.DateTimeField()),
        ('retain_until', models.DateField(help_text='after this day everything in the project is purged', null=True)),
        ('audits', models.CharField(choices=[('shown', 'Show what the model says'), ('blind', 'Hide label and score until decided')], default='shown', max_length=20)),
    ], {
        'constraints': [
            models.CheckConstraint(condition=models.Q(('n_readers__gte', 1)), name='project_has_readers'),
        ],
    }),
    migrations.CreateModel('SignInFailure', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('who_sha256', models.CharField(max_length=64)),
        ('at', models.DateTimeField()),
    ], {
        'indexes': [
            models.Index(fields=['who_sha256', 'at'], name='sign_in_failure_recent'),
        ],
    }),
    migrations.CreateModel('User', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('password', models.CharField(max_length=128, verbose_name='password')),
        ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
        ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
        ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
        ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
        ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
        ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
        ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
        ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
        ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
        ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
        ('n_unread_notices', models.PositiveIntegerField(default=0, help_text='see notices.services')),
    ], {
        'verbose_name': 'user',
        'verbose_name_plural': 'users',
        'abstract': False,
    }, managers=[
            ('objects', django.contrib.auth.models.UserManager()),
        ]),
    migrations.CreateModel('WorkerBeat', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('name', models.CharField(max_length=200, unique=True)), ('queues', models.CharField(max_length=100)),
        ('device', models.CharField(blank=True, max_length=100)), ('model_id', models.CharField(blank=True, max_length=200)),
        ('memory_bytes', models.PositiveBigIntegerField(default=0)), ('started_at', models.DateTimeField()), ('seen_at', models.DateTimeField()),
        ('stopped_at', models.DateTimeField(null=True)),
    ]),
    migrations.CreateModel('ApiToken', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('name', models.CharField(max_length=80)), ('token_sha256', models.CharField(max_length=64, unique=True)), ('scopes', models.JSONField(default=list)),
        ('project', models.CharField(blank=True, help_text="public id of the only project it opens, or ''", max_length=16)),
        ('created_at', models.DateTimeField()), ('expires_at', models.DateTimeField(null=True)), ('used_at', models.DateTimeField(null=True)),
        ('revoked_at', models.DateTimeField(null=True)),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
    ]),
    migrations.CreateModel('AuditEvent', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('number', models.PositiveBigIntegerField()),
        ('at', models.DateTimeField()), ('verb', models.CharField(max_length=40)),
        ('object_id', models.CharField(help_text='a public id, never a name from outside', max_length=40)),
        ('detail', models.JSONField(default=dict, help_text='counts, ids and settings; never note text')),
        ('previous_sha256', models.CharField(max_length=64)), ('sha256', models.CharField(max_length=64)),
        ('actor', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('chain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='events', to='annotator.auditchain')),
    ], {
        'ordering': ['chain', 'number'],
        'indexes': [
            models.Index(fields=['chain', 'verb', 'object_id', 'actor', 'at'], name='audit_event_read'),
            models.Index(fields=['chain', 'actor', 'at'], name='audit_event_of_actor'),
        ],
        'constraints': [
            models.UniqueConstraint(fields=('chain', 'number'), name='audit_event_number'),
        ],
    }),
    migrations.CreateModel('BrowserSession', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('session_key', models.CharField(max_length=40, unique=True)),
        ('agent', models.CharField(blank=True, help_text='browser and system, in words', max_length=100)), ('started_at', models.DateTimeField()),
        ('active_at', models.DateTimeField(help_text='last request that was not a poll, to the minute')),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='browser_sessions', to=settings.AUTH_USER_MODEL)),
    ]),
    migrations.CreateModel('CountedProject', [
        ('project', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='annotator.project')),
        ('day', models.DateField()), ('counted_at', models.DateTimeField()), ('queue', models.JSONField(default=dict)),
    ]),
    migrations.CreateModel('Document', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('external_id', models.CharField(max_length=200)),
        ('patient_id', models.CharField(blank=True, help_text="pseudonym that groups a patient's notes", max_length=200)),
        ('note_type', models.CharField(blank=True, max_length=100)), ('text', models.TextField()),
        ('n_chars', models.PositiveIntegerField(help_text='code points')), ('sha256', models.CharField(max_length=64)),
        ('metadata', models.JSONField(default=dict)), ('blind_key', models.FloatField()), ('created_at', models.DateTimeField()),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='annotator.project')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'external_id'), name='document_external_id'),
            models.CheckConstraint(condition=models.Q(('n_chars__gt', 0)), name='document_has_text'),
        ],
        'indexes': [
            models.Index(fields=['project', 'note_type'], name='document_of_type'),
        ],
    }),
    migrations.CreateModel('Guideline', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('number', models.PositiveIntegerField()),
        ('text', models.TextField()), ('digest', models.CharField(help_text='sha256 of the text', max_length=64)), ('created_at', models.DateTimeField()),
        ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='guidelines', to='annotator.project')),
    ], {
        'ordering': ['project', 'number'],
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='guideline_number'),
        ],
    }),
    migrations.CreateModel('Invitation', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('role', models.CharField(choices=[('lead', 'Lead'), ('annotator', 'Annotator'), ('adjudicator', 'Adjudicator'), ('data_scientist', 'Data scientist')], max_length=20)),
        ('token_sha256', models.CharField(max_length=64, unique=True)), ('created_at', models.DateTimeField()), ('expires_at', models.DateTimeField()),
        ('accepted_at', models.DateTimeField(null=True)), ('revoked_at', models.DateTimeField(null=True)),
        ('accepted_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='invitations', to='annotator.project')),
    ]),
    migrations.CreateModel('Job', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('kind', models.CharField(choices=[('import', 'Import'), ('build', 'Build'), ('purge', 'Purge'), ('rule', 'Rule'), ('report', 'Report')], max_length=20)),
        ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('cancelling', 'Cancelling'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=20)),
        ('phase', models.CharField(blank=True, max_length=40)), ('n_done', models.PositiveIntegerField(default=0)),
        ('n_total', models.PositiveIntegerField(default=0)),
        ('error', models.TextField(blank=True, help_text='for the person who started it; never note text')),
        ('attempts', models.PositiveSmallIntegerField(default=0)), ('worker', models.CharField(blank=True, max_length=200)),
        ('run_token', models.CharField(blank=True, max_length=32)), ('lease_expires_at', models.DateTimeField(null=True)),
        ('created_at', models.DateTimeField()), ('started_at', models.DateTimeField(null=True)), ('finished_at', models.DateTimeField(null=True)),
        ('asked_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('project', models.CharField(blank=True, max_length=16)), ('subject', models.CharField(blank=True, max_length=16)),
    ], {
        'indexes': [
            models.Index(fields=['status', 'lease_expires_at'], name='job_status'),
        ],
    }),
    migrations.CreateModel('Membership', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('role', models.CharField(choices=[('lead', 'Lead'), ('annotator', 'Annotator'), ('adjudicator', 'Adjudicator'), ('data_scientist', 'Data scientist')], max_length=20)),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='memberships', to=settings.AUTH_USER_MODEL)),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='memberships', to='annotator.project')),
        ('away_until', models.DateField(help_text='the last day on which others read what is assigned to them', null=True)),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'user'), name='membership_once'),
        ],
    }),
    migrations.CreateModel('Notice', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('project', models.CharField(max_length=16)),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('kind', models.CharField(help_text='a Kind', max_length=40)),
        ('subject', models.CharField(blank=True, help_text="public id of what it leads to, or ''", max_length=16)),
        ('n', models.PositiveIntegerField(default=1, help_text='how often it happened')),
        ('detail', models.JSONField(default=dict, help_text='counts and dates; never note text, never an id from outside')),
        ('created_at', models.DateTimeField()), ('read_at', models.DateTimeField(null=True)),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to=settings.AUTH_USER_MODEL)),
    ], {
        'indexes': [
            models.Index(fields=['user', '-created_at'], name='notice_newest'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('read_at', None)), fields=('user', 'project', 'kind', 'subject'), name='notice_unread_once'),
        ],
    }),
    migrations.CreateModel('Qualification', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('number', models.PositiveIntegerField()),
        ('status', models.CharField(choices=[('on', 'On'), ('off', 'Off')], default='on', max_length=10)),
        ('matching', models.CharField(choices=[('strict', 'Strict: place and label equal'), ('overlap', 'Overlap: label equal, a character in common')], max_length=10)),
        ('threshold', models.FloatField(help_text='F1 that each judged label has to reach')),
        ('thresholds', models.JSONField(default=dict, help_text='F1 by label, of those with one of their own')),
        ('min_spans', models.PositiveSmallIntegerField(help_text='in the reference, for a label to be judged')),
        ('n_notes', models.PositiveSmallIntegerField(help_text='of one try')), ('n_tries', models.PositiveSmallIntegerField()),
        ('suggestions', models.CharField(choices=[('hidden', 'Read without suggestions'), ('shown', 'Show what the model suggested')], max_length=10)),
        ('counts_from', models.PositiveIntegerField()), ('created_at', models.DateTimeField()),
        ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='qualifications', to='annotator.project')),
    ], {
        'ordering': ['project', 'number'],
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='qualification_number'),
            models.CheckConstraint(condition=models.Q(('threshold__gte', 0), ('threshold__lte', 1)), name='qualification_threshold'),
        ],
    }),
    migrations.CreateModel('Round', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('number', models.PositiveIntegerField()), ('name', models.CharField(blank=True, max_length=120)),
        ('n_readers', models.PositiveSmallIntegerField(help_text='how many people read each note')),
        ('assistance', models.CharField(choices=[('shown', 'Everybody sees the suggestions'), ('hidden', 'Nobody sees them until the note is submitted'), ('mixed', 'One reader of each note, drawn at random, reads without')], default='shown', max_length=20)),
        ('draw', models.CharField(choices=[('stratified', "Each note type in proportion, a patient's notes with the same readers"), ('random', 'At random, whatever type or patient')], default='stratified', max_length=20)),
        ('seed', models.PositiveIntegerField()), ('due_on', models.DateField(null=True)), ('created_at', models.DateTimeField()),
        ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rounds', to='annotator.project')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='round_number'),
            models.CheckConstraint(condition=models.Q(('n_readers__gte', 1), ('n_readers__lte', 10)), name='round_has_readers'),
        ],
    }),
    migrations.CreateModel('SchemaVersion', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('number', models.PositiveIntegerField()),
        ('definition', models.JSONField(help_text='annotator.core.schema.Schema.to_json')), ('digest', models.CharField(max_length=64)),
        ('created_at', models.DateTimeField()),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='schema_versions', to='annotator.project')),
    ], {
        'ordering': ['project', 'number'],
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='schema_version_number'),
        ],
    }),
    migrations.CreateModel('ServerPermission', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('server', models.CharField(max_length=300)),
        ('allowed_at', models.DateTimeField()),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'server'), name='server_permission_once'),
        ],
    }),
    migrations.CreateModel('SignInLink', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('token_sha256', models.CharField(max_length=64, unique=True)), ('expires_at', models.DateTimeField()), ('used_at', models.DateTimeField(null=True)),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sign_in_links', to=settings.AUTH_USER_MODEL)),
        ('kind', models.CharField(choices=[('sign_in', 'Sign In'), ('reset', 'Reset')], default='sign_in', max_length=20)),
    ]),
    migrations.CreateModel('WorkDay', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('day', models.DateField()),
        ('note_type', models.CharField(blank=True, max_length=100)), ('n_notes', models.PositiveIntegerField(default=0)),
        ('n_accept', models.PositiveIntegerField(default=0)), ('n_relabel', models.PositiveIntegerField(default=0)),
        ('n_bounds', models.PositiveIntegerField(default=0)), ('n_reject', models.PositiveIntegerField(default=0)),
        ('n_add', models.PositiveIntegerField(default=0)), ('n_skip', models.PositiveIntegerField(default=0)),
        ('n_other', models.PositiveIntegerField(default=0)), ('n_undo', models.PositiveIntegerField(default=0)),
        ('n_judged', models.PositiveIntegerField(default=0)), ('n_accepted', models.PositiveIntegerField(default=0)),
        ('n_decided', models.PositiveIntegerField(default=0)), ('accepted_squared', models.PositiveBigIntegerField(default=0)),
        ('accepted_decided', models.PositiveBigIntegerField(default=0)), ('decided_squared', models.PositiveBigIntegerField(default=0)),
        ('n_timed', models.PositiveIntegerField(default=0)), ('seconds', models.FloatField(default=0)), ('chars', models.PositiveBigIntegerField(default=0)),
        ('seconds_squared', models.FloatField(default=0)), ('seconds_chars', models.FloatField(default=0)),
        ('chars_squared', models.PositiveBigIntegerField(default=0)),
        ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
        ('reviewer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('project', 'day', 'reviewer', 'note_type'), name='work_day_once'),
        ],
    }),
    migrations.CreateModel('Adjudication', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('status', models.CharField(choices=[('waiting', 'Waits for a reader'), ('open', 'To adjudicate'), ('done', 'Gold')], max_length=10)),
        ('lease_expires_at', models.DateTimeField(null=True)), ('version', models.PositiveIntegerField(default=1)),
        ('n_cases', models.PositiveIntegerField(null=True)), ('n_settled', models.PositiveIntegerField(null=True)),
        ('done_at', models.DateTimeField(null=True)),
        ('document', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='adjudication', to='annotator.document')),
        ('leased_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
    ], {
        'indexes': [
            models.Index(fields=['status', 'document'], name='adjudication_status'),
        ],
        'constraints': [
            models.CheckConstraint(condition=models.Q(models.Q(('done_at__isnull', False), ('status', 'done')), models.Q(models.Q(('status', 'done'), _negated=True), ('done_at', None)), _connector='OR'), name='adjudication_done'),
        ],
    }),
    migrations.CreateModel('Admission', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('reason', models.CharField(choices=[('passed', 'Passed'), ('lead', 'Let in'), ('member', 'Was here before')], max_length=10)),
        ('created_at', models.DateTimeField()),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('qualification', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='admissions', to='annotator.qualification')),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('qualification', 'user'), name='admission_once'),
        ],
    }),
    migrations.CreateModel('AgreementReport', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('days', models.PositiveSmallIntegerField(help_text='of what was compared in the last so many days; 0 for all')),
        ('data', models.JSONField(default=dict)), ('n_comparisons', models.PositiveIntegerField(default=0)),
        ('last_comparison', models.PositiveBigIntegerField(default=0)), ('computed_at', models.DateTimeField(null=True)),
        ('job', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.job')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='agreement_reports', to='annotator.project')),
    ], {
        'indexes': [
            models.Index(fields=['project', 'days', 'id'], name='agreement_report_newest'),
        ],
    }),
    migrations.CreateModel('AnnotationSet', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('status', models.CharField(choices=[('open', 'In progress'), ('submitted', 'Submitted')], default='open', max_length=20)),
        ('submitted_at', models.DateTimeField(null=True)),
        ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='annotation_sets', to=settings.AUTH_USER_MODEL)),
        ('document', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='annotation_sets', to='annotator.document')),
        ('kind', models.CharField(choices=[('reading', 'Reading'), ('gold', 'Gold'), ('trial', 'Trial')], default='reading', max_length=10)),
    ], {
        'indexes': [
            models.Index(fields=['document', 'status'], name='annotation_set_status'),
        ],
        'constraints': [
            models.UniqueConstraint(condition=models.Q(('kind', 'reading')), fields=('document', 'annotator'), name='annotation_set_once'),
            models.UniqueConstraint(condition=models.Q(('kind', 'gold')), fields=('document',), name='annotation_set_gold'),
            models.UniqueConstraint(condition=models.Q(('kind', 'trial')), fields=('document', 'annotator'), name='annotation_set_trial'),
        ],
    }),
    migrations.CreateModel('DatasetBuild', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('number', models.PositiveIntegerField()), ('name', models.CharField(max_length=120)), ('formats', models.JSONField(default=list)),
        ('options', models.JSONField(default=dict, help_text='seed, shares of the splits, window')), ('manifest', models.JSONField(default=dict)),
        ('created_at', models.DateTimeField()),
        ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('job', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.job')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dataset_builds', to='annotator.project')),
        ('documents', models.ManyToManyField(help_text='the notes in the files', related_name='+', to='annotator.document')),
        ('files_removed_at', models.DateTimeField(null=True)),
    ], {
        'ordering': ['project', '-number'],
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='dataset_build_number'),
        ],
    }),
    migrations.CreateModel('ExamplePool', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('number', models.PositiveIntegerField()),
        ('digest', models.CharField(help_text='sha256 of texts, items and their order', max_length=64)), ('n_examples', models.PositiveIntegerField()),
        ('options', models.JSONField(default=dict, help_text='seed, window, and how many notes were looked at')), ('created_at', models.DateTimeField()),
        ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='example_pools', to='annotator.project')),
        ('schema_version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.schemaversion')),
    ], {
        'ordering': ['project', 'number'],
        'constraints': [
            models.UniqueConstraint(fields=('project', 'number'), name='example_pool_number'),
        ],
    }),
    migrations.CreateModel('Import', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('public_id', models.CharField(default=annotator.web.ids.new_public_id, editable=False, max_length=16, unique=True)),
        ('status', models.CharField(choices=[('preview', 'Looked at'), ('started', 'Started')], default='preview', max_length=20)),
        ('created_at', models.DateTimeField()),
        ('spans_as', models.CharField(choices=[('nothing', 'Leave them out'), ('annotations', 'As annotations of a person'), ('suggestions', 'As suggestions of a labeler')], default='nothing', max_length=20)),
        ('spans_by', models.CharField(blank=True, help_text="username, or the labeler's name", max_length=150)),
        ('label_map', models.JSONField(default=dict, help_text="foreign label -> label of the schema, or '' to leave out")),
        ('is_prelabelled', models.BooleanField(default=True, help_text='start pre-labelling when the notes are in')),
        ('result', models.JSONField(default=dict, help_text='counts and row-level errors; never note text')),
        ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('job', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.job')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='imports', to='annotator.project')),
        ('csv_layout', models.JSONField(default=dict, help_text='how rows of CSV files become notes: places of columns, never their names; {} without any')),
    ]),
    migrations.CreateModel('RoundReader', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('n_notes', models.PositiveIntegerField(null=True)),
        ('round', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='readers', to='annotator.round')),
        ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
    ], {
        'constraints': [
            models.UniqueConstraint(fields=('round', 'user'), name='round_reader_once'),
        ],
    }),
    migrations.CreateModel('RuleRun', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
        ('rule', models.CharField(choices=[('unanimous', 'Unanimous'), ('majority', 'Majority')], max_length=20)),
        ('n_settled', models.PositiveIntegerField(default=0, help_text='differences')),
        ('n_finished', models.PositiveIntegerField(default=0, help_text='notes')), ('created_at', models.DateTimeField()),
        ('created_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
        ('job', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.job')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rule_runs', to='annotator.project')),
    ]),
    migrations.CreateModel('TokenRatings', [
        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')), ('patient', models.PositiveIntegerField()),
        ('tally', models.JSONField(default=dict)), ('at', models.DateTimeField()),
        ('document', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='token_ratings', to='annotator.document')),
        ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotator.project')),
    ]),
]
