"""Index of the tables; each lives in its domain."""

from annotator.accounts.models import ApiToken, BrowserSession, SignInFailure, SignInLink, User
from annotator.annotations.models import Annotation, AnnotationSet, Comment, DocumentValue, Relation
from annotator.audit.models import AuditChain, AuditEvent
from annotator.builds.models import DatasetBuild
from annotator.documents.models import Document
from annotator.exchange.models import Import
from annotator.jobs.models import Job, WorkerBeat
from annotator.progress.models import CountedProject, LabelDay, WorkDay
from annotator.projects.models import Guideline, Invitation, Membership, Project, SchemaVersion
from annotator.purges.models import Tombstone
from annotator.review.models import Decision, ReviewItem
from annotator.suggestions.models import (
    Candidate,
    ExamplePool,
    Labeler,
    LabelJob,
    LabelRun,
    PromptExample,
    ServerPermission,
    Suggestion,
)

__all__ = [
    "Annotation",
    "AnnotationSet",
    "ApiToken",
    "AuditChain",
    "AuditEvent",
    "BrowserSession",
    "Candidate",
    "Comment",
    "CountedProject",
    "DatasetBuild",
    "Decision",
    "Document",
    "DocumentValue",
    "ExamplePool",
    "Guideline",
    "Import",
    "Invitation",
    "Job",
    "LabelDay",
    "LabelJob",
    "LabelRun",
    "Labeler",
    "Membership",
    "Project",
    "PromptExample",
    "Relation",
    "ReviewItem",
    "SchemaVersion",
    "ServerPermission",
    "SignInFailure",
    "SignInLink",
    "Suggestion",
    "Tombstone",
    "User",
    "WorkDay",
    "WorkerBeat",
]
