"""How fast the lead's page of trust is, among a million suggestions.

Fills the project of bench/progress.py on SQLite, four fifths of its notes done, a thousand of them read blind. The rest
of the suggestions are the members of two tests: a part of each is audited, and most of it accepted under a live
certificate, some of that watched. Then asks for the pages again and again.

    python bench/trust.py [--notes 20000] [--people 30] [--data FOLDER] [--views 20]

A folder that is filled is used again.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

N_BLIND, N_AUDITED, N_WATCHED = 1000, 2000, 2000
REGIONS = (0.2, 0.3, 0.45, 0.6, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--notes", type=int, default=20_000)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--views", type=int, default=20)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    data = arguments.data or Path(tempfile.mkdtemp(prefix="trust-"))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "annotator.settings", "MARGINALIA_DATA": str(data), "TZ": "UTC"}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    from progress import fill, timed

    from annotator.projects.models import Project

    project = Project.objects.filter(name="Bench").first()
    if project is None:
        project = timed("filled", lambda: fill(arguments.notes, arguments.people))
        timed("tested", lambda: test(project, arguments.notes))
    measure(project, arguments.views)


def test(project, n_notes: int) -> None:
    """Two tests of what is undecided, with their certificates: of the label Problem, and of the others together."""
    from django.db import connection, transaction
    from django.utils import timezone
    from progress import LABELS, SPANS

    from annotator.certificates.models import Calibrator
    from annotator.routing.targets import set_target
    from annotator.suggestions.models import Labeler

    now, lead = timezone.now(), project.memberships.get(role="lead").user
    labeler = Labeler.objects.get(project=project)
    calibrator = Calibrator.objects.create(
        project=project, labeler=labeler, number=1, kind="platt", curves={}, n_cases=400, status="current",
        applied_to=None, created_at=now - timedelta(days=30),
    )  # fmt: skip
    first = n_notes * 4 // 5 * SPANS
    with transaction.atomic(), connection.cursor() as cursor:
        run = cursor.execute
        run(f"UPDATE annotator_labeljob SET routed_at = finished_at, n_suggestions = {SPANS}")
        run(f"""UPDATE annotator_reviewitem SET stream = 'blind', reason = 'revealed', audit_key = id * 7919 % 10007
                WHERE unit = 'note' AND id <= {N_BLIND}""")
        for number, (label, where) in enumerate((("Problem", "= 'Problem'"), ("", "<> 'Problem'")), 1):
            labels = [each for each in LABELS if (each == "Problem") == bool(label)]
            set_target(project=project, label=label, status="on", target=0.95, delta=0.05, actor=lead, now=now)
            make_test(run, calibrator, number, label, labels, f"s.id > {first} AND s.label {where}", now)


def make_test(run, calibrator, number: int, label: str, labels: list[str], members: str, now) -> None:
    """A test of the suggestions `members` (SQL), and the certificate of its middle region with what it accepted."""
    from annotator.certificates.models import Batch, Certificate, Region

    batch = Batch.objects.create(
        project=calibrator.project, calibrator=calibrator, number=number, label=label, target=0.95, delta=0.05,
        status="settled", plan={"labels": labels}, n_members=0, frozen_at=now, looked_at=now,
    )  # fmt: skip
    run(f"""INSERT INTO annotator_batchmember (batch_id, suggestion_id, rank, confidence, audit_key, outcome)
            SELECT {batch.pk}, s.id, row_number() OVER (ORDER BY s.score DESC, s.id), s.score,
                   s.id * 7919 % 1000003 / 1000003.0, '' FROM annotator_suggestion s WHERE {members}""")
    n = batch.members.count()
    Batch.objects.filter(pk=batch.pk).update(n_members=n)
    rungs = [(size := max(round(share * n), 1), min(round(share * N_AUDITED), size)) for share in REGIONS]
    made = Region.objects.bulk_create(
        Region(batch=batch, place=place, chain="a", size=size, threshold=1 - share, n_audited=audits,
               n_wrong=audits // (60 - 10 * place), log_evidence=4.0 - place, lower_bound=0.97 - 0.01 * place,
               passed_at=now if place < 3 else None)
        for place, (share, (size, audits)) in enumerate(zip(REGIONS, rungs, strict=True))
    )  # fmt: skip
    region = made[2]
    certificate = Certificate.objects.create(
        project=calibrator.project, batch=batch, region=region, number=number, n_audited=region.n_audited,
        n_wrong=region.n_wrong, n_accepted=region.size - region.n_audited, n_watched=N_WATCHED, granted_at=now,
        watched_at=now,
    )  # fmt: skip
    run(f"""UPDATE annotator_batchmember SET outcome = CASE WHEN id % 40 THEN 'right' ELSE 'wrong' END WHERE id IN
            (SELECT id FROM annotator_batchmember WHERE batch_id = {batch.pk} ORDER BY audit_key LIMIT {N_AUDITED})""")
    audited = f"SELECT suggestion_id FROM annotator_batchmember WHERE batch_id = {batch.pk} AND outcome <> ''"
    certified = f"SELECT suggestion_id FROM annotator_batchmember WHERE batch_id = {batch.pk} AND rank <= {region.size}"
    run(f"UPDATE annotator_reviewitem SET status = 'certified' WHERE suggestion_id IN ({certified})")
    run(f"""UPDATE annotator_reviewitem SET status = 'decided', stream = 'audit' WHERE suggestion_id IN ({audited})""")
    columns = "project_id, note_item_id, item_id, reviewer_id, verdict, stream, asked_sha256, batch, "
    run(f"""INSERT INTO annotator_decision ({columns} dismissed_label, dismissed_fragments, idempotency_key, decided_at)
            SELECT i.project_id, i.document_id, i.id, (SELECT min(id) FROM annotator_user), 'accept', 'audit', '', '',
                   '', '', 'audit-' || i.id, '{now:%Y-%m-%d %H:%M:%S}'
            FROM annotator_reviewitem i WHERE i.suggestion_id IN ({audited})""")
    run(f"""INSERT INTO annotator_watchedsuggestion (certificate_id, suggestion_id, outcome, drawn_at)
            SELECT {certificate.pk}, suggestion_id, outcome, '{now:%Y-%m-%d %H:%M:%S}'
            FROM annotator_batchmember WHERE batch_id = {batch.pk} ORDER BY rank LIMIT {N_WATCHED}""")


def measure(project, n_views: int) -> None:
    """The days counted as the sweeper does, then the pages as a lead gets them."""
    from django.conf import settings
    from django.test import Client
    from django.utils import timezone
    from progress import count_all, timed

    from annotator.accounts.models import User
    from annotator.accounts.sessions import session_of
    from annotator.progress.models import CountedProject
    from annotator.suggestions.models import Suggestion
    from annotator.trust.views import DRIFT_DAYS

    settings.ALLOWED_HOSTS = ["*"]
    today = timezone.localdate()
    counted, _ = CountedProject.objects.get_or_create(
        project=project, defaults={"day": today - timedelta(days=DRIFT_DAYS), "counted_at": timezone.now()}
    )
    if counted.day < today:
        timed("the days of its charts counted", lambda: count_all(project, today))
    print(f"{Suggestion.objects.count():,} suggestions, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    client, lead = Client(), User.objects.get(username="lead")
    client.force_login(lead)
    session_of(user=lead, session_key=str(client.session.session_key), agent="", now=timezone.now())
    for what, path in (("the page", ""), ("recall and time saved", "measured/"), ("evidence as CSV", "evidence/")):
        times, work = [], []
        for _ in range(n_views):
            start, begun = time.perf_counter(), time.process_time()
            response = client.get(f"/p/{project.public_id}/trust/{path}")
            times.append(1000 * (time.perf_counter() - start))
            work.append(1000 * (time.process_time() - begun))
            assert response.status_code == 200, response.status_code
        times.sort()
        worst = times[int(0.95 * (len(times) - 1))]
        print(
            f"{what}: median {statistics.median(times):.0f} ms, p95 {worst:.0f} ms; "
            f"of the processor {statistics.median(work):.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
