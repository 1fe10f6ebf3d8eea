"""Index of the tables; each lives in its domain."""

from annotator.accounts.models import SignInLink, User
from annotator.annotations.models import Annotation, AnnotationSet
from annotator.audit.models import AuditChain, AuditEvent
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.jobs.models import Job, WorkerBeat
from annotator.projects.models import Membership, Project, SchemaVersion
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import Labeler, LabelJob, LabelRun, Suggestion

__all__ = [
    "Annotation",
    "AnnotationSet",
    "AuditChain",
    "AuditEvent",
    "DatasetBuild",
    "Decision",
    "Document",
    "Import",
    "Job",
    "LabelJob",
    "LabelRun",
    "Labeler",
    "Membership",
    "Project",
    "ReviewItem",
    "SchemaVersion",
    "SignInLink",
    "Suggestion",
    "User",
    "WorkerBeat",
]
